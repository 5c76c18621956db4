package executor

import (
	"time"
)

// maxMoments is how many moments a story keeps; when there are more, every other one is
// dropped.
const maxMoments = 512

// story keeps the moments of a run of I/O-bound calls, evenly spread over its time.
type story struct {
	moments []Moment
	every   time.Duration // least time between two moments
	last    Moment
	began   time.Duration           // the first moment
	bounds  map[Bound]time.Duration // how long each has bound the run
}

// add keeps m. Values that were not measured again are as before.
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
