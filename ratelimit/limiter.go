package ratelimit

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// Limiter allows so many calls per second, and so many at once.
//
// It is safe for concurrent use and meant to be shared: one for each thing that
// has a limit. While nobody waits, a call takes one read of the clock and one
// atomic operation, and an idle limiter takes 128 bytes. It has no goroutine.
type Limiter struct {
	bucket atomic.Pointer[bucket]

	mu   sync.Mutex
	tat  uint128 // of the bucket, in fine ticks, while its word is held
	line *line   // those who wait; nil if nobody does

	onWait   func(time.Duration)
	feedback *feedback // what to make of errors; nil for nothing
	reject   bool
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
	l := &Limiter{onWait: p.OnWait, reject: p.OnLimit == Reject, feedback: newFeedback(p)}
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
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	if l.bucket.Load().take(1) == taken {
		return nil
	}
	return l.acquire(ctx, 1)
}

// Wait is Acquire by the name that it has in golang.org/x/time/rate.
func (l *Limiter) Wait(ctx context.Context) error { return l.Acquire(ctx) }

// AcquireN takes n tokens, waiting its turn until they are there. n need not be
// a whole number; it is rounded up to a multiple of 2^-20. More tokens than the
// bucket can hold are waited for with the bucket growing meanwhile.
//
// It takes nothing and returns an error
//   - if ctx has ended, or ends first: the context's error and its cause. Those
//     behind in the line move up;
//   - at once, if the turn would come after the deadline of ctx: a [*DeadlineError];
//   - at once, if the policy is to [Reject] and the tokens are not there, or if
//     they would take more than 292 years to come: an [*ExceededError];
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
	return l.acquire(ctx, n)
}

// TryAcquire takes a token if it is there and nobody waits for it.
func (l *Limiter) TryAcquire() bool {
	got := l.bucket.Load().take(1)
	return got == taken || got == unknown && l.tryAcquire(1)
}

// Allow is TryAcquire by the name that it has in golang.org/x/time/rate.
func (l *Limiter) Allow() bool { return l.TryAcquire() }

// TryAcquireN takes n tokens if they are there and nobody waits for them. It is
// false for more than the bucket can hold, and for what is not a positive number.
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
		return b.take(tokens)
	}
	return unknown
}

func (l *Limiter) acquire(ctx context.Context, n float64) error {
	if err := validCost(n); err != nil {
		return err
	}
	b, now := l.lockForOne()
	want := amount(n)
	if l.admit(b, now, want) {
		l.unlock(b, now)
		return nil
	}
	wait := l.wait(b, now, want)
	if l.reject || wait == math.MaxInt64 {
		l.unlock(b, now)
		return &ExceededError{RetryAfter: wait}
	}
	w := newWaiter(want)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if wait > left {
			l.unlock(b, now)
			return &DeadlineError{Wait: wait, Left: left}
		}
		w.deadline = now + left
	}
	l.enter(b, now, w)
	l.unlock(b, now)
	return l.await(ctx, w, now)
}

// AvailableTokens returns how many tokens the bucket holds, also while a pause keeps
// them back or others wait. It is negative while the limiter is in debt.
func (l *Limiter) AvailableTokens() float64 {
	b, now := l.lock()
	defer l.unlock(b, now)
	tat, at := l.tat, b.instant(now)
	if tat.less(at) {
		return float64(b.burst)
	}
	return float64(b.burst) - b.tokens(tat.minus(at))
}

// Rate returns the tokens that come per second.
func (l *Limiter) Rate() float64 { return l.bucket.Load().perSecond() }

// Burst returns how many tokens can be there at most.
func (l *Limiter) Burst() int64 { return l.bucket.Load().burst }

// Reset fills the bucket and ends a pause. Those who wait are served from it.
func (l *Limiter) Reset() {
	b, now := l.lock()
	defer l.unlock(b, now)
	if l.line != nil {
		l.line.resume = never
	}
	b.grace.Store(-1)
	if at := b.instant(now); !l.waiting() || at.less(l.tat) { // the first in line may have more
		l.tat = at
	}
	l.replan(b, now)
}

// Return gives n tokens back that were not needed after all: they go to the
// next who waits, or into the bucket as far as there is room.
func (l *Limiter) Return(n float64) error {
	if err := validCost(n); err != nil {
		return err
	}
	b, now := l.lock()
	defer l.unlock(b, now)
	l.refund(b, now, amount(n))
	return nil
}

// Debit takes n tokens whether or not they are there: what a call turned out to
// have cost. If they are not, everybody waits until the debt is paid. It is an
// error if that takes more than 292 years.
func (l *Limiter) Debit(n float64) error {
	if err := validCost(n); err != nil {
		return err
	}
	b, now := l.lock()
	defer l.unlock(b, now)
	if !l.waiting() {
		l.tat = later(l.tat, l.floor(b, now))
	}
	tat := l.tat.plus(amount(n).times(b.token))
	if b.nanos(tat.minus(b.instant(now))) == math.MaxInt64 {
		return bad("n", n, "a debt that can be paid in 292 years")
	}
	l.tat = tat
	l.replan(b, now)
	return nil
}

// validCost returns an error unless n is a positive number.
func validCost(n float64) error {
	if !(n > 0) || math.IsInf(n, 1) {
		return bad("n", n, "above 0 and finite")
	}
	return nil
}
