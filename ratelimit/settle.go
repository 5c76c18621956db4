package ratelimit

import "math"

// The actual cost of a call.

// Settle corrects an estimate: a call took estimated tokens, but cost actual ones. The
// difference is taken as by [Limiter.Debit], or returned as by [Limiter.Return]. Either may be
// 0; the error is an [*InvalidError] if one is negative or not a finite number, or the debt
// takes more than 292 years.
func (l *Limiter) Settle(estimated, actual float64) error {
	if err := validChange(estimated); err != nil {
		return err
	}
	if err := validChange(actual); err != nil {
		return err
	}
	if actual >= estimated {
		return l.Debit(actual - estimated)
	}
	return l.Return(estimated - actual)
}

// Debit takes n tokens even if they are not available, for example because a call cost more
// than expected. Then all calls wait until the debt is paid. It is an error if that takes more
// than 292 years. Debit(0) does nothing.
func (l *Limiter) Debit(n float64) error {
	if err := validChange(n); err != nil || n == 0 {
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
