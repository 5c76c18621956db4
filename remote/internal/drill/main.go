// Command drill runs a program that works, again and again killed, and counts what became of its items.
//
//	drill -on URL -n 1000000 -workers 3 -kills 50
//
// It starts workers and a coordinator, which submits items and writes their results to a file in order, and kills
// one of them at random, again and again, and starts it anew. In the end the file must have every result, once. For
// each worker that was killed it measures how long it took until its chunks were given to others.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
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
	stopping = flag.Int("stop", 0, "how often a worker is stopped for 15 s, by SIGSTOP, besides")
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

// coordinate submits, or goes on submitting, and appends results to the file behind those that are there.
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

// resume cuts a line that was not finished, and counts the others.
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

// drill starts the others and kills them.
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

// fleet are the processes: number 0 is the coordinator.
type fleet struct {
	cluster     *remote.Cluster
	file        string
	processes   []*exec.Cmd
	waits       []chan error
	killed      [2]int // coordinators, workers
	crashed     int    // by themselves
	gone        map[int]time.Time
	redelivered []time.Duration
}

func (d *fleet) start(i int) error {
	role := "work"
	if i == 0 {
		role = "coordinate"
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"-role", role, "-on", *on, "-schema", *schema, "-n", strconv.Itoa(*n), "-item", item.String(),
		"-at-once", strconv.Itoa(*atOnce), "-poison", strconv.Itoa(*poison), "-out", d.file}
	cmd := command(i, self, args)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if i == len(d.processes) {
		d.processes, d.waits = append(d.processes, cmd), append(d.waits, done)
	} else {
		d.processes[i], d.waits[i] = cmd, done
	}
	return nil
}

// command is how process number i is started: by a prefix if there is one, as in a network of its own.
func command(i int, self string, args []string) *exec.Cmd {
	if *prefix == "" {
		return exec.Command(self, args...)
	}
	words := []string{}
	for _, w := range bytes.Split([]byte(*prefix), []byte{','}) {
		words = append(words, string(bytes.ReplaceAll(w, []byte("%d"), []byte(strconv.Itoa(i)))))
	}
	return exec.Command(words[0], append(append(words[1:], self), args...)...)
}

// disturb kills at random, and has a worker stand still now and then.
func (d *fleet) disturb(ctx context.Context) error {
	stops := *stopping
	for range *kills {
		if err := d.pause(ctx, *every/2+rand.N(*every)); err != nil {
			return err
		}
		if stops > 0 {
			stops--
			victim := 1 + rand.IntN(*workers)
			pid := d.processes[victim].Process.Pid
			_ = syscall.Kill(-pid, syscall.SIGSTOP)
			time.AfterFunc(15*time.Second, func() { _ = syscall.Kill(-pid, syscall.SIGCONT) })
			continue
		}
		i := rand.IntN(*workers + 1)
		select {
		case err := <-d.waits[i]:
			if i == 0 && err == nil { // all is done, and was too early
				d.waits[i] <- nil
				return nil
			}
		default:
			pid := d.processes[i].Process.Pid
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			<-d.waits[i]
			d.killed[min(i, 1)]++
			if i > 0 {
				d.gone[pid] = time.Now()
			}
		}
		if err := d.start(i); err != nil {
			return err
		}
	}
	return nil
}

// pause waits, looks which of the dead were found, and starts what has ended by itself.
func (d *fleet) pause(ctx context.Context, pause time.Duration) error {
	end := time.Now().Add(pause)
	for time.Now().Before(end) {
		d.look(ctx)
		for i := 1; i < len(d.processes); i++ {
			select {
			case <-d.waits[i]:
				d.crashed++
				if err := d.start(i); err != nil {
					return err
				}
			default:
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// look notes when a dead worker is no longer taken for alive: from then on its chunks are others'.
func (d *fleet) look(ctx context.Context) {
	alive, err := d.cluster.Workers(ctx)
	if err != nil {
		return
	}
	pids := map[int]bool{}
	for _, w := range alive {
		pids[w.PID] = true
	}
	for pid, since := range d.gone {
		if !pids[pid] {
			d.redelivered = append(d.redelivered, time.Since(since))
			delete(d.gone, pid)
		}
	}
}

// finish waits for the coordinator to end by itself.
func (d *fleet) finish(ctx context.Context) error {
	for {
		select {
		case err := <-d.waits[0]:
			if err != nil {
				return fmt.Errorf("the coordinator: %w", err)
			}
			for len(d.gone) > 0 && ctx.Err() == nil {
				_ = d.pause(ctx, 100*time.Millisecond)
			}
			return nil
		default:
			if err := d.pause(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	}
}

func (d *fleet) end() {
	for _, p := range d.processes {
		_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
	}
}

// report compares the file with what it should be.
func (d *fleet) report(ctx context.Context, took time.Duration) error {
	file, err := os.Open(d.file)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lines, failures := 0, 0
	for s := bufio.NewScanner(file); s.Scan(); lines++ {
		want := fmt.Sprintf("%d r%d", lines, lines)
		if lines%1000 == 999 || lines == *poison {
			want = fmt.Sprintf("%d failed", lines)
			failures++
		}
		if s.Text() != want {
			return fmt.Errorf("line %d is %q, and should be %q", lines, s.Text(), want)
		}
	}
	if lines != *n {
		return fmt.Errorf("%d results of %d", lines, *n)
	}
	handle, err := d.cluster.Run(ctx, run)
	if err != nil {
		return err
	}
	info, err := handle.Info(ctx)
	if err != nil {
		return err
	}
	if info.Failed != int64(failures) || info.Done != int64(*n) || info.Chunks != 0 {
		return fmt.Errorf("the run says %+v, and %d failed", info, failures)
	}
	longest, sum := time.Duration(0), time.Duration(0)
	for _, r := range d.redelivered {
		longest, sum = max(longest, r), sum+r
	}
	mean := sum / time.Duration(max(len(d.redelivered), 1))
	fmt.Printf("| items | results, in order, once each | workers killed | coordinators killed | ended by an item | stopped 15 s | redelivery, mean | longest | took |\n")
	fmt.Printf("|---|---|---|---|---|---|---|---|---|\n")
	fmt.Printf("| %d | %d | %d | %d | %d | %d | %.1f s | %.1f s | %.1f s |\n",
		*n, lines, d.killed[1], d.killed[0], d.crashed, *stopping, mean.Seconds(), longest.Seconds(), took.Seconds())
	return handle.Remove(ctx)
}
