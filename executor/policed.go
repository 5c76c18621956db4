package executor

import (
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// policed separates time spent waiting in policies, for a token or for a breaker to
// close, from the items' own time. It costs four clock readings per item, so it is done
// in the sample and for items that take long enough.
type policed struct {
	sampling bool // the sample is being taken
	measured bool // the item being run
	own      time.Duration
	waited   time.Duration // in the policies, since it was last read

	// Read by other goroutines.
	measuring atomic.Bool  // an item is being measured
	inside    atomic.Bool  // the function is being called
	entered   atomic.Int64 // when
	ownItems  atomic.Int64 // items measured, and the time in the function for them
	ownTime   atomic.Int64
}

// leastWait is how long policies may take before it counts as waiting: up to that it is
// their overhead, which counts as the item's time. Items that take less are not measured.
const leastWait = 10 * time.Microsecond

// beginPoliced notes that an item begins.
func (w *worker) beginPoliced() (now time.Duration) {
	p := &w.policed
	p.inside.Store(false) // a policy may have recovered a panic of the call
	p.measured = p.sampling || w.tracker != nil || w.itemNanos > float64(leastWait)
	p.measuring.Store(p.measured)
	if p.measured {
		p.own, now = 0, clock.Now()
	}
	return now
}

// end notes that the item has ended.
func (p *policed) end(began time.Duration) {
	if !p.measured {
		return
	}
	p.ownItems.Add(1)
	p.ownTime.Add(int64(p.own))
	if waited := clock.Now() - began - p.own; waited > leastWait {
		p.waited += waited
	}
}

// enter and leave are called around an attempt for a number of items. cost is relative to
// an ordinary attempt.
func (w *worker) enter(items int, cost float64) (now time.Duration) {
	w.passed()
	p := &w.policed
	if !p.measured {
		return 0
	}
	w.call.settle() // waits for policies before this attempt are not its time
	now = clock.Now()
	p.entered.Store(int64(now))
	p.inside.Store(true)
	w.enterAttempt(now, items, cost)
	return now
}

func (w *worker) leave(entered time.Duration, items int, err error) {
	switch {
	case err == nil:
		w.called += items
	case !w.cutOff(err):
		w.tally.ended(items, err)
	}
	if w.attempts > 1 {
		w.tally.retried(items)
	}
	p := &w.policed
	if !p.measured {
		return
	}
	held := w.call.settle()
	now := clock.Now()
	p.inside.Store(false)
	p.own += now - entered - held
	if w.tracker == nil {
		w.tally.record(now-entered-held, items)
		w.timed = true
	}
	w.heldBack += held
	w.leaveAttempt(now, items, err)
}
