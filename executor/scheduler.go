package executor

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// The modes of a [scheduler], which say what decides how many workers there are.
//
//	in         goes to    when
//	settling   computing  the size of batches is settled, and they are CPU-bound
//	           waiting    it is settled, and they are I/O-bound
//	computing  waiting    calls are found to be I/O-bound
const (
	modeSettling  int32 = iota + 1 // one worker, until the size of batches is settled
	modeComputing                  // internal/hillclimb
	modeWaiting                    // internal/adaptive, by way of a flight.Tracker
)

// scheduler decides how many workers run. It reviews the run, one review at a time, asks the
// controller of its mode, and sets the limit of the crew. Workers read its mode and its
// epoch; everything else is used by one goroutine at a time: the one that makes the run, then
// the reviews.
type scheduler struct {
	*job
	crew    *crew
	source  source.Source
	sizer   sizing.Sizer
	planner *planner
	record  *record
	room    *room
	sharing *sharing
	events  *events

	pacer   pacer
	mode    atomic.Int32
	epoch   epoch
	share   cpuShare
	control hillclimb.Controller // for CPU-bound calls
	told    int                  // the limit of I/O-bound calls, as last announced
	listed  []*worker            // reused by list
}

// waits reports whether the calls are I/O-bound, as far as known: then the tracker is told of
// their attempts.
func (s *scheduler) waits() bool { return s.mode.Load() == modeWaiting }

// engage starts deciding, before there is any worker. The caller will be the first one;
// inCall says that it is in a long call.
func (s *scheduler) engage(now time.Duration, inCall bool) {
	s.pacer.at.Store(int64(now + reviewEvery))
	if !s.settling() {
		s.begin(now)
		return
	}
	s.mode.Store(modeSettling)
	s.crew.limit.Store(1)
	if inCall {
		s.crew.limit.Store(2)
	}
}

// begin starts to decide the number of workers.
func (s *scheduler) begin(now time.Duration) {
	fixed, ceiling := s.cfg.Workers > 0, s.planner.ceiling()
	plan := &s.planner.plan
	s.control = hillclimb.New(now, hillclimb.Start{
		Workers: plan.Workers, ItemNanos: plan.Sample.ItemNanos,
		Floor: s.cfg.MinWorkers, Ceiling: ceiling, Fixed: fixed,
		MemoryBinds: slices.ContainsFunc(plan.Limits, func(l optimizer.Limit) bool { return l.OfMemory() && l.Binding }),
	})
	if s.planner.surprised {
		s.control.ForgetBase()
	}
	s.control.Allow(s.room.calls(1, ceiling))
	s.mode.Store(modeComputing)
	s.crew.limit.Store(int64(s.control.Level()))
	waits := plan.Workload != sampling.CPUBound && ceiling > plan.Host.Procs
	if !fixed && (waits || s.batches != nil && !s.cfg.ComputeOnly) { // too few batches to try numbers of workers
		s.openPlanned(now)
	}
	s.epoch.begin(now)
	s.share.wanted.Store(s.planner.unknown())
}

// reviewed reviews the run after a claim of a worker, if a review is due; counts says that
// the claim began and ended in the epoch.
func (s *scheduler) reviewed(now time.Duration, counts bool) {
	enough := counts && s.epoch.ended.Add(1) >= s.epoch.needed.Load()
	if enough || s.mode.Load() == modeSettling || s.sharing.tracker.Due() || now >= time.Duration(s.pacer.at.Load()) {
		s.review(now)
	}
}

// review measures the run and adjusts it. It reports whether anything was changed.
func (s *scheduler) review(now time.Duration) (changed bool) {
	return s.pacer.review(now, s.look)
}

// look is one review.
func (s *scheduler) look(now time.Duration) (changed bool) {
	change, plan, cut := s.decide(now)
	if s.events != nil {
		s.events.noted(s.moment(now))
	}
	if s.room.forced() {
		s.pacer.again() // to use what it tells
	}
	if plan != nil {
		s.events.tellPlan("plan revised", *plan)
	}
	if change != nil {
		s.events.tellChange(change)
	}
	return change != nil || plan != nil || cut
}

// moment is the state of the run at this review.
func (s *scheduler) moment(now time.Duration) Moment {
	if s.waits() {
		return s.record.last
	}
	return Moment{
		At: now - s.start, Limit: int(s.crew.limit.Load()), InFlight: int(s.crew.running.Load()),
		Bound: boundByPlan(&s.planner.plan, s.cfg.Workers > 0),
	}
}

// decide asks the controller of the mode.
func (s *scheduler) decide(now time.Duration) (change *Change, plan *optimizer.Plan, cut bool) {
	workers := s.crew.running.Load()
	// With many workers a review takes longer, so reviews are less frequent.
	s.pacer.at.Store(int64(now + reviewEvery*time.Duration(1+workers/1024)))
	switch {
	case workers == 0 || s.over.Load(): // the run ends
		return nil, nil, false
	case s.mode.Load() == modeSettling:
		return nil, s.settle(now), false
	}
	cut = s.cutLate(now)
	if !s.waits() {
		change, plan = s.decideComputing(now)
	}
	if s.waits() {
		c, revised := s.decideWaiting(now)
		if c != nil {
			change = c
		}
		if revised != nil {
			plan = revised
		}
	}
	s.foresee(now)
	s.crew.grow()
	return change, plan, cut
}

// settle starts adding workers once the batch size is settled.
func (s *scheduler) settle(now time.Duration) *optimizer.Plan {
	s.boundByMemory(now) // memory bounds the size of the next batch
	if s.settling() {
		return nil
	}
	plan := s.planner.settled()
	s.begin(now)
	s.crew.grow()
	return plan
}

// boundByMemory returns how many calls in flight the memory allows.
func (s *scheduler) boundByMemory(now time.Duration) (most int) {
	return s.room.look(now, s.inFlight(now), s.planner.ceiling())
}

// cutLate makes workers whose claim takes much longer than expected return the rest of it.
func (s *scheduler) cutLate(now time.Duration) (cut bool) {
	late := s.sizer.Late()
	if late == 0 {
		return false
	}
	s.crew.each(func(w *worker) {
		if age, items := w.age(now); items > 1 && age > late {
			rest, shortened := w.shorten()
			s.source.Return(rest) // with the lock held: no worker may leave before
			cut = cut || shortened
		}
	})
	return cut
}

// list returns the workers for which is holds. The slice is valid until the next call. It is
// for work that takes other locks, which must not happen with the crew's lock held.
func (s *scheduler) list(is func(*worker) bool) []*worker {
	s.listed = s.listed[:0]
	s.crew.each(func(w *worker) {
		if is(w) {
			s.listed = append(s.listed, w)
		}
	})
	return s.listed
}

// hiresWaiting reports whether a helper is for I/O-bound calls. Batches are assumed to be
// I/O-bound from the start.
func (s *scheduler) hiresWaiting() bool {
	mode := s.mode.Load()
	return mode == modeWaiting || mode == modeSettling && !s.cfg.ComputeOnly
}
