package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/amorsize/amorsize"
)

// What the database allows, and what is asked of it.
const (
	connections = 20
	queries     = 4000
	query       = "select pg_sleep(0.003), count(*) from generate_series(1, 2000)"
)

// postgresSuite runs queries of a real PostgreSQL that allows 20 connections,
// through a pool of as many: more calls than that wait in the pool.
func postgresSuite(o options) {
	stop, dsn, err := startPostgres()
	if err != nil {
		fmt.Fprintf(o.out, "\nNo PostgreSQL here: %v\n", err)
		return
	}
	defer stop()
	ours := serviceArm{"**amorsize**", func(ctx context.Context, fetch func(context.Context) error, calls int) {
		_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, _ struct{}) (struct{}, error) {
			return struct{}{}, fetch(ctx)
		}, make([]struct{}, calls), amorsize.WithErrors(amorsize.Collect))
	}}
	arms := []serviceArm{ours}
	for _, n := range []int{2, 4, 8, 12, 16, 20, 32, 64, 256} {
		arms = append(arms, serviceArm{"errgroup, N = " + strconv.Itoa(n), runFixed(n)})
	}
	goodput, failed := make([][]float64, len(arms)), make([]int64, len(arms))
	latency := make([][]time.Duration, len(arms))
	for range min(3, o.reps) {
		for i, a := range arms {
			rate, p99, errors := tryPostgres(a, dsn)
			goodput[i], latency[i] = append(goodput[i], rate), append(latency[i], p99)
			failed[i] += errors
		}
	}
	best := 0.0
	for i := range arms[1:] {
		best = max(best, median(slices.Clone(goodput[i+1])))
	}
	t := newTable(o, "PostgreSQL, 20 connections", fmt.Sprintf("%d queries of a few ms through database/sql. Goodput relative to the best fixed N.", queries),
		"arm", "goodput", "queries/s", "p99 latency", "errors")
	o.atLeast("service, PostgreSQL: × the goodput of the best fixed N", median(slices.Clone(goodput[0]))/best, 0.8)
	for i, a := range arms {
		got := median(goodput[i])
		t.row(a.name, number(got/best), fmt.Sprintf("%.0f", got), median(latency[i]).Round(100*time.Microsecond).String(), strconv.FormatInt(failed[i], 10))
	}
}

func tryPostgres(a serviceArm, dsn string) (rate float64, p99 time.Duration, failed int64) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	ctx, cancel := context.WithTimeout(context.Background(), 2*longestRun)
	defer cancel()
	var mu sync.Mutex
	var took []time.Duration
	var errors atomic.Int64
	start := time.Now()
	a.run(ctx, func(ctx context.Context) error {
		began := time.Now()
		var slept string
		var rows int
		if err := db.QueryRowContext(ctx, query).Scan(&slept, &rows); err != nil {
			errors.Add(1)
			return err
		}
		mu.Lock()
		took = append(took, time.Since(began))
		mu.Unlock()
		return nil
	}, queries)
	elapsed := time.Since(start)
	if len(took) == 0 {
		return 0, 0, errors.Load()
	}
	slices.Sort(took)
	return float64(len(took)) / elapsed.Seconds(), took[len(took)*99/100], errors.Load()
}

// startPostgres has the script install and start a server of its own.
func startPostgres() (stop func(), dsn string, err error) {
	dir, err := os.MkdirTemp("", "amorsize-postgres-")
	if err != nil {
		return nil, "", err
	}
	script := func(what string) ([]byte, error) {
		cmd := exec.Command("bash", "../scripts/postgres.sh", what, dir, strconv.Itoa(connections))
		cmd.Stderr = os.Stderr
		return cmd.Output()
	}
	out, err := script("start")
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, "", fmt.Errorf("scripts/postgres.sh: %w", err)
	}
	return func() {
		_, _ = script("stop")
		_ = os.RemoveAll(dir)
	}, strings.TrimSpace(string(out)), nil
}
