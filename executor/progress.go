package executor

import (
	"slices"
	"time"

	"github.com/amorsize/amorsize/histogram"
)

// Progress is how far a run is, and how it goes, at the time of the call that it is passed to.
type Progress struct {
	Completed, Total int           // items; Completed counts failures too; Total is -1 if it is not known yet
	Failed           int           // of the completed items
	Elapsed          time.Duration // since the start of the run
	Rate             float64       // items finished per second so far
	Remaining        time.Duration // at the rate of the last seconds, plus the rest of a pause; 0 if there is no rate yet
	Workers          int           // running now
	Over             bool          // the run has ended: set in the last Progress

	// Now is the present state: the limit, the calls in flight, what binds them.
	Now Moment
	// Calls counts the calls. It is never nil when a run passes it.
	Calls *Calls
}

// Calls counts the calls of a run, each attempt separately. For batches, it counts items.
type Calls struct {
	Ended   int64    // with or without an error
	Failed  Failures // of those, by cause; the others succeeded
	NotMade int64    // items that a policy refused without a call: an open breaker, a limiter that rejects
	Retried int64    // of those that ended, how many were retries; retries inside the function are counted in Waits

	// Latency is how long calls took, without waits for policies. If several items are claimed
	// at a time and not timed one by one, it has their mean.
	Latency Histogram
	// Waits is how long policies made calls wait, including the backoff before each retry. A
	// wait counts when it has ended.
	Waits []Wait
	// Policies are those that are in an unusual state.
	Policies []PolicyState
}

// clone returns a copy that shares nothing.
func (c *Calls) clone() Calls {
	out := *c
	out.Waits, out.Policies = slices.Clone(c.Waits), slices.Clone(c.Policies)
	for i := range out.Waits {
		out.Waits[i].Times = out.Waits[i].Times.Clone()
	}
	out.Latency = c.Latency.Clone()
	return out
}

// OK returns how many calls succeeded.
func (c *Calls) OK() int64 { return max(0, c.Ended-c.Failed.All()) }

// Failures counts failed calls by cause.
type Failures struct {
	Overloaded int64 // the service was overloaded: 429, 502, 503, 504, 529, a refused connection, SQLSTATE 53
	TimedOut   int64 // a deadline, or an error that says it is a timeout
	Refused    int64 // by a policy within the function
	Panicked   int64
	Other      int64
}

// Merge adds other.
func (f *Failures) Merge(other Failures) {
	f.Overloaded += other.Overloaded
	f.TimedOut += other.TimedOut
	f.Refused += other.Refused
	f.Panicked += other.Panicked
	f.Other += other.Other
}

// All returns how many calls failed.
func (f Failures) All() int64 {
	return f.Overloaded + f.TimedOut + f.Refused + f.Panicked + f.Other
}

// Wait is how long calls have waited for one policy.
type Wait struct {
	Kind  string // the policy's package: "ratelimit", "circuitbreaker", "retry", "concurrency"
	Name  string // the policy's Name, or its kind
	Calls int64
	Total time.Duration
	Times Histogram // of each wait
}

// mean is how long a call waited on average.
func (w *Wait) mean() time.Duration { return w.Total / time.Duration(max(1, w.Calls)) }

// PolicyState is the state of a policy.
type PolicyState struct {
	Kind, Name string
	State      string        // "open", "half-open", "paused"; empty if it is back to normal
	Left       time.Duration // how much longer, 0 if unknown
}

// Histogram counts durations in exponential buckets, as Prometheus and OpenTelemetry do. Its
// methods return the count, the sum and quantiles, exact to 1 %.
type Histogram = histogram.Histogram

// Fraction returns how much of the items is done, 0 to 1; 1 for no items, 0 if
// their number is not known yet.
func (p Progress) Fraction() float64 {
	if p.Total < 0 {
		return 0
	}
	if p.Total == 0 {
		return 1
	}
	return float64(p.Completed) / float64(p.Total)
}

// Every returns a function that passes progress on to report, at most once per interval of the
// run's time, and once when everything is done. Use it for one run only.
func Every(interval time.Duration, report func(Progress)) func(Progress) {
	var last time.Duration
	complete := false
	return func(p Progress) {
		unfinished := p.Total < 0 || p.Completed < p.Total
		if complete || unfinished && p.Elapsed-last < interval {
			return
		}
		last, complete = p.Elapsed, !unfinished
		report(p)
	}
}
