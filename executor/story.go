package executor

import "time"

// Moment is what a run of calls that wait was like at a time.
type Moment struct {
	At       time.Duration // since the start of the run
	Limit    int           // calls that may be in flight
	InFlight int           // calls that were
	Held     int           // calls held back by policies
	Rate     float64       // calls per second, as of the latest measurement
	Latency  time.Duration // mean time of a call, as of the latest measurement
	Base     time.Duration // mean time of a call that no other one keeps waiting
}

// maxMoments is how many moments a story keeps; above it every other one is dropped.
const maxMoments = 512

// story keeps what a run was like, evenly spread over its time.
type story struct {
	moments []Moment
	every   time.Duration // least time between two moments
}

func (s *story) add(at time.Duration, m Moment, limit, held int) {
	if n := len(s.moments); n > 0 {
		last := s.moments[n-1]
		if m.Rate == 0 {
			m.Rate, m.Latency = last.Rate, last.Latency
		}
		if at-last.At < s.every {
			return
		}
	}
	m.At, m.Limit, m.Held = at, limit, held
	s.moments = append(s.moments, m)
	if len(s.moments) < maxMoments {
		return
	}
	for i := range maxMoments / 2 {
		s.moments[i] = s.moments[2*i+1]
	}
	s.moments = s.moments[:maxMoments/2]
	s.every = at / maxMoments * 2
}
