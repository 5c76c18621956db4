package ratelimit

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// lock takes the lock, and serves all who are due. Every change to the limiter
// begins with it and ends with unlock.
func (l *Limiter) lock() (*bucket, time.Duration) {
	b, now := l.hold()
	if l.line != nil && l.line.head != nil {
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
	batchTime = 300 * time.Microsecond // less than the millisecond that timers oversleep anyway
	batchRate = 10 * time.Microsecond  // between two tokens, at the most
	batchLate = 2 * time.Millisecond   // how late the timer may be before others serve
)

// left reports whether it is left to the timer to serve those who are due.
func (q *line) left(now time.Duration) bool {
	return q.armed && q.batched && now < q.armedFor+batchLate
}

// hold takes the lock and the TAT with it, and reads the clock.
func (l *Limiter) hold() (*bucket, time.Duration) {
	l.mu.Lock()
	b := l.bucket.Load()
	if word := b.word.Swap(held); word >= 0 {
		l.tat = load(word)
	}
	now := clock.Now()
	l.noteSlack(b, now)
	if now < b.epoch && (l.line == nil || l.line.head == nil) {
		b = l.rebase(b, now)
	}
	return b, now
}

// catchUp serves all whose turn came as time passed. If all are served, and more
// was due, then the timer overslept.
func (l *Limiter) catchUp(b *bucket, now time.Duration) {
	last := l.line.lastActive()
	l.serve(b, now)
	if l.waiting() || last == nil || !last.timed() {
		return
	}
	// Since the last one waited, the bucket was left to fill for no longer than the credit,
	// and not before the end of a pause: see next.
	if late := b.instant(now).minus(l.tat); !late.isZero() {
		b.grace.Store(int64(now - b.epoch + b.nanos(late)))
	}
}

// unlock has the timer run for the first in line, or gives the TAT back to those
// who need no lock.
func (l *Limiter) unlock(b *bucket, now time.Duration) {
	var ended []*waiter
	if q := l.line; q != nil {
		ended, q.ended = q.ended, nil
		if q.head != nil {
			l.arm(b, now)
		} else if now >= max(q.resume, q.returned) && q.costs == nil {
			l.line = nil // its timer, at which nobody looks any more, goes with it
		}
	}
	l.release(b, now)
	l.mu.Unlock()
	tell(ended)
}

// release stores the TAT in the word, if it can be had without the lock.
func (l *Limiter) release(b *bucket, now time.Duration) {
	if l.line != nil || b.depth == 0 {
		return
	}
	if uint64(now-b.epoch) >= b.horizon {
		b = l.rebase(b, now)
	}
	word, ok := store(l.tat)
	if at := b.instant(now); !ok && l.tat.less(at) { // a full bucket, by a fraction of a tick
		word, ok = store(at)
	}
	if ok {
		b.word.Store(word)
	}
}
