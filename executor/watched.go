package executor

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/flight"
)

// watched tells the tracker of a worker's attempts, once calls are known to be I/O-bound.
// Before watch it does nothing.
type watched struct {
	tally    *tally // nil if nobody asks for it
	tracker  *flight.Tracker
	run      context.Context
	attempt  flight.Attempt
	watching atomic.Bool // tracker is set
	early    atomic.Bool // the call that was running when watching was first requested was not told
}

// watch starts telling the tracker of attempts.
func (t *watched) watch(tracker *flight.Tracker, run context.Context) {
	t.tracker, t.run = tracker, run
	tracker.Watch(&t.attempt)
	t.watching.Store(true)
}

// enterAttempt tells that an attempt for a number of items begins. cost is relative to an
// ordinary attempt.
func (t *watched) enterAttempt(now time.Duration, items int, cost float64) {
	if t.tracker != nil {
		t.tracker.Enter(&t.attempt, now, items, cost)
	}
}

// leaveAttempt tells that the attempt has ended with err, after a number of items. Once
// the run has ended, err only says that.
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

// dropAttempt ends an attempt that has not ended, for example because the call panicked.
func (t *watched) dropAttempt() {
	if t.tracker != nil {
		t.tracker.Drop(&t.attempt)
	}
}

// forget ends watching.
func (t *watched) forget() {
	if t.tracker != nil {
		t.tracker.Forget(&t.attempt)
		t.tracker = nil // if the worker comes back, it is watched again
		t.watching.Store(false)
	}
}
