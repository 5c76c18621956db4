package circuitbreaker

import (
	"context"
	"errors"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
)

// The outcome of a call, and what it changes.

// current reports whether the outcome of a call counts: it began in this term.
func (b *Breaker) current(p pass) bool { return p.term == b.term.Load() && !p.term.bypassed }

// judge classifies an error. Policy.IsFailure is called outside the lock.
func (b *Breaker) judge(ctx context.Context, p pass, err error) (neutral, failed bool) {
	switch {
	case err == nil:
		return false, false
	case errors.Is(err, ErrNoReturn):
		return false, true
	case errors.Is(ctx.Err(), context.Canceled):
		return true, false
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && p.timed && b.usual.exceeds(clock.Now()-p.begun):
		return true, false
	}
	if _, refused := answer.Refused(err); refused { // also inside the function: it was not the service
		return true, false
	}
	if b.p.IsNeutral != nil {
		b.panics.Run("circuitbreaker.Policy.IsNeutral", func() { neutral = b.p.IsNeutral(err) })
		if neutral {
			return true, false
		}
	}
	failed = true
	if says, said := answer.Failure(err); said {
		failed = says
	}
	if b.p.IsFailure != nil {
		failed = true
		b.panics.Run("circuitbreaker.Policy.IsFailure", func() { failed = b.p.IsFailure(err) })
	}
	return false, failed
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tripped reports whether a closed breaker must open, and with how many failures.
func (b *Breaker) tripped(now time.Duration, failed bool) (int, bool) {
	if in := int(b.failures.Load()); failed && in >= b.p.FailureThreshold {
		return in, true
	}
	w := b.term.Load().window
	if w == nil {
		return 0, false
	}
	sum := w.total(now)
	few := sum.calls < b.p.MinimumCalls
	w.watched.Store(few && (sum.failures > 0 || sum.slow > 0))
	if few {
		return 0, false
	}
	calls := float64(sum.calls)
	switch {
	case b.p.FailureRate > 0 && float64(sum.failures) >= b.p.FailureRate*calls:
		return sum.failures, true
	case b.p.SlowCallRate > 0 && float64(sum.slow) >= b.p.SlowCallRate*calls:
		return sum.failures, true
	}
	return 0, false
}

// counted records the outcome of a call through the closed breaker.
func (b *Breaker) counted(now time.Duration, failed, slow bool) {
	if failed {
		b.failures.Add(1)
	} else {
		b.failures.Store(0)
	}
	if w := b.term.Load().window; w != nil {
		w.count(now, tally{1, toInt(failed), toInt(slow)})
	}
	if failures, tripped := b.tripped(now, failed); tripped {
		b.open(now, failures)
	}
}

// probed records the outcome of a probe.
func (b *Breaker) probed(now time.Duration, failed bool) {
	if failed {
		n := int(b.failures.Add(1))
		if b.refuted++; b.refuted >= b.p.probeFailures() {
			b.open(now, n)
		}
		return
	}
	if b.successes++; b.successes >= b.p.SuccessThreshold {
		b.close(now)
	}
}
