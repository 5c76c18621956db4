package ratelimit

import (
	"context"
	"math"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// waiting reports whether a call in line must be served before a new one.
func (l *Limiter) waiting() bool { return l.line != nil && l.line.active > 0 }

// resume returns the end of a pause.
func (l *Limiter) resume() time.Duration {
	if l.line == nil {
		return never
	}
	return l.line.resume
}

// floor is the TAT of a full bucket: now, unless a late wake-up is compensated.
func (l *Limiter) floor(b *bucket, now time.Duration) uint128 {
	if int64(now-b.epoch) <= b.grace.Load() {
		now -= b.credit()
	}
	return b.instant(now)
}

// admit takes tokens that are available and that no call waits for.
func (l *Limiter) admit(b *bucket, now time.Duration, amount uint128) bool {
	if !l.admits(b, now, amount) {
		return false
	}
	l.tat = later(l.tat, l.floor(b, now)).plus(amount.times(b.token))
	return true
}

// admits reports whether there are tokens that no call waits for.
func (l *Limiter) admits(b *bucket, now time.Duration, amount uint128) bool {
	return !l.waiting() && l.delay(b, now, amount) == 0
}

// delay returns how long it is until the first in line could have amount.
func (l *Limiter) delay(b *bucket, now time.Duration, amount uint128) time.Duration {
	tat := l.tat
	if !l.waiting() {
		tat = later(tat, l.floor(b, now))
	}
	there := b.instant(now).plus(b.full())
	return max(b.nanos(tat.plus(amount.times(b.token)).minus(there)), l.resume()-now, 0)
}

// wait returns how long a call for amount would wait at the end of the line.
func (l *Limiter) wait(b *bucket, now time.Duration, amount uint128) time.Duration {
	if q := l.line; q != nil {
		amount = amount.plus(q.owed)
	}
	return l.delay(b, now, amount)
}

// enter puts w at the end of the line. While the line is not empty, the TAT is not moved
// up to now: so a call that wants more than a burst gets the tokens above a full bucket,
// and no other call can take them.
func (l *Limiter) enter(b *bucket, now time.Duration, w *waiter) {
	if l.line == nil {
		l.line = newLine()
	}
	if !l.waiting() {
		l.tat = later(l.tat, l.floor(b, now))
	}
	if w.timed() {
		w.tick = l.line.ticks()
	}
	l.line.push(w)
}

// serve grants all due calls their amounts, and notifies due calls under several limits.
func (l *Limiter) serve(b *bucket, now time.Duration) {
	if l.line == nil {
		return
	}
	q, there := l.line, b.instant(now).plus(b.full())
	for w := q.head; w != nil; {
		next := w.next
		switch tat := l.next(b, now, w); {
		case w.passive:
			if !w.told && l.debt(b, now, w.amount) == 0 {
				w.tell()
			}
		case now < q.resume || there.less(tat):
			return
		case w.joint != nil: // it takes its tokens of all limits at once
			w.tell()
			return
		default:
			w.due = max(q.resume, now-b.whole(there.minus(tat)))
			l.tat = tat
			q.end(w, b)
		}
		w = next
	}
}

// next returns the TAT after w has been served. If its wake-up was later than the credit,
// the time before that is lost. A reservation needs no wake-up.
func (l *Limiter) next(b *bucket, now time.Duration, w *waiter) uint128 {
	tat, cost := l.tat, w.amount.times(b.token)
	if w.timed() {
		tat = later(tat, b.fullFor(cost, now-b.credit()))
	}
	return tat.plus(cost)
}

// drop takes w out of the line; those behind move up.
func (l *Limiter) drop(b *bucket, now time.Duration, w *waiter) {
	first := !w.passive && w.first()
	l.line.remove(w)
	if first {
		l.clip(b, now)
	}
}

// clip drops tokens above a full bucket, since those were for one call only.
func (l *Limiter) clip(b *bucket, now time.Duration) {
	l.tat = later(l.tat, b.instant(max(now, l.resume())))
}

// replan is called when the bucket has changed.
func (l *Limiter) replan(b *bucket, now time.Duration) {
	l.reschedule(b, now)
	if l.line == nil {
		return
	}
	for w := l.line.head; w != nil; w = w.next {
		if w.joint != nil { // it must check again, even if it was notified
			w.joint.poke()
		}
	}
}

// reschedule is called when the turns have changed.
func (l *Limiter) reschedule(b *bucket, now time.Duration) {
	l.serve(b, now)
	if l.line == nil {
		return
	}
	var ahead uint128
	for w := l.line.head; w != nil; {
		next, turn := w.next, l.delay(b, now, ahead.plus(w.amount))
		if left := w.deadline - now; w.deadline != 0 && turn > left {
			l.drop(b, now, w)
			w.err = &DeadlineError{Wait: turn, Left: left}
			if w.joint != nil {
				w.joint.poke()
			} else {
				l.line.ended = append(l.line.ended, w)
			}
		} else if !w.passive {
			ahead = ahead.plus(w.amount)
		}
		w = next
	}
	l.serve(b, now)
}

// arm sets the timer for the turn of the first waiting call in line. Reservations ahead
// of it are served by the same wake-up. A timer that fires earlier is left alone, and set
// again when it has fired: at high rates, that saves setting it every time. It takes time
// in proportion to the reservations ahead of that call.
func (l *Limiter) arm(b *bucket, now time.Duration) {
	q := l.line
	if q.timed == 0 { // a reservation needs no wake-up
		return
	}
	var want uint128
	for w := q.head; w != nil; w = w.next {
		turn, ok := l.turn(b, now, w, &want)
		if !ok {
			continue
		}
		if w.joint != nil && !w.passive && turn == 0 {
			return // it was notified, and the calls behind it wait until it has taken all its tokens
		}
		if q.batched = b.token <= uint64(batchRate)*b.ticks && !clock.Virtual(now); q.batched {
			turn = max(turn, batchTime)
		}
		at := now + turn
		if at < now { // beyond the end of time
			at = math.MaxInt64
		}
		if !q.armed || at < q.armedFor {
			q.armed, q.armedFor = true, at
			q.timer.Reset(turn)
		}
		return
	}
}

// turn returns when the line must be checked because of w, which is behind places that
// want ahead in total; false for never.
func (l *Limiter) turn(b *bucket, now time.Duration, w *waiter, ahead *uint128) (time.Duration, bool) {
	switch {
	case !w.passive:
		*ahead = ahead.plus(w.amount)
		if !w.timed() {
			return 0, false
		}
		return l.delay(b, now, *ahead), true
	case !ahead.isZero():
		return l.delay(b, now, *ahead), true // when w becomes the first
	}
	debt := l.debt(b, now, w.amount)
	return debt, debt > 0 && !w.told
}

// debt returns how long it is until the bucket can begin to fill for the head of the
// line: while there is a pause, or the bucket is in debt.
func (l *Limiter) debt(b *bucket, now time.Duration, amount uint128) time.Duration {
	if now < l.resume() {
		return l.resume() - now
	}
	return max(0, l.delay(b, now, amount)-b.nanos(amount.times(b.token)))
}

// wake is called by the call that receives the timer's tick: one of those in line, mostly
// the first, which has been receiving longest. So a token costs one wake-up.
func (l *Limiter) wake() {
	b, now := l.lock()
	if l.line != nil {
		l.line.armed = false
	}
	l.unlock(b, now)
}

// await blocks until w is served, can't be served any more, or ctx ends.
func (l *Limiter) await(ctx context.Context, w *waiter, since time.Duration) (err error) {
	defer waiting.Begin(ctx, l.inLine()).End()
	defer l.waited(since)
	for {
		select {
		case err := <-w.done:
			if err == nil && ctx.Err() != nil {
				l.leave(w)
				return canceled(ctx)
			}
			return err
		case <-w.tick:
			l.wake()
		case <-ctx.Done():
			l.leave(w)
			return canceled(ctx)
		}
	}
}

// leave gives up the place of w, or returns what it got at the same moment.
func (l *Limiter) leave(w *waiter) {
	b, now := l.lock()
	defer l.unlock(b, now)
	l.giveUp(b, now, w)
}

func (l *Limiter) giveUp(b *bucket, now time.Duration, w *waiter) {
	switch {
	case w.granted:
		w.granted = false
		l.refund(b, now, b.worth(w.amount, now-w.due))
	case w.inLine:
		l.drop(b, now, w)
		l.serve(b, now)
	}
}
