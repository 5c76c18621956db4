package ratelimit

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
)

// DoCost is [Limiter.Do] for a call that takes an amount of which only an estimate is known
// before: the tokens of a model, the rows of a query. It takes the estimate, makes the call,
// and then settles by what the call says that it has cost, as [Limiter.Settle] does: below 0
// says that it isn't known, and the estimate stands, as it does if the call panics. If
// an inner policy refuses the call, the whole estimate is given back.
//
// An estimate of 0 waits for nothing. More than the bucket can hold is waited for as by
// [Limiter.AcquireN]. It is an [*InvalidError] if the estimate or the cost is no finite
// number, or the estimate is negative.
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

// openCost has slacks be noted until closeCost. A limiter that is used so keeps its line, and
// what is in it, and takes the lock for every call: there is nothing to allocate then.
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

// settleCost makes up for the estimate that a call took, and of its error what is to be made
// of it.
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
		l.heed(err, g.at) // before anything is given back: a pause is for those who wait, too
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

// WouldTake is [Limiter.WouldTake] for a key, but 0 where a call would be refused at once
// instead of waiting: by a policy that rejects, or because there are too many keys. Whoever
// runs calls for many keys can make those of other ones meanwhile.
func (k *Keyed[K]) WouldTake(key K, n float64) (wait time.Duration, err error) {
	if err := validCost(n); err != nil {
		return 0, err
	}
	e, err := k.use(key)
	if err != nil { // as the call will be told
		return 0, nil
	}
	defer k.limiters.Done(e)
	if e.Value.rejects() {
		return 0, nil
	}
	n = min(n, float64(e.Value.Burst())) // more is there only for one who waits in the line
	return e.Value.WouldTake(n)
}

// WouldWait is [Keyed.WouldTake] for one token.
func (k *Keyed[K]) WouldWait(key K) time.Duration {
	wait, _ := k.WouldTake(key, 1) // 1 is valid
	return wait
}
