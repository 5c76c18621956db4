package ratelimit

import (
	"context"
	"time"
)

// A returned token must not let a call pass that would not have passed if the token had
// never been taken. So it is worth its cost minus the time that it was kept, and nothing
// after the time between two tokens.
//
// That is never too much. Say that a token of cost c was taken at the instant g, and now
// is g + d. Without it, the TAT would be earlier by c, but not earlier than now plus all
// that was taken since g. The TAT was g + c or later when the token was taken, so what
// was taken since is at most the TAT less (g + c), and at least c − d may come off. The
// same holds for several tokens, returned in any order. With a deep bucket more might
// come off, but that would require the history of the bucket.

// grant is a token that was taken.
type grant struct {
	b    *bucket       // the bucket that it came from
	at   time.Duration // when
	mark uint64        // of the slacks at that time; 0 if none were recorded
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

// giveBack returns n tokens that were taken together. If the bucket was reset or has
// another rate since, they are not returned: they belonged to the old one.
func (l *Limiter) giveBack(g grant, n float64) {
	b, now := l.lock()
	defer l.unlock(b, now)
	if b == g.b {
		l.refund(b, now, b.worth(amount(n), now-g.at))
	}
}

// worth returns how much an amount that was kept for a time is still worth, as a cost.
func (b *bucket) worth(amount uint128, kept time.Duration) uint128 {
	past := uint128{lo: uint64(max(kept, 0))}.times(b.ticks).shifted(fineBits)
	return amount.times(b.token).minus(past)
}

// refund moves the TAT back, as far as the bucket has room, and serves waiting calls.
func (l *Limiter) refund(b *bucket, now time.Duration, cost uint128) {
	l.tat = l.tat.minus(l.room(b, now, cost))
	l.serve(b, now)
	b.grace.Store(noGrace) // otherwise the bucket would hold all of it
}

// room returns how much of a cost there is room for.
func (l *Limiter) room(b *bucket, now time.Duration, cost uint128) uint128 {
	full := max(now, l.resume()) // the earliest time at which they may fill the bucket
	lowest := b.instant(full)
	if l.waiting() {
		lowest = b.fullFor(l.line.firstActive().amount.times(b.token), full)
	}
	return earlier(cost, l.tat.minus(lowest))
}

// Return returns n tokens that were taken just now and were not needed after all. They go
// into the bucket as far as there is room, or to waiting calls. For tokens that were kept
// for a while use [Limiter.ReturnAfter], since tokens that were taken one by one and
// returned together would be a burst that the limit doesn't allow. With Return, waiting
// calls get at most a second bucket at once, and more only at the rate.
//
// Return(0) does nothing.
func (l *Limiter) Return(n float64) error { return l.ReturnAfter(n, 0) }

// ReturnAfter returns n tokens that were taken together and kept for a time. They are
// worth n tokens minus those that came meanwhile: nothing after the time in which n
// tokens come. So the limit holds as if they had not been taken. [Limiter.Do] does the
// same if an inner policy refuses the call.
//
// ReturnAfter(0, kept) does nothing; kept below 0 is 0.
func (l *Limiter) ReturnAfter(n float64, kept time.Duration) error {
	if err := validChange(n); err != nil || n == 0 {
		return err
	}
	b, now := l.lock()
	defer l.unlock(b, now)
	cost := b.worth(amount(n), kept)
	if l.waiting() { // a call may have taken all that a bucket can hold
		q := l.line
		ahead := b.instant(q.returned).minus(b.instant(now))
		cost = l.room(b, now, earlier(cost, b.full().minus(ahead)))
		q.returned = max(q.returned, now) + b.nanos(cost)
	}
	l.refund(b, now, cost)
	return nil
}
