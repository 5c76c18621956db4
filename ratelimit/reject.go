package ratelimit

import (
	"math"
	"time"
)

// mostSpread bounds how far ahead those who are refused are told to come back, beyond
// the time at which the tokens would be there: some of them never do.
const mostSpread = time.Minute

// refusals is what a limiter that rejects remembers of those whom it has refused: that
// they were told to come back one by one. Nothing is kept for them. Those who don't come
// back cost nobody a token, and what they were told is past when its time is.
type refusals struct {
	told time.Duration // when the latest of them was told to come back
}

// refuse returns when a call is to come back for amount: when it would be there if all
// came who have been told to before. So calls that were refused together don't come back
// together, and each finds its tokens. More than the bucket holds is never there.
func (l *Limiter) refuse(b *bucket, now time.Duration, amount uint128) time.Duration {
	cost := amount.times(b.token)
	if b.full().less(cost) {
		return math.MaxInt64
	}
	wait := l.wait(b, now, amount)
	first := now + wait
	if first < now { // beyond the end of time
		return math.MaxInt64
	}
	r := l.refusals
	if next := r.told + b.nanos(cost); next > first && next-first <= mostSpread {
		first = next
	}
	r.told = first
	return first - now
}
