package ratelimit

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
)

// maxCredit bounds what a wake-up that came late is made good for.
const maxCredit = 20 * time.Millisecond

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
	timer      *time.Timer   // nil before it is needed
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
	done       chan error // what came of it, once; nil for a reservation
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

// end lets w know what came of its wait.
func (w *waiter) end(err error) {
	w.granted = err == nil
	if w.done != nil {
		w.done <- err // never blocks: there is room for the one that comes
	}
}

// lock takes the lock, and serves all who are due. Every change to the limiter
// begins with it and ends with unlock.
func (l *Limiter) lock() (*bucket, time.Duration) {
	b, now := l.hold()
	if l.waiting() {
		l.catchUp(b, now)
	}
	return b, now
}

// lockForOne is lock for a call that wants tokens itself, which may leave it to the
// timer to serve others: it goes behind them.
func (l *Limiter) lockForOne() (*bucket, time.Duration) {
	b, now := l.hold()
	if l.waiting() && !l.line.left(now) {
		l.catchUp(b, now)
	}
	return b, now
}

// Where tokens come faster than callers can be woken one by one, from 100 000 per
// second on, those who wait are served together: by the timer alone, which is set to
// no less than batchTime. What else fell due until then is made good for as after a
// late wake-up, so most calls need not wait at all. In virtual time all wake-ups are
// free, and exact.
const (
	batchTime   = 300 * time.Microsecond // less than the millisecond that timers oversleep anyway
	batchRate   = 10 * time.Microsecond  // between two tokens, at the most
	batchMostly = 2 * time.Millisecond   // how late the timer may be before others serve
)

// left reports whether it is left to the timer to serve those who are due.
func (q *line) left(now time.Duration) bool {
	return q.armed && q.batched && now < q.armedFor+batchMostly
}

// hold takes the lock and the TAT with it, and reads the clock.
func (l *Limiter) hold() (*bucket, time.Duration) {
	l.mu.Lock()
	b := l.bucket.Load()
	if word := b.word.Swap(held); word >= 0 {
		l.tat = load(word)
	}
	now := clock.Now()
	if now < b.epoch && !l.waiting() {
		b = l.rebase(b, now)
	}
	return b, now
}

// catchUp serves all whose turn came as time passed. If all are served, and more
// was due, then the timer overslept.
func (l *Limiter) catchUp(b *bucket, now time.Duration) {
	timed := l.line.tail.done != nil
	l.serve(b, now)
	if l.waiting() || !timed {
		return
	}
	// The bucket was full at the end of a pause at the most, and is not left to fill
	// for longer than maxCredit.
	l.tat = later(l.tat, b.instant(max(l.resume(), now-maxCredit)))
	if late := b.instant(now).minus(l.tat); !late.isZero() {
		b.grace.Store(int64(now - b.epoch + b.nanos(late)))
	}
}

// unlock has the timer run for the first in line, or gives the TAT back to those
// who need no lock.
func (l *Limiter) unlock(b *bucket, now time.Duration) {
	if q := l.line; q != nil {
		if q.head != nil {
			l.arm(b, now)
		} else if now >= q.resume {
			if q.armed {
				q.timer.Stop()
			}
			l.line = nil
		}
	}
	l.release(b, now)
	l.mu.Unlock()
}

// release stores the TAT in the word, if it can be had without the lock.
func (l *Limiter) release(b *bucket, now time.Duration) {
	if l.line != nil || b.depth == 0 {
		return
	}
	if uint64(now-b.epoch) >= b.horizon {
		b = l.rebase(b, now)
	}
	word, ok := b.store(l.tat)
	if at := b.instant(now); !ok && l.tat.less(at) { // a full bucket, by a fraction of a tick
		word, ok = b.store(at)
	}
	if ok {
		b.word.Store(word)
	}
}

func (l *Limiter) waiting() bool { return l.line != nil && l.line.head != nil }

// resume returns the end of a pause.
func (l *Limiter) resume() time.Duration {
	if l.line == nil {
		return never
	}
	return l.line.resume
}

// floor is the TAT of a full bucket: now, unless a late wake-up is made good for.
func (l *Limiter) floor(b *bucket, now time.Duration) uint128 {
	if int64(now-b.epoch) <= b.grace.Load() {
		return uint128{}
	}
	return b.instant(now)
}

// admit takes tokens that are there and that nobody waits for.
func (l *Limiter) admit(b *bucket, now time.Duration, amount uint128) bool {
	if l.waiting() || now < l.resume() {
		return false
	}
	tat := later(l.tat, l.floor(b, now)).plus(amount.times(b.token))
	if b.instant(now).plus(b.full()).less(tat) {
		return false
	}
	l.tat = tat
	return true
}

