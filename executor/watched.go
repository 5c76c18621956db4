package executor

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/flight"
)

// watched is what a worker tells of its attempts, once calls are known to wait. Before
// watch it tells nothing.
type watched struct {
	tally    *tally // nil if nobody asks for it
	tracker  *flight.Tracker
	run      context.Context
	attempt  flight.Attempt
	watching atomic.Bool // tracker is set
	early    atomic.Bool // the call under way when that was first wanted was not told
}

// watch has the attempts from here on be told.
func (t *watched) watch(tracker *flight.Tracker, run context.Context) {
	t.tracker, t.run = tracker, run
	tracker.Watch(&t.attempt)
	t.watching.Store(true)
}

// enterAttempt tells that an attempt for so many items begins, which costs so many times
// as much as an ordinary one.
func (t *watched) enterAttempt(now time.Duration, items int, cost float64) {
	if t.tracker != nil {
		t.tracker.Enter(&t.attempt, now, items, cost)
	}
}

// leaveAttempt tells that it has ended with err, after so many items. If the run is over,
// that is all that err says.
func (t *watched) leaveAttempt(now time.Duration, items int, err error) {
	switch {
	case t.tracker == nil:
	case err != nil && isContextError(t.run, err):
		t.tracker.Drop(&t.attempt)
	default:
		if took, ok := t.tracker.Leave(&t.attempt, now, items, err); ok {
			t.tally.record(took, items)
		}
	}
}

// dropAttempt ends an attempt that is under way still, as when the call panicked.
func (t *watched) dropAttempt() {
	if t.tracker != nil {
		t.tracker.Drop(&t.attempt)
	}
}

// forget ends watching.
func (t *watched) forget() {
	if t.tracker != nil {
		t.tracker.Forget(&t.attempt)
		t.tracker = nil // if it comes back, it is watched again
		t.watching.Store(false)
	}
}
