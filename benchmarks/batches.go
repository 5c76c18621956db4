package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize"
)

// bulk is a service that takes items in batches.
type bulk struct {
	name    string
	items   int
	claimed float64 // most × the best by hand
	start   func() (bulkService, error)
}

// bulkService is one that is running.
type bulkService struct {
	call  bulkCall
	reset func() // before each run
	stop  func()
}

// longestBatches bounds a run of ours that gets nowhere: it has failed then.
const longestBatches = 20 * time.Second

// loopReps is how often loops run at the most: they take long.
const loopReps = 3

// By hand one picks of these.
var (
	handSizes   = []int{500, 1000, 2000, 5000}
	handWorkers = []int{1, 2, 4, 8, 20}
)

// batchesSuite gives batches of the default size and concurrency to services of three
// kinds, beside the loop over batches of a fixed size and the best of a sweep over
// workers and sizes.
func batchesSuite(o options) {
	for _, b := range []bulk{
		{"one at a time: a mutex around 100 µs + 1 µs an item", 400_000, 1.3, serialBulk},
		{"an HTTP service with 4 slots, 5 ms + 10 µs an item", 300_000, 1.3, httpBulk},
		{"PostgreSQL, inserts through a pool of 20 connections", 400_000, 1.3, postgresBulk},
	} {
		service, err := b.start()
		if err != nil {
			fmt.Fprintf(o.out, "\n%s: not here: %v\n", b.name, err)
			continue
		}
		b.compare(o, service)
		service.stop()
	}
}

// batchArm makes calls of so many items until all are done. It keeps what its runs took,
// how many calls they made at once, and how many of them failed.
type batchArm struct {
	name   string
	run    func(call bulkCall, items []row) error
	took   []float64
	most   int64
	failed int
}

type bulkCall = func(context.Context, []row) error

func (b bulk) compare(o options, service bulkService) {
	items := make([]row, b.items)
	for i := range items {
		items[i] = row{i, fmt.Sprint("name ", i)}
	}
	best := handPicked(service, items)
	arms := []batchArm{{name: "**amorsize**", run: func(call bulkCall, items []row) error {
		ctx, cancel := context.WithTimeout(context.Background(), longestBatches)
		defer cancel()
		_, err := amorsize.ExecuteBatches(ctx, func(ctx context.Context, batch []row) ([]struct{}, error) {
			return make([]struct{}, len(batch)), call(ctx, batch)
		}, items)
		return err
	}}, {name: "best of the sweep: " + best.name, run: best.run}}
	for _, size := range handSizes {
		arms = append(arms, fixedBatches(1, size))
	}
	least := math.Inf(1)
	for rep := range o.reps {
		for i := range arms {
			if i < 2 || rep < loopReps {
				arms[i].try(service, items)
			}
		}
	}
	for _, a := range arms[1:] {
		least = min(least, median(slices.Clone(a.took)))
	}
	t := newTable(o, "Batches: "+b.name, fmt.Sprintf("%d items. Time relative to the best of %d workers × %d sizes by hand, %.0f ms.", b.items, len(handWorkers), len(handSizes), least/1e6),
		"arm", "median", "slowest", "calls at once", "failed runs")
	for _, a := range arms {
		t.row(a.name, number(median(slices.Clone(a.took))/least), number(slices.Max(a.took)/least), fmt.Sprint(a.most), fmt.Sprint(a.failed))
	}
	o.atMost("batches, "+b.name+": × the best by hand", median(slices.Clone(arms[0].took))/least, b.claimed)
	o.require(arms[0].failed == 0, "batches, %s: %d of %d runs failed", b.name, arms[0].failed, o.reps)
}

// try runs the arm once.
func (a *batchArm) try(service bulkService, items []row) {
	service.reset()
	var inFlight, most atomic.Int64
	runtime.GC()
	start := time.Now()
	err := a.run(func(ctx context.Context, batch []row) error {
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		for p := most.Load(); n > p && !most.CompareAndSwap(p, n); p = most.Load() {
		}
		return service.call(ctx, batch)
	}, items)
	a.took = append(a.took, float64(time.Since(start)))
	a.most = max(a.most, most.Load())
	if err != nil {
		a.failed++
		fmt.Fprintf(os.Stderr, "batches: %s: %v\n", a.name, err)
	}
}

// handPicked returns the fastest of the sweep, by the better of two runs.
func handPicked(service bulkService, items []row) (best batchArm) {
	least := 0.0
	for _, workers := range handWorkers {
		for _, size := range handSizes {
			a := fixedBatches(workers, size)
			a.try(service, items)
			a.try(service, items)
			if took := slices.Min(a.took); least == 0 || took < least {
				best, least = a, took
			}
		}
	}
	return best
}

// fixedBatches has so many workers claim batches of so many items.
func fixedBatches(workers, size int) batchArm {
	name := fmt.Sprintf("%d workers × %d", workers, size)
	if workers == 1 {
		name = fmt.Sprintf("loop over %d", size)
	}
	return batchArm{name: name, run: func(call bulkCall, items []row) error {
		var batches [][]row
		for batch := range slices.Chunk(items, size) {
			batches = append(batches, batch)
		}
		var failure atomic.Pointer[error]
		var next atomic.Int64
		runWorkers(workers, len(batches), func() bool {
			if err := call(context.Background(), batches[next.Add(1)-1]); err != nil {
				failure.Store(&err)
			}
			return failure.Load() == nil
		})
		if err := failure.Load(); err != nil {
			return *err
		}
		return nil
	}}
}
