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
	ctx     *runContext     // of the calls; ends with the run
	over    *atomic.Bool    // no further item is to start; set by the outcome
	runner  runner
	batches *batching // nil if it is not a run of batches
	total   int       // number of items, source.Many for a stream
	arrives bool      // a stream: the number of items is not known
	start   time.Duration
}

// batching marks a run of batches.
type batching struct {
	sizer *sizing.Batch // nil if the size is fixed
}

// settling reports whether the batch size is still being searched, by one call at a time.
func (j *job) settling() bool {
	return j.batches != nil && j.batches.sizer != nil && !j.batches.sizer.Ready()
}

// unit returns how long a batch of the settled size takes without load, how many items it
// has, and from how many calls that is known; 0 if it is not a run of batches, or not
// known. itemNanos is the time of an item in a batch of fixed size.
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

// newSource returns the source of the items after the first ones.
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

// plainSource is the source of items that are run in their order.
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

// newBatchSizer returns what finds the size of batches, nil if the size is fixed.
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
