package ratelimit

import (
	"context"
	"time"
)

// A token that is given back must not let a call pass that would not have passed if it
// had never been taken. So it is worth what it costs less the time that it was kept, and
// nothing after the time that a token takes to come.
//
// That is never too much. Say that a token of cost c was taken at the instant g, and now
// is g + d. Without it, the TAT would be earlier by c, but not earlier than now plus all
// that was taken since g. The TAT was g + c or later when the token was taken, so
// what was taken since is at most the TAT less (g + c), and at least c − d may come off.
// The same holds for several tokens, in whatever order they come back. With a deep
// bucket more might come off, but to know how much takes the history of the bucket.

// grant is a token that was taken.
type grant struct {
	b    *bucket       // of which
	at   time.Duration // when
	mark uint64        // of the slacks, then: 0 if nobody kept any
}

// grant takes a token, as Acquire does.
func (l *Limiter) grant(ctx context.Context) (grant, error) {
	if ctx.Err() != nil {
		return grant{}, canceled(ctx)
	}
	b := l.bucket.Load()
	if now, got := b.take(1); got == taken {
		return grant{b, now, 0}, nil
	}
	return l.acquire(ctx, 1)
}

// giveBack gives n tokens back that were taken together. If the bucket has been reset
// or has another rate since, what was taken of the old one says nothing about it.
func (l *Limiter) giveBack(g grant, n float64) {
	b, now := l.lock()
	defer l.unlock(b, now)
	if b == g.b {
		l.refund(b, now, b.worth(amount(n), now-g.at))
	}
}

// worth returns the cost of what an amount is still worth that was kept for a time.
func (b *bucket) worth(amount uint128, kept time.Duration) uint128 {
	past := uint128{lo: uint64(max(kept, 0))}.times(b.ticks).shifted(fineBits)
	return amount.times(b.token).minus(past)
}

// refund moves the TAT back, as far as the bucket has room, and serves those who wait.
func (l *Limiter) refund(b *bucket, now time.Duration, cost uint128) {
	l.tat = l.tat.minus(l.room(b, now, cost))
	l.serve(b, now)
	b.grace.Store(noGrace) // or the bucket would hold all that
}

// room returns how much of a cost there is room for.
func (l *Limiter) room(b *bucket, now time.Duration, cost uint128) uint128 {
	full := max(now, l.resume()) // when the bucket may be full by them at the earliest
	lowest := b.instant(full)
	if l.waiting() {
		lowest = b.fullFor(l.line.firstActive().amount.times(b.token), full)
	}
	return earlier(cost, l.tat.minus(lowest))
}

// Return gives n tokens back that were taken just now and were not needed after all.
// They go into the bucket as far as there is room, or to those who wait. For tokens that
// were kept for a while there is [Limiter.ReturnAfter], since tokens that were taken one
// by one and come back together would be a burst that the limit doesn't allow: here, it
// is a second bucket at the most, for those who wait, and more only as fast as the rate.
//
// Return(0) does nothing.
func (l *Limiter) Return(n float64) error { return l.ReturnAfter(n, 0) }

// ReturnAfter gives n tokens back that were taken together and kept for a time. They are
// worth what they would be if they came now, less what came meanwhile: nothing after the
// time in which n tokens come. So the limit holds as if they had not been taken. A policy
// further in that refuses a call has the same done by [Limiter.Do].
//
// ReturnAfter(0, kept) does nothing; kept below 0 is 0.
func (l *Limiter) ReturnAfter(n float64, kept time.Duration) error {
	if err := validChange(n); err != nil || n == 0 {
		return err
	}
	b, now := l.lock()
	defer l.unlock(b, now)
	cost := b.worth(amount(n), kept)
	if l.waiting() { // somebody may have had all that a bucket can hold
		q := l.line
		ahead := b.instant(q.returned).minus(b.instant(now))
		cost = l.room(b, now, earlier(cost, b.full().minus(ahead)))
		q.returned = max(q.returned, now) + b.nanos(cost)
	}
	l.refund(b, now, cost)
	return nil
}
