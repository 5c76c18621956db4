package amorsizetest

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Ended is a call that has ended.
type Ended struct {
	At       time.Duration // since the start of the service
	Latency  time.Duration
	InFlight int   // other calls that were in flight
	Err      error // nil if it was answered
}

// Timeline has the calls of a service, or a part of them.
type Timeline struct {
	From, Until time.Duration
	Ended       []Ended // in the order of their ends
	load        []load
}

// load is how many calls were in flight from a time on.
type load struct {
	at    time.Duration
	calls int
}

func (t *Timeline) began(at time.Duration, calls int) { t.load = append(t.load, load{at, calls}) }

func (t *Timeline) add(at, began time.Duration, calls int, err error) {
	t.Ended = append(t.Ended, Ended{At: at, Latency: at - began, InFlight: calls, Err: err})
	t.load = append(t.load, load{at, calls})
}

// Between returns the part of the timeline from one time to another.
func (t Timeline) Between(from, until time.Duration) Timeline {
	part := Timeline{From: max(t.From, from), Until: min(t.Until, until)}
	for _, e := range t.Ended {
		if e.At >= from && e.At < until {
			part.Ended = append(part.Ended, e)
		}
	}
	before := load{at: from}
	for _, l := range t.load {
		switch {
		case l.at < from:
			before.calls = l.calls
		case l.at < until:
			part.load = append(part.load, l)
		}
	}
	part.load = slices.Insert(part.load, 0, before)
	return part
}

// Succeeded returns how many calls were answered.
func (t Timeline) Succeeded() (n int) {
	for _, e := range t.Ended {
		if e.Err == nil {
			n++
		}
	}
	return n
}

// Lost returns the share of calls that ended with an error, 0 to 1.
func (t Timeline) Lost() float64 {
	if len(t.Ended) == 0 {
		return 0
	}
	return 1 - float64(t.Succeeded())/float64(len(t.Ended))
}

// Goodput returns answered calls per second.
func (t Timeline) Goodput() float64 {
	if t.Until <= t.From {
		return 0
	}
	return float64(t.Succeeded()) / (t.Until - t.From).Seconds()
}

// Latency returns the quantile q, 0 to 1, of the time of answered calls.
func (t Timeline) Latency(q float64) time.Duration {
	var took []time.Duration
	for _, e := range t.Ended {
		if e.Err == nil {
			took = append(took, e.Latency)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	at := int(math.Ceil(q*float64(len(took)))) - 1
	return took[max(0, min(at, len(took)-1))]
}

// MostInFlight returns the maximum of calls in flight.
func (t Timeline) MostInFlight() (most int) {
	for _, l := range t.load {
		most = max(most, l.calls)
	}
	return most
}

// MeanInFlight returns how many calls were in flight on average over time.
func (t Timeline) MeanInFlight() float64 {
	area := 0.0
	for i, l := range t.load {
		until := t.Until
		if i+1 < len(t.load) {
			until = t.load[i+1].at
		}
		area += float64(l.calls) * (until - l.at).Seconds()
	}
	if t.Until <= t.From {
		return 0
	}
	return area / (t.Until - t.From).Seconds()
}

// TB is the part of [testing.TB] that assertions use.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// AssertGoodput fails the test if fewer calls per second were answered.
func (t Timeline) AssertGoodput(tb TB, atLeast float64) bool {
	tb.Helper()
	return check(tb, t.Goodput() >= atLeast, "goodput is %.4g/s, want at least %.4g/s", t.Goodput(), atLeast)
}

// AssertLost fails the test if a larger share of the calls ended with an error.
func (t Timeline) AssertLost(tb TB, atMost float64) bool {
	tb.Helper()
	return check(tb, t.Lost() <= atMost, "%.2f %% of %d calls were lost, want at most %.2f %%", 100*t.Lost(), len(t.Ended), 100*atMost)
}

// AssertInFlight fails the test if more calls were in flight at any time.
func (t Timeline) AssertInFlight(tb TB, atMost int) bool {
	tb.Helper()
	return check(tb, t.MostInFlight() <= atMost, "%d calls were in flight, want at most %d", t.MostInFlight(), atMost)
}

// AssertLatency fails the test if the quantile q of the time of answered calls is longer.
func (t Timeline) AssertLatency(tb TB, q float64, atMost time.Duration) bool {
	tb.Helper()
	return check(tb, t.Latency(q) <= atMost, "the %g quantile of latency is %v, want at most %v", q, t.Latency(q), atMost)
}

func check(tb TB, ok bool, format string, args ...any) bool {
	tb.Helper()
	if !ok {
		tb.Errorf("amorsizetest: %s", fmt.Sprintf(format, args...))
	}
	return ok
}

// After returns the timeline from the end of the answered call with that number on,
// counted from 1.
func (t Timeline) After(calls int) Timeline {
	if calls == 0 {
		return t
	}
	for _, e := range t.Ended {
		if e.Err != nil {
			continue
		}
		if calls--; calls == 0 {
			return t.Between(e.At, t.Until+1)
		}
	}
	return Timeline{From: t.Until, Until: t.Until}
}
