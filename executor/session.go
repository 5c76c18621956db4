package executor

import (
	"math"
	"sync"
	"time"

	"github.com/amorsize/amorsize/optimizer"
)

// Session is what runs of the same function have in common if Config.Session
// says so: the plan, once one run has made it; and, of calls that wait, one
// limit on how many are in flight in all of them together, which goes on from
// where it was. The zero value is ready. It is safe for concurrent use and must
// not be copied.
type Session struct {
	gate gate

	mu    sync.Mutex
	plan  *optimizer.Plan // nil before a run has shown anything
	stats Stats
}

// Stats tells what a session has seen and learned.
type Stats struct {
	Runs   int   // that have begun
	Active int   // that are under way
	Items  int64 // that were run, failures included, in runs that have ended
	Failed int64 // of them

	Limit    int           // calls that may be in flight; 0 as long as they are not known to wait
	InFlight int           // calls that are
	Rate     float64       // calls per second at the latest measurement, 0 if there is none
	Latency  time.Duration // mean time of a call then
	Base     time.Duration // mean time of a call that no other one keeps waiting
}

// Stats returns what the session has seen and learned so far.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	stats := s.stats
	s.mu.Unlock()
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	if a := s.gate.adaptive; a != nil {
		stats.Limit, stats.InFlight = a.limit, int(s.gate.inFlight.Load())
		stats.Base = seconds(a.base.mean)
		if a.latest.time > 0 {
			stats.Rate, stats.Latency = a.latest.inFlight/a.latest.time, seconds(a.latest.time)
		}
	}
	return stats
}

// Plan returns the plan that the next run starts with, and whether there is one.
func (s *Session) Plan() (optimizer.Plan, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plan == nil {
		return optimizer.Plan{}, false
	}
	return *s.plan, true
}

// begin gives a run the plan that was learned, unless its caller decides.
func (s *Session) begin(cfg *Config) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Runs++
	s.stats.Active++
	if s.plan != nil && cfg.Plan == nil && cfg.Workers == 0 && cfg.SampleSize == 0 {
		cfg.Plan = s.plan
	}
}

// end takes what a run did. p is nil if it ended within its opening.
func (s *Session) end(p *pool, items int) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Active--
	if p == nil {
		s.stats.Items += int64(items)
		return
	}
	s.stats.Items += int64(p.totals.items)
	for _, f := range p.faults.failed {
		s.stats.Failed += int64(f.hi - f.lo)
	}
	if p.cfg.Workers > 0 || p.totals.items < minItems {
		return
	}
	plan := p.plan
	plan.Reason = "learned from earlier runs"
	plan.MaxWorkers = optimizer.Ceiling(plan.Sample, plan.Host, p.cfg.constraints(math.MaxInt32))
	if !p.adapts.Load() {
		plan.Workers, plan.MaxWorkers = p.control.level, max(p.control.level, p.plan.MaxWorkers)
	}
	s.plan = &plan
}
