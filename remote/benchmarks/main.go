//go:build unix

package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/amorsize/amorsize/remote"
)

var (
	postgres = flag.String("postgres", "", "a PostgreSQL to measure on, besides SQLite")
	redis    = flag.String("redis", "", "the address of a Redis, for asynq")
	suites   = flag.String("suite", "peers,chunks,workers,memory", "what to measure")
	reps     = flag.Int("reps", 5, "how often")
	items    = flag.Int("n", 500_000, "items of peers and memory")
	child    = flag.String("child", "", "be a process of a suite")
	on       = flag.String("on", "", "of a child: the database")
	schema   = flag.String("schema", "", "of a child: its schema")
)

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if *child != "" {
		return map[string]func(context.Context) error{"work": childWork, "memory": childMemory}[*child](ctx)
	}
	for suite := range strings.SplitSeq(*suites, ",") {
		do := map[string]func(context.Context) error{"peers": peers, "chunks": chunks, "workers": workers, "memory": memory}[suite]
		if do == nil {
			return fmt.Errorf("no suite %q", suite)
		}
		if err := do(ctx); err != nil {
			return fmt.Errorf("%s: %w", suite, err)
		}
	}
	return nil
}

// place is a separate database for a measurement.
type place struct {
	kind, url, schema string
	remove            func()
}

var schemas int

// places are an empty SQLite, and an empty schema of the PostgreSQL if there is one.
func places() ([]place, error) {
	dir, err := os.MkdirTemp("", "amorsize-bench")
	if err != nil {
		return nil, err
	}
	all := []place{{"SQLite", "sqlite:" + filepath.Join(dir, "runs.db"), "", func() { _ = os.RemoveAll(dir) }}}
	if *postgres != "" {
		schemas++
		all = append(all, place{"PostgreSQL", *postgres, fmt.Sprintf("bench_%d_%d", os.Getpid(), schemas), func() {}})
	}
	return all, nil
}

func (p place) open(ctx context.Context) (*remote.Cluster, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return remote.Config{Schema: p.schema, Logger: log, Connections: 16}.Open(ctx, p.url)
}

// spread is the median of figures, and their range.
func spread(figures []float64) string {
	slices.Sort(figures)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", figures[len(figures)/2], figures[0], figures[len(figures)-1])
}

func rate(items int, took time.Duration) float64 { return float64(items) / took.Seconds() }

func ints(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}
