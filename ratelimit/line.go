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
// missed. So what falls due while a timer oversleeps, and for as long again, may be
// had until then although the bucket could not hold it.
type line struct {
	head, tail *waiter
	owed       uint128       // amounts that those in line want, in all
	ended      []*waiter     // those to be told
	timer      *time.Timer   // nil before somebody waits
	armed      bool          // it is running
	armedFor   time.Duration // when it fires, which may be before anybody is due
	batched    bool          // it serves several at once
	resume     time.Duration // the end of a pause: no token before
}

// waiter is a place in line, of a call that waits or of a [Reservation].
type waiter struct {
	next, prev *waiter
	amount     uint128
	deadline   time.Duration // instant of the clock, or 0
	inLine     bool
	granted    bool
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

func newLine() *line { return &line{resume: never} }

func newWaiter(amount uint128) *waiter {
	return &waiter{amount: amount, done: make(chan error, 1)}
}

func (q *line) push(w *waiter) {
	w.prev, w.inLine = q.tail, true
	if q.tail != nil {
		q.tail.next = w
	} else {
		q.head = w
	}
	q.tail = w
	q.owed = q.owed.plus(w.amount)
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
	q.owed = q.owed.minus(w.amount)
	w.next, w.prev, w.inLine = nil, nil, false
}

// end takes w out of the line. It is told when the lock is free again: who wakes up
// before would only wait for that.
func (q *line) end(w *waiter, err error) {
	q.remove(w)
	w.granted, w.err = err == nil, err
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
