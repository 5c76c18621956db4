// Package adaptive decides how many calls that wait for a service should be in flight.
//
// A [Law] is a state machine without clock, goroutine or lock. It is told how calls end,
// and answers with a limit. So it can be tried on any simulated service (simulation_test.go
// plays scenarios, and has a second law, AIMD, as an example), and whoever enforces the
// limit is somebody else: executor by the number of its workers, concurrency.Limiter by a
// line of those who wait.
//
// [Controller] is the law that both use. controller.go says what its idea is, and has its
// states as a table. phases.go and trials.go are the transitions; window.go is what is
// measured; baseline.go, losses.go and serial.go each are a part of what it knows.
package adaptive

import "time"

// A Law says how many calls may be in flight. Times are instants of one monotonic clock.
type Law interface {
	// Limit is what is in force until the law is told of something else; at least 1.
	Limit() int
	// Epoch counts the changes of the limit.
	Epoch() int64
	// Bound sets the range of the limit from now on, 1 ≤ floor ≤ ceiling. The limit
	// follows with its next change at the latest.
	Bound(now time.Duration, floor, ceiling int)
	// Observe tells how the calls are made, until it is told again.
	Observe(Conditions)
	// Done takes an attempt that was answered, and reports whether enough have been for
	// a review.
	Done(now time.Duration, a Attempt) (due bool)
	// Lose takes an attempt that the service refused or left unanswered; throttled says
	// that it was asked too often. How long other failures take says nothing: they are
	// not told.
	Lose(now time.Duration, a Attempt, throttled bool)
	// Review draws conclusions; open are the attempts in flight. It is false if there is
	// not enough for that any more, since the limit has changed meanwhile.
	Review(now time.Duration, open []Attempt) bool
	// Silence is asked now and then while nothing ends.
	Silence(now time.Duration)
	// State is how things stand.
	State() State
	// Reason is why the limit changed, for a person, since it was asked for last; or
	// empty.
	Reason() string
}

// Attempt is a call of the service, as it is known when it begins.
type Attempt struct {
	Began    time.Duration
	InFlight int     // with it
	Epoch    int64   // of the law, when it began
	Items    int     // that it is for, where calls are batches
	Cost     float64 // relative to an ordinary call; 0 is that of its items
}

// units returns what it costs, relative to an ordinary call.
func (c Attempt) units() float64 {
	if c.Cost > 0 {
		return c.Cost
	}
	return float64(max(1, c.Items))
}

// Conditions are what whoever makes the calls knows about them.
type Conditions struct {
	Saturated bool    // more calls would find nothing to do, or no core, or are too many already
	Held      bool    // something else than the limit holds calls back
	Open      bool    // calls come as others please: there may be fewer than the limit allows
	Batches   float64 // how many calls are left, where they are batches; +Inf if that is unknown
}

// State is how things stand with a law.
type State struct {
	Baseline  time.Duration // what a call takes that waits for no other one; 0 if unknown
	Latency   time.Duration // mean of the calls of the latest review
	Rate      float64       // a second, at that time
	Exploring bool          // the limit has only grown so far, and may grow
	Settled   bool          // it is the service that bounds the calls in flight
}
