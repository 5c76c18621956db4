package ratelimit

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// Limiter limits how many calls start per second, and how many at once.
//
// It is safe for concurrent use and meant to be shared: one for each service or account
// that has a limit. While no call waits, a call costs one read of the clock and one atomic
// operation. An idle limiter takes 128 bytes. It has no goroutine.
type Limiter struct {
	bucket atomic.Pointer[bucket]

	mu   sync.Mutex
	tat  uint128 // of the bucket, in fine ticks, while its word is held
	line *line   // the waiting calls; nil if there are none

	*extras            // nil for none
	feedback *feedback // how to react to errors; nil to ignore them
	rank     float32   // the rate that it was made with: see joint
	keyed    bool      // one of a Keyed
}

// New returns a limiter with a full bucket, or an [*InvalidError].
func New(p Policy) (*Limiter, error) {
	p, err := p.validate()
	if err != nil {
		return nil, err
	}
	r := rateOf(p.RequestsPerSecond)
	if err := validBurst(p.burst(), r); err != nil {
		return nil, err
	}
	l := &Limiter{extras: newExtras(p), feedback: newFeedback(p), rank: float32(p.RequestsPerSecond)}
	now := clock.Now()
	b := newBucket(r, p.burst(), now)
	l.bucket.Store(b)
	l.release(b, now)
	return l, nil
}

// MustNew is [New] for settings that are known to be valid; it panics if not.
func MustNew(p Policy) *Limiter {
	l, err := New(p)
	if err != nil {
		panic(err)
	}
	return l
}

// Acquire takes a token, as AcquireN does.
func (l *Limiter) Acquire(ctx context.Context) error {
	if ctx == nil {
		return bad("ctx", nil, "a context")
	}
	_, err := l.grant(ctx)
	return err
}

// Wait is Acquire by the name that it has in golang.org/x/time/rate.
func (l *Limiter) Wait(ctx context.Context) error { return l.Acquire(ctx) }

// AcquireN takes n tokens. It waits for its turn until they are available. n need not be a
// whole number; it is rounded up to a multiple of 2^-20. For more tokens than the bucket
// can hold, the bucket grows while the call waits.
//
// It takes nothing and returns an error
//   - if ctx has ended, or ends first: the context's error and its cause. The calls behind
//     it move up;
//   - at once, if the turn would come after the deadline of ctx: a [*DeadlineError];
//   - at once, if the policy is [Reject] and the tokens are not available, or if they would
//     take more than 292 years: an [*ExceededError];
//   - if n is not a positive number, or ctx is nil: an [*InvalidError].
func (l *Limiter) AcquireN(ctx context.Context, n float64) error {
	if ctx == nil {
		return bad("ctx", nil, "a context")
	}
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	if l.takeN(n) == taken {
		return nil
	}
	_, err := l.acquire(ctx, n)
	return err
}

// TryAcquire takes a token if it is available and no call waits for it.
func (l *Limiter) TryAcquire() bool {
	_, got := l.bucket.Load().take(1)
	return got == taken || got == unknown && l.tryAcquire(1)
}

// Allow is TryAcquire by the name that it has in golang.org/x/time/rate.
func (l *Limiter) Allow() bool { return l.TryAcquire() }

// TryAcquireN takes n tokens if they are available and no call waits for them. It is false
// for more than the bucket can hold, and if n is not a positive number.
func (l *Limiter) TryAcquireN(n float64) bool {
	got := l.takeN(n)
	return got == taken || got == unknown && validCost(n) == nil && l.tryAcquire(n)
}

func (l *Limiter) tryAcquire(n float64) bool {
	b, now := l.lockForOne()
	defer l.unlock(b, now)
	return l.admit(b, now, amount(n))
}

// takeN takes n tokens without the lock, if it can.
func (l *Limiter) takeN(n float64) outcome {
	b := l.bucket.Load()
	if tokens, ok := whole(n, b.burst); ok {
		_, got := b.take(tokens)
		return got
	}
	return unknown
}

func (l *Limiter) acquire(ctx context.Context, n float64) (grant, error) {
	if err := validCost(n); err != nil {
		return grant{}, err
	}
	b, now := l.lockForOne()
	w, expected, err := l.admitOrEnter(ctx, b, now, amount(n))
	g := grant{b, now, l.line.mark()}
	l.unlock(b, now)
	if w == nil || err != nil {
		return g, err
	}
	l.waits(expected, func() { l.leave(w) })
	if err := l.await(ctx, w, now); err != nil {
		return grant{}, err
	}
	return grant{w.from, w.due, w.mark}, nil
}

// admitOrEnter takes the wanted amount and returns nil, or it takes a place in the line and
// returns how long it is until its turn.
func (l *Limiter) admitOrEnter(ctx context.Context, b *bucket, now time.Duration, want uint128) (w *waiter, expected time.Duration, err error) {
	if l.admit(b, now, want) {
		return nil, 0, nil
	}
	if l.rejects() {
		return nil, 0, &ExceededError{RetryAfter: l.refuse(b, now, want)}
	}
	expected = l.wait(b, now, want)
	if expected == math.MaxInt64 {
		return nil, 0, &ExceededError{RetryAfter: expected}
	}
	w = newWaiter(want)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if expected > left {
			return nil, 0, &DeadlineError{Wait: expected, Left: left}
		}
		w.deadline = now + left
	}
	l.enter(b, now, w)
	return w, expected, nil
}

// WouldTake returns how long a call that comes now would wait for n tokens, behind the
// waiting calls: 0 if they are available, and the largest duration if it is more than 292
// years. It takes nothing. It is an error if n is not a positive number.
func (l *Limiter) WouldTake(n float64) (time.Duration, error) {
	if err := validCost(n); err != nil {
		return 0, err
	}
	b, now := l.lock()
	defer l.unlock(b, now)
	if l.admits(b, now, amount(n)) {
		return 0, nil
	}
	return l.wait(b, now, amount(n)), nil
}

// AvailableTokens returns how many tokens the bucket holds, also while calls wait; in a
// pause, how many it will hold at its end. It is negative while the limiter is in debt.
func (l *Limiter) AvailableTokens() float64 {
	b, now := l.lock()
	defer l.unlock(b, now)
	tat, at := l.tat, b.instant(max(now, l.resume()))
	if tat.less(at) {
		return float64(b.burst)
	}
	return float64(b.burst) - b.tokens(tat.minus(at))
}

// Rate returns the tokens that come per second.
func (l *Limiter) Rate() float64 { return l.bucket.Load().perSecond() }

// Burst returns the size of the bucket.
func (l *Limiter) Burst() int64 { return l.bucket.Load().burst }

// Reset fills the bucket and ends a pause. Waiting calls are served from it.
func (l *Limiter) Reset() {
	old, now := l.lock()
	b := newBucket(old.rate, old.burst, old.epoch) // tokens of the old one are worth nothing
	l.bucket.Store(b)
	defer l.unlock(b, now)
	if l.line != nil {
		l.line.resume = never
	}
	if at := b.instant(now); !l.waiting() || at.less(l.tat) { // the first in line may have more
		l.tat = at
	}
	l.replan(b, now)
}

// validChange returns an error unless n is 0 or a positive number: 0 is valid, because a
// call may cost exactly its estimate.
func validChange(n float64) error {
	if n == 0 {
		return nil
	}
	return validCost(n)
}

// validCost returns an error unless n is a positive number.
func validCost(n float64) error {
	if !(n > 0) || math.IsInf(n, 1) {
		return bad("n", n, "above 0 and finite")
	}
	return nil
}
