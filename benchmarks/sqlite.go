package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/amorsize/amorsize"
)

// What is inserted, and how the loop does it.
const (
	rows      = 200_000
	loopBatch = 5000
	manyRuns  = 20 // so many are judged by the slowest
)

// sqliteSuite inserts rows into a file that takes one writer at a time, with the
// settings that people use: WAL, and ten seconds of patience for the lock. First where
// no disk can stall, if the system has files in memory; then on the disk, where a commit
// stalls for a tenth of a second now and then, in a loop as well.
func sqliteSuite(o options) {
	// One that can be cancelled, as in every program that can be stopped: the driver
	// watches it at each statement, which costs more than the insert. Our calls are always
	// given such a one.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if dir := "/dev/shm"; isDir(dir) {
		sqliteTable(ctx, o, dir, "a file in memory")
	}
	sqliteTable(ctx, o, os.TempDir(), "a file on disk")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// sqliteTable fails unless ours stay within 1.3 × the loop (of a few runs: 2 ×), the
// slowest of each if there are many, and at 16 calls at once.
func sqliteTable(ctx context.Context, o options, dir, name string) {
	var loop, ours []time.Duration
	most, failed := int64(0), 0
	for range o.reps {
		loop = append(loop, insertInALoop(ctx, dir))
		took, peak, err := insertRows(dir, func(insert batchInsert, items []row) error {
			_, err := amorsize.ExecuteBatches(ctx, insert, items)
			return err
		})
		if err != nil {
			failed++
			fmt.Fprintln(os.Stderr, "sqlite:", err)
		}
		ours, most = append(ours, took), max(most, peak)
	}
	base, middle := median(slices.Clone(loop)), median(slices.Clone(ours))
	t := newTable(o, "SQLite, one writer, "+name, fmt.Sprintf("%d rows (WAL, busy_timeout 10 s), %d runs. Time relative to the median of a loop over batches of %d.", rows, o.reps, loopBatch),
		"arm", "median", "slowest", "calls at once", "failed runs")
	t.row("loop", "1.00", ratio(slices.Max(loop), base), "1", "0")
	t.row("**amorsize**", ratio(middle, base), ratio(slices.Max(ours), base), fmt.Sprint(most), fmt.Sprint(failed))
	o.require(failed == 0, "sqlite: %d of %d runs failed", failed, o.reps)
	o.require(most <= 16, "sqlite: %d calls at once, at most 16 were claimed", most)
	if o.reps < manyRuns {
		// A few runs, beside other tests, tell whether concurrency runs away again (5 to
		// 9 × the loop), and no more.
		o.require(float64(middle) <= 2*float64(base), "sqlite: the median run took %s × the loop, 2 is the bound of a few runs", ratio(middle, base))
		return
	}
	o.require(float64(slices.Max(ours)) <= 1.3*float64(slices.Max(loop)), "sqlite: %s: the slowest run took %s × the slowest loop, 1.3 was claimed",
		name, ratio(slices.Max(ours), slices.Max(loop)))
}

func insertInALoop(ctx context.Context, dir string) time.Duration {
	took, _, err := insertRows(dir, func(insert batchInsert, items []row) error {
		for lo := 0; lo < len(items); lo += loopBatch {
			if _, err := insert(ctx, items[lo:min(lo+loopBatch, len(items))]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return took
}

type row struct {
	id   int
	name string
}

type batchInsert = func(context.Context, []row) ([]struct{}, error)

// insertRows times one way to insert all rows into a file of its own, and counts the
// most calls at once.
func insertRows(dir string, run func(batchInsert, []row) error) (took time.Duration, most int64, err error) {
	dir, err = os.MkdirTemp(dir, "amorsize-sqlite-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sql.Open("sqlite", filepath.Join(dir, "rows.db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("create table rows (id integer primary key, name text)"); err != nil {
		return 0, 0, err
	}
	items := make([]row, rows)
	for i := range items {
		items[i] = row{i, fmt.Sprint("name ", i)}
	}
	var inFlight, peak atomic.Int64
	start := time.Now()
	err = run(func(ctx context.Context, batch []row) ([]struct{}, error) {
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		return make([]struct{}, len(batch)), insertBatch(ctx, db, batch)
	}, items)
	took = time.Since(start)
	if err == nil {
		var n int
		if err = db.QueryRow("select count(*) from rows").Scan(&n); err == nil && n != rows {
			err = fmt.Errorf("%d rows are there, want %d", n, rows)
		}
	}
	return took, peak.Load(), err
}

func insertBatch(ctx context.Context, db *sql.DB, batch []row) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	stmt, err := tx.PrepareContext(ctx, "insert into rows values (?, ?)")
	if err != nil {
		return err
	}
	for _, r := range batch {
		if _, err := stmt.ExecContext(ctx, r.id, r.name); err != nil {
			return err
		}
	}
	return tx.Commit()
}
