package executor

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/optimizer"
)

// job is what a run with several workers has to do. It does not change.
type job struct {
	cfg     *Config
	parent  context.Context // the caller's
	ctx     *runContext     // of the calls: ends with the run
	over    *atomic.Bool    // no further item is to start: the outcome's to set
	runner  runner
	batches *batching // nil if it is not a run of batches
	total   int       // of the items, source.Many if they arrive
	arrives bool      // how many items there will be is not known
	start   time.Duration
}

// batching is what a run of batches is known by.
type batching struct {
	sizer *sizing.Batch // nil if the size is fixed
}

// settling reports whether the size of batches is still looked for, by one call at a time.
func (j *job) settling() bool {
	return j.batches != nil && j.batches.sizer != nil && !j.batches.sizer.Ready()
}

// unit returns what a batch of the settled size takes alone, how many items that are,
// and from how many calls that is known; 0 if it is not a run of batches, or not known.
// itemNanos is what an item takes in a batch whose size is given.
func (j *job) unit(itemNanos float64) (took time.Duration, size, calls int) {
	switch {
	case j.batches == nil:
		return 0, 0, 0
	case j.batches.sizer == nil:
		return time.Duration(itemNanos * float64(j.cfg.ChunkSize)), j.cfg.ChunkSize, 1
	}
	if size, _ = j.batches.sizer.Settled(); size > 0 {
		took, calls = j.batches.sizer.Unit()
	}
	return took, size, calls
}

// newSource returns what is left to run after the first items.
func (j *job) newSource(first int, arrivals *source.Arrivals) source.Source {
	of, ok := j.runner.(liner)
	if !ok {
		return j.plainSource(first, arrivals)
	}
	lines := of.lines()
	switch {
	case lines == nil:
		return j.plainSource(first, arrivals)
	case j.arrives:
		return source.NewLanes(arrivals, lines)
	}
	return source.NewLanes(source.NewSlice(first, j.total), lines)
}

// plainSource is that of items that are run in their order.
func (j *job) plainSource(first int, arrivals *source.Arrivals) source.Source {
	if j.arrives {
		return arrivals
	}
	return source.NewSlice(first, j.total)
}

// sizer returns what says how many items a worker claims at a time.
func (j *job) sizer(plan *optimizer.Plan) sizing.Sizer {
	c := j.cfg
	switch {
	case c.ChunkSize > 0:
		return sizing.Fixed(c.ChunkSize)
	case j.batches != nil:
		return j.batches.sizer
	}
	target := cmp.Or(c.TargetChunk, optimizer.DefaultTargetChunk)
	return sizing.NewTimed(target, c.MaxChunkSize, plan.ChunkSize, plan.Sample.ItemNanos)
}

// newBatchSizer returns what finds the size of batches, nil if it is given.
func newBatchSizer(c *Config) *sizing.Batch {
	if c.ChunkSize > 0 {
		return nil
	}
	within := sizing.BatchBounds{Target: cmp.Or(c.TargetChunk, DefaultTargetBatch), Most: c.MaxChunkSize, Fixed: c.Workers > 0}
	if c.Plan != nil {
		within.Given = c.Plan.ChunkSize
	}
	return sizing.NewBatch(within)
}
