package ratelimit

import (
	"math"
	"time"
)

// line is where calls wait for their turn: first come, first served.
//
// The turn of each call follows from the TAT and the amounts of the calls ahead, so nothing needs an
// update when one of them leaves or the rate changes. One timer runs for the first call. When it fires,
// all due calls are served; arriving calls do that, too.
//
// A timer oversleeps by a millisecond or so. Calls in line lose nothing by that: they are served by the
// instants at which they were due. But if all were served and more tokens fell due (one goroutine in a
// loop at 1000 per second is never waiting when its next token comes), the rate would not be reached.
// So tokens that fall due while a timer oversleeps may be taken later, although the bucket could not
// hold them. This is bounded by [bucket.credit], for calls in line as well: after a longer stall they
// are not all served at once.
//
// A call that is under several limits has a place in the line of each. Other calls pass it until its
// turn has come in all of them: see [joint].
type line struct {
	head, tail *waiter
	active     int           // places that are not passed over
	timed      int           // places with a waiting goroutine
	owed       uint128       // sum of the active amounts
	kept       uint128       // sum of the amounts that are passed over
	ended      []*waiter     // to be notified
	timer      *time.Timer   // nil before the first wait
	armed      bool          // it is running
	armedFor   time.Duration // when it fires, which may be before any call is due
	batched    bool          // it serves several at once
	resume     time.Duration // the end of a pause: no token before
	costs      *slacks       // of calls whose cost is not known yet; nil if there never were any
	returned   time.Duration // until when further returned tokens are worth nothing, minus a bucket
}

// waiter is a place in line, of a call that waits or of a [Reservation].
type waiter struct {
	next, prev *waiter
	amount     uint128
	deadline   time.Duration // instant of the clock, or 0
	joint      *joint        // its call under several limits, or nil
	passive    bool          // passed over, but keeps its place
	told       bool          // the joint was notified of its turn
	inLine     bool
	granted    bool
	from       *bucket          // the bucket that granted it
	mark       uint64           // of the slacks at that time
	due        time.Duration    // when it was due
	err        error            // why it was not granted
	done       chan error       // receives the result, once; nil for a reservation
	tick       <-chan time.Time // of the line's timer
}

// ticks returns the channel of the timer, which all waiting calls receive from.
func (q *line) ticks() <-chan time.Time {
	if q.timer == nil {
		q.timer = time.NewTimer(math.MaxInt64)
		q.timer.Stop() // it is set when there is a first in line
	}
	return q.timer.C
}

func newLine() *line { return &line{resume: never, returned: never} }

func newWaiter(amount uint128) *waiter {
	return &waiter{amount: amount, done: make(chan error, 1)}
}

// timed reports whether a goroutine waits for w; for a reservation none does.
func (w *waiter) timed() bool { return w.done != nil || w.joint != nil }

// first reports whether no place ahead of w must be served before it.
func (w *waiter) first() bool {
	for ahead := w.prev; ahead != nil; ahead = ahead.prev {
		if !ahead.passive {
			return false
		}
	}
	return true
}

// firstActive returns the first place that is not passed over, or nil.
func (q *line) firstActive() *waiter {
	w := q.head
	for w != nil && w.passive {
		w = w.next
	}
	return w
}

// lastActive returns the last place that is not passed over, or nil.
func (q *line) lastActive() *waiter {
	w := q.tail
	for w != nil && w.passive {
		w = w.prev
	}
	return w
}

// setPassive sets whether w is passed over.
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

// end takes w out of the line, with its amount. w is notified when the lock is free again: if it woke
// up earlier, it would only wait for the lock.
func (q *line) end(w *waiter, b *bucket) {
	q.remove(w)
	w.granted, w.from, w.mark = true, b, q.costs.mark()
	if w.done != nil {
		q.ended = append(q.ended, w)
	}
}

// tell notifies the places whose wait has ended, in their order.
func tell(ended []*waiter) {
	for _, w := range ended {
		w.done <- w.err // never blocks: there is room for the only value
	}
}
