package ratelimit

import (
	"math"
	"time"
)

// line is where calls wait their turn: first come, first served.
//
// The turn of each follows from the TAT and what those ahead want, so nothing
// has to be kept up to date when one of them leaves or the rate changes. One timer
// runs for the first of them; when it fires, all are served who are due, as they are
// by other calls that come.
//
// A timer of a computer oversleeps, by a millisecond or so. That loses nothing
// for those in line: they are served by the instants at which they were due. But
// if all were served and more was due (one goroutine in a loop at 1000 per
// second is never there when its next token comes), then the rate would be
// missed. So what falls due while a timer oversleeps may be had for as long again
// although the bucket could not hold it. That has a bound, [bucket.credit], for those in
// line as well: after a longer stall they are not all served at once.
//
// A call that is under several limits has a place in the line of each. It is passed over
// there until its turn has come in all of them: see [joint].
type line struct {
	head, tail *waiter
	active     int           // those in line who are not passed over
	timed      int           // those in line for whom somebody waits
	owed       uint128       // amounts that they want, in all
	kept       uint128       // amounts that those want who are passed over
	ended      []*waiter     // those to be told
	timer      *time.Timer   // nil before somebody waits
	armed      bool          // it is running
	armedFor   time.Duration // when it fires, which may be before anybody is due
	batched    bool          // it serves several at once
	resume     time.Duration // the end of a pause: no token before
	costs      *slacks       // of calls whose cost is not known yet; nil if there never were any
	returned   time.Duration // until when no more returned tokens are worth anything, less a bucket
}

// waiter is a place in line, of a call that waits or of a [Reservation].
type waiter struct {
	next, prev *waiter
	amount     uint128
	deadline   time.Duration // instant of the clock, or 0
	joint      *joint        // the call under several limits that it is of, or nil
	passive    bool          // passed over, but keeps its place
	told       bool          // the joint knows that it is its turn
	inLine     bool
	granted    bool
	from       *bucket          // what it was granted of
	mark       uint64           // of the slacks, then
	due        time.Duration    // when it was
	err        error            // why it was not
	done       chan error       // what came of it, once; nil for a reservation
	tick       <-chan time.Time // of the line's timer
}

// ticks returns the channel of the timer, which all who wait look at.
func (q *line) ticks() <-chan time.Time {
	if q.timer == nil {
		q.timer = time.NewTimer(math.MaxInt64)
		q.timer.Stop() // it is set when somebody is first in line
	}
	return q.timer.C
}

func newLine() *line { return &line{resume: never, returned: never} }

func newWaiter(amount uint128) *waiter {
	return &waiter{amount: amount, done: make(chan error, 1)}
}

// timed reports whether somebody waits for w, as nobody does for a reservation.
func (w *waiter) timed() bool { return w.done != nil || w.joint != nil }

// first reports whether nobody ahead of w is to be served before it.
func (w *waiter) first() bool {
	for ahead := w.prev; ahead != nil; ahead = ahead.prev {
		if !ahead.passive {
			return false
		}
	}
	return true
}

// firstActive returns the first who is not passed over, or nil.
func (q *line) firstActive() *waiter {
	w := q.head
	for w != nil && w.passive {
		w = w.next
	}
	return w
}

// lastActive returns the last who is not passed over, or nil.
func (q *line) lastActive() *waiter {
	w := q.tail
	for w != nil && w.passive {
		w = w.prev
	}
	return w
}

// setPassive has w be passed over, or no longer.
func (q *line) setPassive(w *waiter, passive bool) {
	if w.passive == passive {
		return
	}
	q.discount(w)
	w.passive, w.told = passive, false
	q.count(w)
}

func (q *line) push(w *waiter) {
	w.prev, w.inLine = q.tail, true
	if q.tail != nil {
		q.tail.next = w
	} else {
		q.head = w
	}
	q.tail = w
	q.count(w)
}

func (q *line) count(w *waiter) {
	if w.timed() {
		q.timed++
	}
	if w.passive {
		q.kept = q.kept.plus(w.amount)
	} else {
		q.active, q.owed = q.active+1, q.owed.plus(w.amount)
	}
}

func (q *line) discount(w *waiter) {
	if w.timed() {
		q.timed--
	}
	if w.passive {
		q.kept = q.kept.minus(w.amount)
	} else {
		q.active, q.owed = q.active-1, q.owed.minus(w.amount)
	}
}

func (q *line) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.tail = w.prev
	}
	q.discount(w)
	w.next, w.prev, w.inLine = nil, nil, false
}

// end takes w out of the line, with what it wants. It is told when the lock is free again: who wakes up
// before would only wait for that.
func (q *line) end(w *waiter, b *bucket) {
	q.remove(w)
	w.granted, w.from, w.mark = true, b, q.costs.mark()
	if w.done != nil {
		q.ended = append(q.ended, w)
	}
}

// tell lets those know whose wait has ended, in their order.
func tell(ended []*waiter) {
	for _, w := range ended {
		w.done <- w.err // never blocks: there is room for the one that comes
	}
}
