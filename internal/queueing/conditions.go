package queueing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// A Law draws how long a slot is busy with a call.
type Law func(*rand.Rand) time.Duration

// Constant takes d for every call.
func Constant(d time.Duration) Law {
	return func(*rand.Rand) time.Duration { return d }
}

// Exponential draws with the given mean.
func Exponential(mean time.Duration) Law {
	return func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * float64(mean)) }
}

// Lognormal draws with the given mean; sigma is the standard deviation of the
// logarithm: 0.5 is what many services show.
func Lognormal(mean time.Duration, sigma float64) Law {
	median := float64(mean) * math.Exp(-sigma*sigma/2)
	return func(r *rand.Rand) time.Duration { return time.Duration(median * math.Exp(sigma*r.NormFloat64())) }
}

// Mixture draws from second with the given probability, and else from first.
func Mixture(first, second Law, probability float64) Law {
	return func(r *rand.Rand) time.Duration {
		if r.Float64() < probability {
			return second(r)
		}
		return first(r)
	}
}

// Outage says how a service is down.
type Outage int

// The outages of a service.
const (
	Up       Outage = iota // it is not
	Refusing               // calls are refused at once
	Hanging                // calls get no answer until the outage ends, and then an error
)

// Conditions are what a service is like at a time. The zero value answers at once.
type Conditions struct {
	// Slots is how many calls are served at a time, first come first served;
	// 0 is no limit.
	Slots int
	// Latency is how long a call is served; nil is no time.
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
	// RetryAfter has refusals say when to come back.
	RetryAfter bool
	// Refusal is how long refusing a call takes.
	Refusal time.Duration
	// Outage is how the service is down.
	Outage Outage
}

// Reason says why a call was refused.
type Reason int

// The reasons for refusing a call.
const (
	Overloaded  Reason = iota // the line is full: 503
	Throttled                 // above the rate: 429
	Unavailable               // down: no connection
)

// RefusedError is what a refused call gets.
type RefusedError struct {
	Reason Reason
	After  time.Duration // when to come back; 0 if not told
}

func (e *RefusedError) Error() string {
	text := [...]string{"503 overloaded", "429 too many requests", "connection refused"}[e.Reason]
	if e.After > 0 {
		return fmt.Sprintf("%s, retry after %v", text, e.After)
	}
	return text
}

// StatusCode returns 503, 429, or 0 for a call that got no connection.
func (e *RefusedError) StatusCode() int { return [...]int{503, 429, 0}[e.Reason] }

// RetryAfter returns when to come back, 0 if that is not known.
func (e *RefusedError) RetryAfter() time.Duration { return e.After }
