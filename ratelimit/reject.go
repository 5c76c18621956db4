package ratelimit

import (
	"math"
	"time"
)

// mostSpread bounds how much later than the tokens' time refused calls are told to come
// back. There is a bound because some of them never come back.
const mostSpread = time.Minute

// refusals is what a limiter that rejects remembers about refused calls: until when they
// were told to come back, one by one. No token is reserved for them. A call that doesn't
// come back costs no token, and its time simply passes.
type refusals struct {
	told time.Duration // the latest time at which one was told to come back
}

// refuse returns when a call should come back for amount: when the tokens would be
// available if all earlier refused calls come back. So calls that were refused together
// don't come back together, and each finds its tokens. More than the bucket holds is
// never available.
func (l *Limiter) refuse(b *bucket, now time.Duration, amount uint128) time.Duration {
	cost := amount.times(b.token)
	if b.full().less(cost) {
		return math.MaxInt64
	}
	wait := l.wait(b, now, amount)
	first := now + wait
	if first < now { // overflow
		return math.MaxInt64
	}
	r := l.refusals
	if next := r.told + b.nanos(cost); next > first && next-first <= mostSpread {
		first = next
	}
	r.told = first
	return first - now
}
