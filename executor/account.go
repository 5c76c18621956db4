package executor

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/hillclimb"
)

// totals add up what was run.
type totals struct {
	items, chunks int
	failed        int // items of a stream, whose failures are results
	busy          time.Duration
}

// add adds other, and empties it.
func (t *totals) add(other *totals) {
	t.items += other.items
	t.chunks += other.chunks
	t.failed += other.failed
	t.busy += other.busy
	*other = totals{}
}

// account is what a worker records about its claims. Only the worker uses the totals
// until it leaves; reviews of the run read the atomic part.
type account struct {
	totals
	itemNanos float64 // recent time of an item, 0 if unknown

	// The claim being run.
	began atomic.Int64 // when
	size  atomic.Int64 // items in it, 0 between claims

	// The claims that began in the epoch, as added up by the worker.
	epoch struct {
		number  atomic.Int64
		chunks  atomic.Int64
		items   atomic.Int64
		busy    atomic.Int64
		squares atomic.Uint64 // bits of a float64
	}
}

// begin notes the start of a claim in an epoch.
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

// end notes that items of the claim have been run since begin; for held of that time
// policies made them wait. epoch is the present one: a claim that began in an earlier
// epoch ran under another limit and counts in the totals only. It reports whether the
// claim counts in the epoch.
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
		a.itemNanos = perItem // adopt a higher cost at once
	} else {
		a.itemNanos = (a.itemNanos + perItem) / 2
	}
	if a.epoch.number.Load() != epoch {
		return false
	}
	took -= held // while policies hold a worker back, another can take its place: that costs nothing
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

// age returns how long the current claim has been running, and how many items it has; 0
// between claims.
func (a *account) age(now time.Duration) (age time.Duration, items int) {
	return now - time.Duration(a.began.Load()), int(a.size.Load())
}
