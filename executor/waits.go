package executor

import (
	"math"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// The reviews of I/O-bound calls.

// openPlanned leaves the number of workers to the tracker, starting with the plan's.
func (s *scheduler) openPlanned(now time.Duration) {
	sample := s.planner.plan.Sample
	base, calls := sample.ItemTime(), sample.Items
	if s.planner.surprised {
		calls = 0
	}
	first := s.planner.plan.Workers
	if s.sharing.shares && s.cfg.Plan == nil { // a run with few items must not limit the other runs
		first = max(first, optimizer.First(sample, s.planner.plan.Host.Procs))
	}
	if unit, _, known := s.unit(sample.ItemNanos); s.batches != nil {
		first, base, calls = batchWindow, unit, known
	}
	s.open(now, max(s.cfg.MinWorkers, first), base, calls)
}

// openFound does so once calls are found to be I/O-bound.
func (s *scheduler) openFound(now time.Duration, o hillclimb.Observation) {
	base, calls := o.Mean(), o.Items
	if s.runner.tellsAttempts() {
		own, items := s.ownTime()
		base, calls = own/time.Duration(max(1, items)), int(items)
	}
	sample := sampling.Sample{CPUKnown: true} // the cores were almost idle
	if s.control.Told() {
		sample.CPUShare, _ = s.share.get()
	}
	s.open(now, max(optimizer.First(sample, o.Procs), s.control.Level()), base, calls)
}

// open leaves the number of workers to the tracker, which begins with first. base is the
// time of a call without load, known from calls calls.
func (s *scheduler) open(now time.Duration, first int, base time.Duration, calls int) {
	plan := &s.planner.plan
	most := s.room.calls(s.room.unitsPerCall, s.planner.ceiling())
	if s.batches != nil && plan.Sample.CPUKnown && plan.Workload == sampling.CPUBound {
		most = max(s.cfg.MinWorkers, min(most, plan.Host.Procs))
	}
	s.allow(most)
	s.sharing.tracker.Enlist(s.sharing, now)
	s.sharing.tracker.Open(now, first, base, calls, s.batches != nil)
	s.mode.Store(modeWaiting)
	s.crew.each(func(w *worker) { w.early.Store(w.size.Load() > 0) })
	s.takeTurns()
	s.crew.limit.Store(int64(s.sharing.tracker.Share(s.sharing)))
}

// takeTurns gives a turn to each worker that is in a call, so that other runs make no call
// in its place. If a call has just ended, its worker continues with the turn, or returns it
// when it leaves.
func (s *scheduler) takeTurns() {
	if !s.sharing.shares || !s.waits() {
		return
	}
	for _, w := range s.list(func(w *worker) bool { return w.size.Load() > 0 && w.call != nil }) {
		w.call.forcesTurn(&s.sharing.tracker.Turns)
		s.sharing.tracker.Crowded(clock.Now())
	}
}

// allow sets how many calls in flight this run may have: by its own bounds, and by memory.
// Its number of items does not bound the other runs that share the limit.
func (s *scheduler) allow(most int) {
	reach := most
	if s.sharing.shares && most >= s.planner.ceiling() {
		reach = s.planner.ceilingOfMany()
	}
	s.sharing.allow(most, reach)
}

// decideWaiting lets the tracker review the calls, and takes this run's share of the limit.
func (s *scheduler) decideWaiting(now time.Duration) (change *Change, plan *optimizer.Plan) {
	s.epoch.needed.Store(math.MaxInt64)
	most, before := s.boundByMemory(now), s.sharing.most()
	reduced := most < min(int(s.crew.limit.Load()), before)
	if most != before {
		s.allow(most)
		s.sharing.tracker.Rebound(now)
	}
	held := s.heldBack()
	saturated := s.epoch.saturated(now)
	v := s.sharing.tracker.Review(now, adaptive.Conditions{Saturated: saturated, Batches: s.batchesLeft(), Held: held.metered > 0 || s.starved()})
	limit := s.sharing.tracker.Share(s.sharing)
	moment := Moment{
		At: now - s.start, Limit: limit, InFlight: v.InFlight, Held: held.workers,
		Rate: v.Rate, Latency: v.Latency, Base: v.Base,
	}
	switch {
	case saturated:
		moment.Bound = BoundByCores
	case v.AtCeiling:
		moment.Bound = BoundByCaller
	case v.Settled:
		moment.Bound = BoundByService
	}
	moment.Bound = s.boundOf(moment)
	s.record.add(moment)
	if s.batches != nil && s.batches.sizer != nil {
		s.batches.sizer.Shorten(s.sharing.tracker.Exploring())
	}
	if reduced && limit == most {
		v.Reason = s.room.reason()
	}
	if v.Reason != "" && limit != s.told {
		change = s.record.note(now, limit, v.Reason)
		s.told = limit
	}
	s.crew.limit.Store(int64(held.workersFor(limit, s.mostWorkers())))
	return change, s.planner.reviseWaiting(s.waitingCalls(v.Base))
}

// mostWorkers is the bound on workers that the caller set, 0 for none.
func (s *scheduler) mostWorkers() int {
	if s.cfg.Plan != nil {
		return s.planner.plan.MaxWorkers
	}
	return s.cfg.MaxWorkers
}

// waitingCalls returns what is known about the calls; base is the time of a call without
// load.
func (s *scheduler) waitingCalls(base time.Duration) waitingCalls {
	share, _ := s.share.get()
	return waitingCalls{
		base: base, variation: s.record.tally.variation(), share: share,
		began: s.record.began, heldBytes: s.room.held(),
	}
}

// batchesLeft returns how many batches of the settled size remain; infinitely many if it is
// not a run of batches.
func (s *scheduler) batchesLeft() float64 {
	_, size, _ := s.unit(s.planner.plan.Sample.ItemNanos)
	if size == 0 {
		return math.Inf(1)
	}
	return float64(s.source.Left()) / float64(size)
}

// boundOf returns what bounds the calls in flight at a moment. The tracker knows the service
// and a ceiling, but neither the reason for the ceiling nor what keeps calls below it.
func (s *scheduler) boundOf(m Moment) Bound {
	ceiling := m.Bound == BoundByCaller || m.Limit >= s.sharing.most()
	idle, _ := s.source.Demand()
	switch {
	case s.policiesBind(m):
		return BoundByPolicies
	case s.source.Left() == 0 || idle > 0: // items ran out, or arrive too slowly
		return BoundByItems
	case ceiling && s.sharing.most() < s.planner.ceiling():
		return BoundByMemory
	case ceiling && (s.cfg.MaxWorkers == 0 || m.Limit < s.cfg.MaxWorkers):
		return BoundByItems
	}
	return m.Bound
}

// policiesBind reports whether it is policies that keep calls from being in flight.
func (s *scheduler) policiesBind(m Moment) bool {
	return s.starved() || m.Held > 0 && 5*m.InFlight < 4*m.Limit || m.Held > m.Limit/2
}

// starved reports whether there are items left but the policies hold the workers back.
func (s *scheduler) starved() bool {
	idle, _ := s.source.Demand()
	return idle > 0 && source.Parked(s.source) > 0
}

// foresee predicts the time of the run again from its throughput.
func (s *scheduler) foresee(now time.Duration) {
	if s.arrives {
		return
	}
	defer s.planner.foreseeBudgets()
	a := achieved{after: now - s.start, items: int(s.room.ended.Load())}
	switch m := &s.record.last; {
	case s.waits() && m.Bound == "" && 2*a.items < s.total:
		s.planner.foreseeGrowth(s.waitingCalls(m.Base))
		return
	case s.waits():
		a.inFlight, a.latency, a.bounded = m.InFlight+m.Held, m.Latency, m.Bound != ""
	case s.planner.plan.PredictedDuration == 0: // a fixed number without a sample; the throughput of a trial says nothing
		a.inFlight, a.bounded = int(s.crew.running.Load()), !s.control.Trying()
	default:
		return
	}
	s.planner.foresee(a)
}
