package jobs

import (
	"sync/atomic"
	"time"
)

// State is the progress of a run. It may be read at any time.
type State struct {
	Began   time.Time
	Total   atomic.Int64 // items; -1 if it is not known yet
	Done    atomic.Int64 // items that have ended
	Failed  atomic.Int64
	Tries   atomic.Int64 // attempts
	Slots   atomic.Int64 // jobs that may run at a time, or do
	Running atomic.Int64 // attempts in flight
	Peak    atomic.Int64
	CPU     atomic.Int64 // nanoseconds of all attempts
	Memory  atomic.Int64 // bytes of all attempts in flight, as far as known: the largest × their number
	planned atomic.Int64 // when the sample ended, nanoseconds after Began
	sampled atomic.Int64 // items that had ended then
	wall    atomic.Int64 // nanoseconds of successful attempts
	ended   atomic.Int64 // successful attempts
}

// Rate returns the items per second since the sample.
func (s *State) Rate(now time.Time) float64 {
	took := now.Sub(s.Began) - time.Duration(s.planned.Load())
	if took <= 0 {
		return 0
	}
	return float64(s.Done.Load()-s.sampled.Load()) / took.Seconds()
}

// Usual returns the usual time of a successful attempt; 0 while fewer than five have succeeded.
func (s *State) Usual() time.Duration {
	n := s.ended.Load()
	if n < 5 {
		return 0
	}
	return time.Duration(s.wall.Load() / n)
}

func (s *State) begin() {
	s.Tries.Add(1)
	n := s.Running.Add(1)
	for peak := s.Peak.Load(); n > peak && !s.Peak.CompareAndSwap(peak, n); {
		peak = s.Peak.Load()
	}
}

func (s *State) end(j *Job, err error) {
	if err == nil {
		s.wall.Add(int64(j.Wall))
		s.ended.Add(1)
	}
	s.CPU.Add(int64(j.CPU))
	if total := j.Memory * s.Running.Load(); total > s.Memory.Load() {
		s.Memory.Store(total)
	}
	s.Running.Add(-1)
}
