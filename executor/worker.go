package executor

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/internal/hillclimb"
)

// attemptCell is an attempt that one goroutine writes and others may read.
type attemptCell struct {
	items    atomic.Int64  // that it is for, 0 between attempts
	cost     atomic.Uint64 // bits of a float64: that of an ordinary attempt is 1
	began    atomic.Int64
	epoch    atomic.Int64
	inFlight atomic.Int64 // with it
}

// load returns it, as one for so many items.
func (c *attemptCell) load(items int) adaptive.Attempt {
	return adaptive.Attempt{
		Began: time.Duration(c.began.Load()), InFlight: int(c.inFlight.Load()), Epoch: c.epoch.Load(),
		Items: items, Cost: math.Float64frombits(c.cost.Load()),
	}
}

// account is what a worker notes about its calls. The totals are its own until
// it leaves; the atomic part is read by whoever reviews the run.
type account struct {
	items, chunks int
	busy          time.Duration
	itemNanos     float64 // what an item cost lately, 0 if unknown

	// The chunk being run.
	began atomic.Int64 // when
	size  atomic.Int64 // items in it, 0 between chunks

	// The attempt under way, as a gate is told: of a call, or of a chunk of them.
	attempt attemptCell
	// turnsTaken is how many turns of the session were taken with the one for the next
	// attempt: who takes over a turn begins a moment after its predecessor has ended, and
	// where calls end together there would else seem to be few in flight.
	turnsTaken atomic.Int64
	unwatched  atomic.Bool // the chunk began before the gate was open, which knows nothing of it
	latencies  *latencies
	watched    int // one more than the index in the gate's list, 0 if not there

	// The chunks that began in the epoch, as added up by the worker.
	epoch struct {
		number  atomic.Int64
		chunks  atomic.Int64
		items   atomic.Int64
		busy    atomic.Int64
		squares atomic.Uint64 // bits of a float64
	}
}

// begin notes the start of a chunk in an epoch.
func (a *account) begin(epoch int64, size int, now time.Duration) {
	if a.epoch.number.Load() != epoch {
		a.epoch.chunks.Store(0)
		a.epoch.items.Store(0)
		a.epoch.busy.Store(0)
		a.epoch.squares.Store(0)
		a.epoch.number.Store(epoch)
	}
	a.began.Store(int64(now))
	a.size.Store(int64(size))
}

// end notes that items of the chunk have been run since begin, for held of the time
// held back. epoch is the present one: a chunk that began in an earlier one ran under
// another limit and counts in the totals only. It reports whether the chunk counts in
// the epoch.
func (a *account) end(epoch int64, items int, took, held time.Duration) bool {
	a.size.Store(0)
	a.chunks++
	a.items += items
	a.busy += took
	if items == 0 {
		return false
	}
	perItem := float64(took) / float64(items)
	if perItem > a.itemNanos {
		a.itemNanos = perItem // believe at once that items have got dearer
	} else {
		a.itemNanos = (a.itemNanos + perItem) / 2
	}
	if a.epoch.number.Load() != epoch {
		return false
	}
	took -= held // a worker that is held back could be replaced: it costs nothing
	perItem = float64(took) / float64(items)
	a.epoch.chunks.Add(1)
	a.epoch.items.Add(int64(items))
	a.epoch.busy.Add(int64(took))
	squares := math.Float64frombits(a.epoch.squares.Load()) + perItem*float64(took)
	a.epoch.squares.Store(math.Float64bits(squares))
	return true
}

// observe adds what the worker did in the epoch to o.
func (a *account) observe(epoch int64, o *hillclimb.Observation) {
	chunks := a.epoch.chunks.Load()
	if a.epoch.number.Load() != epoch || chunks == 0 {
		return
	}
	o.Reporting++
	o.Chunks += int(chunks)
	o.Items += int(a.epoch.items.Load())
	o.Busy += time.Duration(a.epoch.busy.Load())
	o.Squares += math.Float64frombits(a.epoch.squares.Load())
}
