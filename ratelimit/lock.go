package ratelimit

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// lock takes the lock, and serves all due calls. Every change to the limiter begins with it
// and ends with unlock.
func (l *Limiter) lock() (*bucket, time.Duration) {
	b, now := l.hold()
	if l.line != nil && l.line.head != nil {
		l.catchUp(b, now)
	}
	return b, now
}

// lockForOne is lock for a call that wants tokens itself. It may leave serving others to
// the timer, since it queues behind them.
func (l *Limiter) lockForOne() (*bucket, time.Duration) {
	b, now := l.hold()
	if l.waiting() && !l.line.left(now) {
		l.catchUp(b, now)
	}
	return b, now
}

// If tokens come faster than callers can be woken one by one, from 100 000 per second on,
// waiting calls are served in batches: by the timer alone, which is set to at least
// batchTime. Tokens that fell due until then are compensated as after a late wake-up, so
// most calls need not wait at all. In virtual time all wake-ups are free, and exact.
const (
	batchTime = 300 * time.Microsecond // less than the millisecond that timers oversleep anyway
	batchRate = 10 * time.Microsecond  // at most, between two tokens
	batchLate = 2 * time.Millisecond   // how late the timer may be before other calls serve
)

// left reports whether serving due calls is left to the timer.
func (q *line) left(now time.Duration) bool {
	return q.armed && q.batched && now < q.armedFor+batchLate
}

// hold takes the lock and moves the TAT under it, and reads the clock.
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

// catchUp serves all calls whose turn has come. If all are served, and more tokens were
// due, then the timer overslept.
func (l *Limiter) catchUp(b *bucket, now time.Duration) {
	last := l.line.lastActive()
	l.serve(b, now)
	if l.waiting() || last == nil || !last.timed() {
		return
	}
	// Since the last call waited, the bucket could fill for at most the credit, and only
	// after the end of a pause: see next.
	if late := b.instant(now).minus(l.tat); !late.isZero() {
		b.grace.Store(int64(now - b.epoch + b.nanos(late)))
	}
}

// unlock sets the timer for the first in line, or makes the TAT available to calls without
// the lock.
func (l *Limiter) unlock(b *bucket, now time.Duration) {
	var ended []*waiter
	if q := l.line; q != nil {
		ended, q.ended = q.ended, nil
		if q.head != nil {
			l.arm(b, now)
		} else if now >= max(q.resume, q.returned) && q.costs == nil {
			l.line = nil // its timer, which nothing uses any more, goes with it
		}
	}
	l.release(b, now)
	l.mu.Unlock()
	tell(ended)
}

// release stores the TAT in the word, if it can be used without the lock.
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