// delay returns how long it is until the first of those in line could have
// amount, if all of that were for them.
func (l *Limiter) delay(b *bucket, now time.Duration, amount uint128) time.Duration {
	tat := l.tat
	if !l.waiting() {
		tat = later(tat, l.floor(b, now))
	}
	there := b.instant(now).plus(b.full())
	return max(b.nanos(tat.plus(amount.times(b.token)).minus(there)), l.resume()-now, 0)
}

// wait returns how long one who wants amount would wait at the end of the line.
func (l *Limiter) wait(b *bucket, now time.Duration, amount uint128) time.Duration {
	if q := l.line; q != nil {
		amount = amount.plus(q.owed)
	}
	return l.delay(b, now, amount)
}

// enter puts w at the end of the line. From here on the bucket holds more than
// its burst, if the first in line wants more: what is there is for them only.
func (l *Limiter) enter(b *bucket, now time.Duration, w *waiter) {
	if l.line == nil {
		l.line = newLine()
	}
	if l.line.head == nil {
		l.tat = later(l.tat, l.floor(b, now))
	}
	l.line.push(w)
}

// serve gives all who are due what they want.
func (l *Limiter) serve(b *bucket, now time.Duration) {
	if !l.waiting() || now < l.resume() {
		return
	}
	q, there := l.line, b.instant(now).plus(b.full())
	for w := q.head; w != nil; w = q.head {
		tat := l.tat.plus(w.amount.times(b.token))
		if there.less(tat) {
			return
		}
		l.tat = tat
		q.remove(w)
		w.end(nil)
	}
}

// drop takes w out of the line; those behind move up.
func (l *Limiter) drop(b *bucket, now time.Duration, w *waiter) {
	first := l.line.head == w
	l.line.remove(w)
	if first { // what came beyond a full bucket was for w only
		l.tat = later(l.tat, b.instant(now))
	}
}

// replan is called when the turns have changed.
func (l *Limiter) replan(b *bucket, now time.Duration) {
	l.serve(b, now)
	if !l.waiting() {
		return
	}
	var ahead uint128
	for w := l.line.head; w != nil; {
		next, turn := w.next, l.delay(b, now, ahead.plus(w.amount))
		if left := w.deadline - now; w.deadline != 0 && turn > left {
			l.drop(b, now, w)
			w.end(&DeadlineError{Wait: turn, Left: left})
		} else {
			ahead = ahead.plus(w.amount)
		}
		w = next
	}
	l.serve(b, now)
}

// arm has the timer fire at the turn of the first in line who waits. Reservations
// ahead of them are served by the same wake-up. A timer that fires earlier is left
// alone, and set anew when it has: at high rates, that saves setting it every time.
func (l *Limiter) arm(b *bucket, now time.Duration) {
	q := l.line
	var want uint128
	for w := q.head; w != nil; w = w.next {
		want = want.plus(w.amount)
		if w.done == nil {
			continue
		}
		turn := l.delay(b, now, want)
		if q.batched = b.token <= uint64(batchRate)*b.ticks && !clock.Virtual(now); q.batched {
			turn = max(turn, batchTime)
		}
		if at := now + turn; !q.armed || at < q.armedFor {
			q.armed, q.armedFor = true, at
			if q.timer == nil {
				q.timer = time.AfterFunc(turn, func() { l.wake(q) })
			} else {
				q.timer.Reset(turn)
			}
		}
		return
	}
}

// wake is what the timer of q does.
func (l *Limiter) wake(q *line) {
	b, now := l.lock()
	q.armed = false
	l.unlock(b, now)
}

// await blocks until w is served, its wait is in vain, or ctx ends.
func (l *Limiter) await(ctx context.Context, w *waiter, since time.Duration) (err error) {
	if l.onWait != nil {
		defer func() { callback.Run(func() { l.onWait(clock.Now() - since) }) }()
	}
	select {
	case err := <-w.done:
		if err == nil && ctx.Err() != nil {
			l.leave(w)
			return canceled(ctx)
		}
		return err
	case <-ctx.Done():
		l.leave(w)
		return canceled(ctx)
	}
}

// leave gives up the place of w, or what it got at the same moment.
func (l *Limiter) leave(w *waiter) {
	b, now := l.lock()
	defer l.unlock(b, now)
	switch {
	case w.granted:
		w.granted = false
		l.refund(b, now, w.amount)
	case w.inLine:
		l.drop(b, now, w)
		l.serve(b, now)
	}
}

// refund gives tokens back.
func (l *Limiter) refund(b *bucket, now time.Duration, amount uint128) {
	l.tat = l.tat.minus(amount.times(b.token))
	l.serve(b, now)
	b.grace.Store(-1) // or the bucket would hold all that
}
