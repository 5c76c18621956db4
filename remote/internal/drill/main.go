//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote"
)

var (
	on       = flag.String("on", "", "the database")
	schema   = flag.String("schema", "", "of PostgreSQL")
	role     = flag.String("role", "drill", "drill, work or coordinate")
	n        = flag.Int("n", 100_000, "items")
	workers  = flag.Int("workers", 3, "worker processes")
	kills    = flag.Int("kills", 10, "how often one of them, or the coordinator, is killed")
	every    = flag.Duration("every", time.Second, "how long there is between two kills, on average")
	item     = flag.Duration("item", time.Millisecond, "how long an item takes")
	atOnce   = flag.Int("at-once", 8, "items at once in a worker")
	poison   = flag.Int("poison", -1, "an item that ends the process that works it")
	out      = flag.String("out", "", "where the coordinator writes results")
	limit    = flag.Duration("limit", 10*time.Minute, "when to give up")
	stopping = flag.Int("stop", 0, "how often a worker is stopped for 30 s, by SIGSTOP, besides")
	prefix   = flag.String("prefix", "", "a command, of words separated by commas, that starts worker %d somewhere")
)

const run = "drill"

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := map[string]func(context.Context) error{"drill": drill, "work": work, "coordinate": coordinate}[*role]
	if err := do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, *role+":", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func open(ctx context.Context) (*remote.Cluster, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return remote.Config{Schema: *schema, Logger: log}.Open(ctx, *on)
}

func function() *remote.Func[int, string] {
	return remote.Register("drill", func(i int) (string, error) {
		time.Sleep(*item)
		if i == *poison {
			os.Exit(3)
		}
		if i%1000 == 999 {
			return "", errors.New("it ends in 999")
		}
		return "r" + strconv.Itoa(i), nil
	}, amorsize.WithMaxWorkers(*atOnce))
}

func work(ctx context.Context) error {
	function()
	cluster, err := open(ctx)
	if err != nil {
		return err
	}
	defer cluster.Close()
	return remote.Work(ctx, cluster)
}

// coordinate submits, or continues submitting, and appends results to those in the file.
func coordinate(ctx context.Context) error {
	f := function()
	cluster, err := open(ctx)
	if err != nil {
		return err
	}
	defer cluster.Close()
	handle, err := f.Submit(ctx, cluster, func(yield func(int) bool) {
		for i := range *n {
			if !yield(i) {
				return
			}
		}
	}, remote.RunID(run))
	if err != nil {
		return err
	}
	have, file, err := resume(*out)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	for r := range handle.ResultsFrom(ctx, have) {
		if r.Index < 0 {
			return r.Err
		}
		text := r.Value
		if r.Err != nil {
			text = "failed"
		}
		if _, err := fmt.Fprintf(w, "%d %s\n", r.Index, text); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), file.Close())
}

// resume cuts off an incomplete line, and counts the others.
func resume(path string) (lines int, file *os.File, err error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, nil, err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
		return 0, nil, err
	}
	if err := file.Truncate(int64(whole)); err != nil {
		return 0, nil, err
	}
	_, err = file.Seek(int64(whole), 0)
	return bytes.Count(data[:whole], []byte{'\n'}), file, err
}

// drill starts the other processes and kills them.
func drill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "drill")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cluster, err := open(ctx)
	if err != nil {
		return err
	}
	defer cluster.Close()
	d := &fleet{cluster: cluster, file: filepath.Join(dir, "results"), gone: map[int]time.Time{}}
	defer d.end()
	begun := time.Now()
	for i := range *workers + 1 {
		if err := d.start(i); err != nil {
			return err
		}
	}
	if err := d.disturb(ctx); err != nil {
		return err
	}
	if err := d.finish(ctx); err != nil {
		return err
	}
	return d.report(ctx, time.Since(begun))
}
