package amorsizetest

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/amorsize/amorsize/internal/queueing"
)

// Conditions describe a service at one time: how many calls it serves at once, how long
// they take, what it refuses. The zero value answers at once.
type Conditions struct {
	// Slots is how many calls are served at a time, first come, first served;
	// 0 is no limit.
	Slots int
	// Latency is how long serving a call takes; nil is no time.
	Latency Law
	// Network is added to every answered call, outside of the slots.
	Network time.Duration
	// Congestion makes service slower as the line grows: by the factor
	// 1 + Congestion × waiting calls / Slots.
	Congestion float64
	// Line is how many calls may wait for a slot; more are refused with an
	// [Overloaded] error. 0 is no limit, negative refuses every call that would wait.
	Line int
	// Rate is how many calls a second are accepted; more are refused with a
	// [Throttled] error. 0 is no limit. Burst is how many may come at once, at
	// least 1.
	Rate  float64
	Burst int
	// RetryAfter makes refusals say when to come back.
	RetryAfter bool
	// Refusal is how long refusing a call takes.
	Refusal time.Duration
	// Outage says whether and how the service is down.
	Outage Outage
}

// simulated returns c for the simulation.
func (c Conditions) simulated() queueing.Conditions {
	return queueing.Conditions{
		Slots: c.Slots, Latency: queueing.Law(c.Latency), Network: c.Network, Congestion: c.Congestion, Line: c.Line,
		Rate: c.Rate, Burst: c.Burst, RetryAfter: c.RetryAfter, Refusal: c.Refusal, Outage: queueing.Outage(c.Outage),
	}
}

// Outage says how a service is down.
type Outage int

// The outages of a service.
const (
	Up       = Outage(queueing.Up)       // it is not
	Refusing = Outage(queueing.Refusing) // calls are refused at once
	Hanging  = Outage(queueing.Hanging)  // calls get no answer until the outage ends, and then an error
)

// Reason says why a call was refused.
type Reason int

// The reasons for refusing a call.
const (
	Overloaded  = Reason(queueing.Overloaded)  // the line is full: 503
	Throttled   = Reason(queueing.Throttled)   // above the rate: 429
	Unavailable = Reason(queueing.Unavailable) // down: no connection
)

// RefusedError is the error of a refused call. It has the methods by which policies and
// the engine recognize refusals: StatusCode and RetryAfter.
type RefusedError struct {
	Reason Reason
	After  time.Duration // when to come back; 0 if not given
}

func (e *RefusedError) Error() string { return e.simulated().Error() }

// StatusCode returns 503, 429, or 0 for a call that got no connection.
func (e *RefusedError) StatusCode() int { return e.simulated().StatusCode() }

// RetryAfter returns when to come back, 0 if that is not known.
func (e *RefusedError) RetryAfter() time.Duration { return e.After }

func (e *RefusedError) simulated() *queueing.RefusedError {
	return &queueing.RefusedError{Reason: queueing.Reason(e.Reason), After: e.After}
}

// refusal returns the simulation's error as one of this package.
func refusal(err error) error {
	var refused *queueing.RefusedError
	if errors.As(err, &refused) {
		return &RefusedError{Reason(refused.Reason), refused.After}
	}
	return err
}

// A Law is the distribution of the time that a slot is busy with a call.
type Law func(*rand.Rand) time.Duration

// Constant always gives d.
func Constant(d time.Duration) Law { return Law(queueing.Constant(d)) }

// Exponential is the exponential distribution with the given mean.
func Exponential(mean time.Duration) Law { return Law(queueing.Exponential(mean)) }

// Lognormal is the lognormal distribution with the given mean; sigma is the standard
// deviation of the logarithm: 0.5 is typical of many services.
func Lognormal(mean time.Duration, sigma float64) Law { return Law(queueing.Lognormal(mean, sigma)) }

// Mixture draws from second with the given probability, and otherwise from first.
func Mixture(first, second Law, probability float64) Law {
	return Law(queueing.Mixture(queueing.Law(first), queueing.Law(second), probability))
}
