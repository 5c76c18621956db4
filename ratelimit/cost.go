package ratelimit

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
)

// DoCost is [Limiter.Do] for a call whose amount is only estimated beforehand, such as the
// tokens of a model or the rows of a query. It takes the estimate, makes the call, and then
// settles with the actual cost that the call returns, as [Limiter.Settle] does. A cost below
// 0 means that it isn't known: then the estimate stands, as it does if the call panics. If an
// inner policy refuses the call, the whole estimate is returned.
//
// With an estimate of 0 nothing is waited for. For more than the bucket can hold it waits
// like [Limiter.AcquireN]. The error is an [*InvalidError] if the estimate or the cost is not
// a finite number, or the estimate is negative.
func (l *Limiter) DoCost(ctx context.Context, estimated float64, call func(context.Context) (actual float64, err error)) error {
	if call == nil {
		return bad("call", nil, "a function")
	}
	if ctx == nil {
		return bad("ctx", nil, "a context")
	}
	if err := validChange(estimated); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return canceled(ctx)
	}
	l.openCost()
	defer l.closeCost()
	g := grant{at: clock.Now()}
	if estimated > 0 {
		var err error
		if g, err = l.acquire(ctx, estimated); err != nil {
			return err
		}
	}
	actual, err := call(ctx)
	return l.settleCost(g, estimated, actual, err)
}

// openCost makes slacks be recorded until closeCost. A limiter used this way keeps its line,
// with its contents, and takes the lock for every call, so nothing needs to be allocated.
func (l *Limiter) openCost() {
	b, now := l.lock()
	defer l.unlock(b, now)
	if l.line == nil {
		l.line = newLine()
	}
	if l.line.costs == nil {
		l.line.costs = &slacks{}
	}
	l.line.costs.open++
}

func (l *Limiter) closeCost() {
	b, now := l.lock()
	defer l.unlock(b, now)
	if s := l.line.costs; s.open <= 1 {
		*s = slacks{low: s.low[:0]}
	} else {
		s.open--
	}
}

// settleCost replaces the estimate that a call took by its actual cost, and handles its
// error.
func (l *Limiter) settleCost(g grant, estimated, actual float64, err error) error {
	if err != nil {
		plain, _, notMade := answer.NotMade(err)
		if err = plain; notMade {
			if estimated > 0 {
				l.giveBack(g, estimated)
			}
			return err
		}
	}
	if err != nil {
		l.heed(err, g.at) // before tokens are returned: a pause also applies to waiting calls
	} else {
		l.Feedback(nil)
	}
	switch {
	case actual < 0 || actual == estimated:
	case actual < estimated:
		l.takeBack(g, estimated, actual)
	default:
		if wrong := l.Settle(estimated, actual); wrong != nil && err == nil {
			return wrong
		}
	}
	return err
}

// DoCost is [Limiter.DoCost] for a key.
func (k *Keyed[K]) DoCost(ctx context.Context, key K, estimated float64, call func(context.Context) (actual float64, err error)) error {
	e, err := k.use(key)
	if err != nil {
		return err
	}
	defer k.limiters.Done(e)
	return e.Value.DoCost(ctx, estimated, call)
}

// WouldTake is [Limiter.WouldTake] for a key, but 0 if a call would be refused at once
// instead of waiting: by a policy that rejects, or because there are too many keys. A caller
// with calls for many keys can make those of other keys meanwhile.
func (k *Keyed[K]) WouldTake(key K, n float64) (wait time.Duration, err error) {
	if err := validCost(n); err != nil {
		return 0, err
	}
	e, err := k.use(key)
	if err != nil { // the call will get the error
		return 0, nil
	}
	defer k.limiters.Done(e)
	if e.Value.rejects() {
		return 0, nil
	}
	n = min(n, float64(e.Value.Burst())) // only a call that waits in the line can get more
	return e.Value.WouldTake(n)
}

// WouldWait is [Keyed.WouldTake] for one token.
func (k *Keyed[K]) WouldWait(key K) time.Duration {
	wait, _ := k.WouldTake(key, 1) // 1 is valid
	return wait
}
