package executor

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxMoments is how many moments a story keeps; above it every other one is dropped.
const maxMoments = 512

// story keeps what a run of calls that wait was like, evenly spread over its time.
type story struct {
	moments []Moment
	every   time.Duration // least time between two moments
	last    Moment
	began   time.Duration           // the first moment
	bounds  map[Bound]time.Duration // how long each has bound the run
}

// add keeps m. What was not measured anew is as before.
func (s *story) add(m Moment) {
	if m.Rate == 0 {
		m.Rate, m.Latency = s.last.Rate, s.last.Latency
	}
	if m.At < s.last.At {
		return // reviews may overtake each other
	}
	if len(s.moments) == 0 {
		s.began = m.At
	}
	if s.last.Bound != "" {
		if s.bounds == nil {
			s.bounds = map[Bound]time.Duration{}
		}
		s.bounds[s.last.Bound] += m.At - s.last.At
	}
	s.last = m
	if n := len(s.moments); n > 0 && m.At-s.moments[n-1].At < s.every {
		return
	}
	s.moments = append(s.moments, m)
	if len(s.moments) < maxMoments {
		return
	}
	for i := range maxMoments / 2 {
		s.moments[i] = s.moments[2*i+1]
	}
	s.moments = s.moments[:maxMoments/2]
	s.every = 2 * m.At / maxMoments
}

// bound returns what has bound the run for longest. A run that only grew ran
// out of items.
func (s *story) bound() Bound {
	longest := BoundByItems
	for _, b := range []Bound{BoundByCores, BoundByMemory, BoundByPolicies, BoundByService, BoundByCaller} {
		if s.bounds[b] > s.bounds[longest] {
			longest = b
		}
	}
	return longest
}

// latencies collects them. A nil *latencies collects nothing.
type latencies struct {
	mu        sync.Mutex
	histogram *hdrhistogram.Histogram // of microseconds, up to an hour
}

func newLatencies() *latencies {
	return &latencies{histogram: hdrhistogram.New(1, time.Hour.Microseconds(), 2)}
}

// fewestCalls is how many are needed to tell how much they vary.
const fewestCalls = 6

func (l *latencies) record(took time.Duration, calls int) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	each := min(max(1, took.Microseconds()/int64(calls)), time.Hour.Microseconds())
	_ = l.histogram.RecordValues(each, int64(calls)) // it is in range
}

// variation returns the coefficient of variation of the calls so far, 0 if unknown.
func (l *latencies) variation() float64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.histogram.TotalCount() < fewestCalls || l.histogram.Mean() <= 0 {
		return 0
	}
	return l.histogram.StdDev() / l.histogram.Mean()
}

func (l *latencies) summary(base time.Duration) Latencies {
	if l == nil || l.histogram.TotalCount() == 0 {
		return Latencies{Base: base}
	}
	at := func(q float64) time.Duration {
		return time.Duration(l.histogram.ValueAtQuantile(q)) * time.Microsecond
	}
	return Latencies{Base: base, P50: at(50), P90: at(90), P99: at(99), Max: time.Duration(l.histogram.Max()) * time.Microsecond}
}
