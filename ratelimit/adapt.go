package ratelimit

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
)

// Adapt makes a limiter find the rate that a service accepts, if the service only says
// "too many". It uses additive increase and multiplicative decrease (Chiu and Jain 1989,
// the rule of TCP), with TCP's slow start. It starts at the rate of the policy.
//
// Until the first refusal the rate doubles every second. A refusal multiplies it by
// Decrease, once for all calls that were in flight; from then on it grows by Increase per
// second. It grows only while it is used: a limiter that nothing waits for learns
// nothing.
type Adapt struct {
	// Floor and Ceiling bound the rate, per second: 0 is a hundredth of the
	// policy's rate, and [MaxRate].
	Floor, Ceiling float64
	// Increase is what is added to the rate, per second in a second; 0 is a
	// fiftieth of the rate at the first refusal.
	Increase float64
	// Decrease is the factor that a refusal applies to the rate, above 0 and below 1; 0
	// is 0.75.
	Decrease float64
	// Throttled reports whether an error is a refusal. An error with a method
	// RetryAfter() time.Duration that returns 0 always is one, also without Throttled. A
	// panic in it counts as false; see [Limiter.CallbackPanics].
	Throttled func(error) bool
}

func (a Adapt) validate(start float64) (Adapt, error) {
	if a.Floor == 0 {
		a.Floor = max(MinRate, start/100)
	}
	if a.Ceiling == 0 {
		a.Ceiling = MaxRate
	}
	if a.Decrease == 0 {
		a.Decrease = 0.75
	}
	if err := validRate("Adapt.Floor", a.Floor); err != nil {
		return a, err
	}
	if err := validRate("Adapt.Ceiling", a.Ceiling); err != nil {
		return a, err
	}
	switch {
	case a.Floor > start || start > a.Ceiling:
		return a, bad("RequestsPerSecond", start, fmt.Sprintf("from Adapt.Floor, %g, to Adapt.Ceiling, %g", a.Floor, a.Ceiling))
	case !(a.Increase >= 0) || math.IsInf(a.Increase, 1):
		return a, bad("Adapt.Increase", a.Increase, "above 0 and finite, or 0 for the default")
	case !(a.Decrease > 0 && a.Decrease < 1):
		return a, bad("Adapt.Decrease", a.Decrease, "above 0 and below 1, or 0 for the default")
	}
	return a, nil
}

// never is before any instant of the clock, which may be negative in a testing/synctest
// bubble. A difference of the two does not overflow.
const never = math.MinInt64 / 4

// adapter is the state of an Adapt.
type adapter struct {
	Adapt
	panics    callback.Panics
	successes atomic.Int64
	next      atomic.Int64 // instant of the next check

	mu       sync.Mutex
	starting bool          // no refusal yet
	since    time.Duration // start of counting successes; never before the first check
	slowed   time.Duration // instant of the latest decrease
	exact    float64       // the rate before it was rounded
	rounded  float64       // and after
}

func newAdapter(settings Adapt) *adapter {
	a := &adapter{Adapt: settings, starting: true, since: never, slowed: never}
	a.next.Store(never)
	return a
}

func (a *adapter) throttled(err error) (is bool) {
	if a.Throttled != nil {
		a.panics.Run("ratelimit: Adapt.Throttled", func() { is = a.Throttled(err) })
	}
	return is
}

// period is the time between two checks: long enough for some calls.
func period(rate float64) time.Duration {
	return max(100*time.Millisecond, time.Duration(4/rate*nanosPerSecond))
}

// succeeded counts a success, and checks the rate once per period.
func (a *adapter) succeeded(l *Limiter) {
	count := a.successes.Add(1)
	now := clock.Now()
	if int64(now) < a.next.Load() || !a.mu.TryLock() {
		return
	}
	defer a.mu.Unlock()
	rate := a.rate(l)
	every := period(rate)
	took := now - a.since
	first := a.since == never
	a.next.Store(int64(now + every))
	a.successes.Store(0)
	a.since = now
	if first || float64(count) < rate/2*took.Seconds() {
		return // not enough demand: the rate is not the bound
	}
	took = min(took, 2*every)
	if a.starting {
		a.set(l, rate*math.Exp2(took.Seconds()))
	} else {
		a.set(l, rate+a.Increase*took.Seconds())
	}
}

// slowDown reacts to a refusal of a call that began at the instant begun. Calls that
// began before the latest decrease, at the old rate, give no new information.
func (a *adapter) slowDown(l *Limiter, begun time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if begun < a.slowed {
		return
	}
	rate, now := a.rate(l), clock.Now()
	if a.starting && a.Increase == 0 {
		a.Increase = rate / 50
	}
	a.starting, a.slowed = false, now
	a.since = now
	a.successes.Store(0)
	a.next.Store(int64(now + period(rate)))
	a.set(l, rate*a.Decrease)
}

// rate returns the unrounded rate, or the limiter's own if it was set from outside.
func (a *adapter) rate(l *Limiter) float64 {
	if now := l.Rate(); now != a.rounded {
		a.exact = now
	}
	return a.exact
}

// set changes the rate, to four digits: the rate of a service is not known more exactly,
// and the limiter's arithmetic is simpler with simple fractions.
func (a *adapter) set(l *Limiter, rate float64) {
	rate = min(max(rate, a.Floor), a.Ceiling)
	a.exact = rate
	digits := math.Pow(10, math.Floor(math.Log10(rate))-3)
	rate = math.Round(rate/digits) * digits
	// It can fail only if a debt would take centuries: then the rate stays.
	_ = l.SetRate(min(max(rate, a.Floor), a.Ceiling))
	a.rounded = l.Rate()
}
