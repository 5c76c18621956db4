package executor

import (
	"sync"
	"time"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// Session is what runs of the same function share through Config.Session: the plan, once one
// run has made it; and for I/O-bound calls one limit on calls in flight over all of them,
// which later runs continue with. The zero value is ready. It is safe for concurrent use and
// must not be copied.
type Session struct {
	tracker flight.Tracker

	mu      sync.Mutex
	plan    optimizer.Plan // of the latest run that made one
	learned *learned       // nil before a run has measured anything
	stats   Stats
}

// learned is what a run has measured, for the next run to begin with.
type learned struct {
	sample  sampling.Sample
	workers int // for CPU-bound calls
}

// worthSharing reports whether a number of items is known to be worth several workers: the
// calls are I/O-bound, which the session's limit is for, and there is enough work for a second
// worker.
func (l *learned) worthSharing(items int) bool {
	return l != nil && (l.sample.Workload() != sampling.CPUBound || l.sample.Estimate(items) >= optimizer.LeastWork)
}

// Stats is what a session has seen and learned.
type Stats struct {
	Runs   int   // that have begun
	Active int   // that are running
	Items  int64 // that were run, failures included, in runs that have ended
	Failed int64 // of them

	Limit    int           // calls that may be in flight; 0 as long as they are not known to be I/O-bound
	InFlight int           // calls that are in flight
	Rate     float64       // calls per second at the latest measurement, 0 if there is none
	Latency  time.Duration // mean time of a call then
	Base     time.Duration // mean time of a call without load
}

// worthLearning is how many items a run must have had for the next one to learn from it.
const worthLearning = 8

// Stats returns what the session has seen and learned so far.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	stats := s.stats
	s.mu.Unlock()
	if state, limit, ok := s.tracker.State(); ok {
		stats.Limit, stats.InFlight = limit, s.tracker.InFlight()
		stats.Base, stats.Rate, stats.Latency = state.Baseline, state.Rate, state.Latency
	}
	return stats
}

// Plan returns the plan of the latest run that made one, and whether there is one. The next
// run makes its own plan from the same measurements, for its own items and settings.
func (s *Session) Plan() (optimizer.Plan, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan, s.learned != nil
}

// begin counts a run, and returns what was learned.
func (s *Session) begin() *learned {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Runs++
	s.stats.Active++
	return s.learned
}

// end records that a run ended within its solo, after a number of items.
func (s *Session) end(items int, failed int64) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(items, failed)
}

// count counts a run that has ended. mu is held.
func (s *Session) count(items int, failed int64) {
	s.stats.Active--
	s.stats.Items += int64(items)
	s.stats.Failed += failed
}

// lesson is what a run with several workers has measured, for the next ones.
type lesson struct {
	items   int
	failed  int64
	teaches bool // the run is worth learning from
	plan    optimizer.Plan
	workers int           // for CPU-bound calls
	base    time.Duration // of an I/O-bound call without load; 0 if unknown
	held    float64       // bytes that a call holds; 0 if unknown
}

// learn takes the lesson of a run.
func (s *Session) learn(l lesson) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(l.items, l.failed)
	sample := l.plan.Sample
	if l.base > 0 {
		sample.ItemNanos = float64(l.base)
	}
	if !l.teaches || l.items < worthLearning || sample.ItemNanos <= 0 {
		return
	}
	if l.held > 0 {
		sample.HeldBytes = l.held
	}
	sample.Items, sample.Elapsed = 0, 0 // they are not of the next run
	s.learned = &learned{sample, l.workers}
	s.plan = l.plan
	s.plan.Warnings = nil
}
