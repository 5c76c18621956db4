// Package flight keeps account of the calls in flight that wait for something, and of the
// limit on them, for one run or for all runs that share it.
//
// A [Tracker] is told of every attempt, passes it on to a law (internal/adaptive), and
// answers with a limit. It never holds an attempt back: a run keeps to the limit by the
// number of its workers, and several runs together by taking [Turns].
package flight

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/internal/answer"
)

// Tracker says how many calls that wait may be in flight. The zero value is ready to be
// opened. It is safe for concurrent use.
type Tracker struct {
	Turns     Turns        // of runs that share the limit
	inFlight  atomic.Int64 // attempts under way
	limit     atomic.Int64 // in force, 0 before it is open
	epoch     atomic.Int64 // changes of the limit
	base      atomic.Int64 // nanoseconds of an unloaded call, 0 if unknown
	exploring atomic.Bool  // the limit has only grown so far
	due       atomic.Bool  // there is enough for a review
	crowd     atomic.Int64 // runs that share the limit

	// mu is never held while user code runs or anything waits.
	mu       sync.Mutex
	law      law                // nil before it is open
	attempts []*Attempt         // that are watched
	runs     []Run              // that share the limit
	listed   []adaptive.Attempt // reused by list
}

// law is what a tracker asks: an [adaptive.Law] of a run, whose first call is alone, and
// which may begin with more calls in flight than it allows.
type law interface {
	adaptive.Law
	Bounds() (floor, ceiling int)
	Alone(took time.Duration)
	Restart(now time.Duration)
}

// Open lets first calls at a time begin, from which the limit goes its own way, within the
// bounds of the runs that are enlisted. known is what one call takes alone as far as is known
// from so many calls; batches says that each is many items' worth. A tracker that is open
// stays as it is.
func (t *Tracker) Open(now time.Duration, first int, known time.Duration, calls int, batches bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.law == nil {
		floor, ceiling := t.bounds()
		t.law = adaptive.New(now, adaptive.Start{
			First: first, Floor: floor, Ceiling: ceiling, Batches: batches,
			More: true, Known: known, Calls: calls,
		})
	}
	t.rebound(now)
	t.publish()
}

// publish makes the limit known. mu is held.
func (t *Tracker) publish() {
	t.limit.Store(int64(t.law.Limit()))
	t.epoch.Store(t.law.Epoch())
	t.Turns.Allow(t.law.Limit())
	t.exploring.Store(t.law.State().Exploring)
}

// Limit returns how many attempts may be in flight in all runs, 0 before it is open.
func (t *Tracker) Limit() int { return int(t.limit.Load()) }

// InFlight returns how many attempts are.
func (t *Tracker) InFlight() int { return int(t.inFlight.Load()) }

// Base returns what an unloaded call takes, 0 if that is not known.
func (t *Tracker) Base() time.Duration { return time.Duration(t.base.Load()) }

// Exploring reports whether the limit has only grown so far.
func (t *Tracker) Exploring() bool { return t.exploring.Load() }

// Due reports whether there is enough for a review.
func (t *Tracker) Due() bool { return t.due.Load() }

// State returns how things stand; ok is false before it is open.
func (t *Tracker) State() (state adaptive.State, limit int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.law == nil {
		return adaptive.State{}, 0, false
	}
	return t.law.State(), t.law.Limit(), true
}

// Watch and Forget begin and end the part of a worker: only the attempts of those that are
// watched are looked at in a review.
func (t *Tracker) Watch(a *Attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.watched == 0 {
		t.attempts = append(t.attempts, a)
		a.watched = len(t.attempts)
	}
}

// Forget ends what Watch began, and an attempt that is under way.
func (t *Tracker) Forget(a *Attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.watched == 0 {
		return
	}
	t.Drop(a)
	last := len(t.attempts) - 1
	moved := t.attempts[last]
	t.attempts[a.watched-1], moved.watched = moved, a.watched
	t.attempts[last] = nil
	t.attempts, a.watched = t.attempts[:last], 0
}

// Enter notes that an attempt for so many items begins, which costs so many times as
// much as an ordinary one. One for no items is none: nothing would end it.
func (t *Tracker) Enter(a *Attempt, now time.Duration, items int, cost float64) {
	t.Drop(a) // a policy may have recovered a panic of the call
	if items > 0 {
		a.begin(now, items, cost, t.inFlight.Add(1), t.epoch.Load())
	}
}

// Drop notes that the attempt is over, for whatever reason, and tells nothing. It returns
// how many items it was for, 0 if there was none: it may have begun before the tracker was
// open.
func (t *Tracker) Drop(a *Attempt) (items int) {
	if items = int(a.items.Swap(0)); items > 0 {
		t.inFlight.Add(-1)
	}
	return items
}

// Pause notes that the attempt is held back, and returns what to go on with.
func (t *Tracker) Pause(a *Attempt, now time.Duration) Paused {
	items := t.Drop(a)
	if items == 0 {
		return Paused{}
	}
	before := a.load(items)
	return Paused{items: items, cost: before.Cost, had: now - before.Began}
}

// Resume notes that it goes on: like an attempt that begins, but for the time that it has
// had.
func (t *Tracker) Resume(a *Attempt, now time.Duration, paused Paused) {
	t.Enter(a, now-paused.had, paused.items, paused.cost)
}

// Leave notes that the attempt has ended with err, after so many items. It returns what it
// took; ok is false if that tells nothing of the service: it was not made, or lost.
func (t *Tracker) Leave(a *Attempt, now time.Duration, items int, err error) (took time.Duration, ok bool) {
	entered := t.Drop(a)
	if entered == 0 || items == 0 {
		return 0, false
	}
	if err != nil {
		if _, _, notMade := answer.NotMade(err); notMade {
			return 0, false
		}
	}
	c := a.load(items)
	if items < entered { // it ended before its time
		c.Cost *= float64(items) / float64(entered)
	}
	return now - c.Began, t.tell(now, c, err)
}

// tell tells the law of an attempt that has ended. It returns false if it was lost.
func (t *Tracker) tell(now time.Duration, c adaptive.Attempt, err error) bool {
	lost, throttled := answer.Lost(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil && !lost: // how long a failure takes says nothing about the others
	case !lost && t.crowd.Load() > 1 && t.Turns.Over(): // nor a call among more than the limit
	case lost:
		t.law.Lose(now, c, throttled)
	case t.law.Done(now, c):
		t.due.Store(true)
	}
	if t.law.Epoch() != t.epoch.Load() {
		t.publish()
		t.due.Store(true) // runs must hear of it at once
	}
	return !lost
}

// Alone takes what the first call took, that nothing else was in flight with.
func (t *Tracker) Alone(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.law != nil && len(t.runs) < 2 {
		t.law.Alone(took)
	}
}
