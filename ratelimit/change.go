package ratelimit

import (
	"math"
	"math/big"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// SetRate changes how many tokens come per second. Available tokens stay, and so does a
// pause. The turns of all waiting calls are computed again: calls that are now due
// proceed at once, and calls whose turn is now after their deadline fail.
func (l *Limiter) SetRate(perSecond float64) error {
	if err := validRate("rate", perSecond); err != nil {
		return err
	}
	return l.change(rateOf(perSecond), 0)
}

// SetBurst changes the size of the bucket. Available tokens stay as far as there is room;
// new room is filled at the rate.
func (l *Limiter) SetBurst(n int) error {
	if n < 1 {
		return bad("burst", n, "at least 1")
	}
	return l.change(rate{}, int64(n))
}

// change replaces the bucket by one with another rate or burst.
func (l *Limiter) change(r rate, burst int64) error {
	b, now := l.lock()
	if r == (rate{}) {
		r = b.rate
	}
	if burst == 0 {
		burst = b.burst
	}
	next := newBucket(r, burst, b.epoch)
	// In a pause, the tokens at its end stay the same.
	tat, ok := l.moved(b, next, max(now, l.resume()))
	err := validBurst(burst, r)
	if err == nil && !ok {
		err = bad("rate", r.perSecond(), "one at which the debt can be paid in 292 years")
	}
	if err != nil {
		l.unlock(b, now)
		return err
	}
	l.tat = tat
	l.bucket.Store(next)
	l.replan(next, now)
	l.unlock(next, now)
	return nil
}

// moved returns the TAT for next that keeps the number of tokens at an instant the same
// as in b, as far as there is room.
func (l *Limiter) moved(b, next *bucket, at time.Duration) (uint128, bool) {
	// In both buckets, tokens = (full - (tat - at)) / token. This is solved for next's
	// tat. The products exceed 128 bits; this is rare enough for math/big.
	missing := new(big.Int).Sub(l.tat.big(), b.instant(at).big())
	if missing.Sign() < 0 && !l.waiting() {
		missing.SetInt64(0)
	}
	room := new(big.Int).Sub(missing, b.full().big())
	room.Mul(room, uint128{lo: next.token}.big())
	token := uint128{lo: b.token}.big()
	room.Add(room, token).Sub(room, big.NewInt(1)) // rounded up
	room.Div(room, token)
	debt := room.Add(room, next.full().big())
	// There is room for a burst, or for the amount of the first waiting call.
	lowest := new(big.Int)
	if l.waiting() {
		lowest.Sub(next.full().big(), l.line.firstActive().amount.times(next.token).big())
	}
	if lowest.Sign() > 0 {
		lowest.SetInt64(0)
	}
	if debt.Cmp(lowest) < 0 {
		debt.Set(lowest)
	}
	tat := debt.Add(debt, next.instant(at).big())
	if tat.Sign() < 0 {
		tat.SetInt64(0)
	}
	if tat.BitLen() > 126 {
		return uint128{}, false
	}
	moved := fromBig(tat)
	return moved, next.nanos(moved.minus(next.instant(at))) < math.MaxInt64
}

func (a uint128) big() *big.Int {
	hi := new(big.Int).SetUint64(a.hi)
	return hi.Lsh(hi, 64).Or(hi, new(big.Int).SetUint64(a.lo))
}

func fromBig(x *big.Int) uint128 {
	return uint128{
		hi: new(big.Int).Rsh(x, 64).Uint64(),
		lo: new(big.Int).And(x, new(big.Int).SetUint64(math.MaxUint64)).Uint64(),
	}
}

// PauseUntil is PauseFor up to a time.
func (l *Limiter) PauseUntil(t time.Time) { l.PauseFor(time.Until(t)) }

// longestPause leaves room in a time.Duration for the waits after it: a call whose turn
// doesn't fit in a time.Duration is refused, and a pause must not cause that.
const longestPause = math.MaxInt64 / 2

// PauseFor lets no call pass for d. A present pause that ends later stays as it is; d of
// 0 or less does nothing. After the pause, calls proceed one by one at the rate, without
// a burst, so that the service that asked for a pause isn't hit by all waiting calls at
// once. A pause lasts for 146 years at most.
func (l *Limiter) PauseFor(d time.Duration) {
	if d <= 0 {
		return
	}
	d = min(d, longestPause)
	if l.standStill(d) {
		l.paused(d)
	}
}

// standStill lets no call pass for d, and reports whether that makes a present pause
// longer or begins one.
func (l *Limiter) standStill(d time.Duration) bool {
	b, now := l.lock()
	defer l.unlock(b, now)
	end := now + d
	if end <= l.resume() {
		return false
	}
	if l.line == nil {
		l.line = newLine()
	}
	l.line.resume = end
	// The bucket is to hold one token at the end.
	one := uint128{lo: b.token}.shifted(fineBits)
	l.raise(b.instant(end).plus(b.full()).minus(one))
	l.replan(b, now)
	return true
}

// rebase counts instants from now on, so that they fit in a word again. It is called when
// no call waits.
func (l *Limiter) rebase(b *bucket, now time.Duration) *bucket {
	next := newBucket(b.rate, b.burst, now)
	if now >= b.epoch {
		l.tat = origin.plus(l.tat.minus(b.instant(now)))
	} else {
		// Time doesn't go back: this is the clock of a testing/synctest bubble, unrelated
		// to the earlier times. At worst the bucket is empty.
		l.line = l.line.forgotten()
		if empty := origin.plus(b.full()); empty.less(l.tat) {
			l.tat = empty
		}
	}
	l.bucket.Store(next)
	return next
}

// idle reports whether the limiter is as good as new: the bucket is full, which excludes
// a pause, and no call waits.
func (l *Limiter) idle() bool {
	b := l.bucket.Load()
	if word := b.word.Load(); word >= 0 {
		return !b.instant(clock.Now()).less(load(word))
	}
	bucket, now := l.lock()
	defer l.unlock(bucket, now)
	return !l.waiting() && !bucket.instant(now).less(l.tat)
}
