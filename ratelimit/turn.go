package ratelimit

import (
	"context"
	"math"
	"time"

	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
)

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

// enter puts w at the end of the line. As long as somebody is in it, the TAT is not
// moved up to now: who wants more than a burst gets what comes beyond a full bucket,
// and nobody else can take it.
func (l *Limiter) enter(b *bucket, now time.Duration, w *waiter) {
	if l.line == nil {
		l.line = newLine()
	}
	if l.line.head == nil {
		l.tat = later(l.tat, l.floor(b, now))
	}
	if w.done != nil {
		w.tick = l.line.ticks()
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
		q.end(w, nil)
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
			w.err = &DeadlineError{Wait: turn, Left: left}
			l.line.ended = append(l.line.ended, w)
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
		at := now + turn
		if at < now { // beyond the end of time, after a pause without end
			at = math.MaxInt64
		}
		if !q.armed || at < q.armedFor {
			q.armed, q.armedFor = true, at
			q.timer.Reset(turn)
		}
		return
	}
}

// wake is called by whoever sees the timer fire: one of those in line, and mostly the
// first, who has been looking at it longest. So a token costs one wake-up.
func (l *Limiter) wake() {
	b, now := l.lock()
	if l.line != nil {
		l.line.armed = false
	}
	l.unlock(b, now)
}

// await blocks until w is served, its wait is in vain, or ctx ends.
func (l *Limiter) await(ctx context.Context, w *waiter, since time.Duration) (err error) {
	if l.onWait != nil {
		defer func() { callback.Run(func() { l.onWait(clock.Now() - since) }) }()
	}
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
