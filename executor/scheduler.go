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

// The modes of a [scheduler], which say who decides how many workers there are.
//
//	in         goes to    when
//	settling   computing  the size of batches is settled, and they compute
//	           waiting    it is settled, and they wait
//	computing  waiting    calls are found to wait
const (
	modeSettling  int32 = iota + 1 // one worker, until the size of batches is settled
	modeComputing                  // internal/hillclimb
	modeWaiting                    // internal/adaptive, by way of a flight.Tracker
)

// scheduler decides how many workers run. It looks at the run in reviews, one at a time, asks
// the law of its mode, and sets the limit of the crew. Workers read its mode and its epoch;
// all else is used by one goroutine at a time: the one that makes the run, then the
// reviews.
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
	control hillclimb.Controller // of calls that compute
	told    int                  // the limit of calls that wait, as last told
	listed  []*worker            // reused by list
}

// waits reports whether the calls wait, as far as is known: their attempts are told.
func (s *scheduler) waits() bool { return s.mode.Load() == modeWaiting }

// engage begins to decide, before there is any worker. The caller will be the first one:
// inCall says that it is in a call, which takes long.
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

// begin has the number of workers decided from here on.
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
	if !fixed && (waits || s.batches != nil && !s.cfg.ComputeOnly) { // batches are too few for trials of computing
		s.openPlanned(now)
	}
	s.epoch.begin(now)
	s.share.wanted.Store(s.planner.unknown())
}

// reviewed reviews the run after a claim of a worker, if it is time to: counts says that the
// claim began and ended in the epoch.
func (s *scheduler) reviewed(now time.Duration, counts bool) {
	enough := counts && s.epoch.ended.Add(1) >= s.epoch.needed.Load()
	if enough || s.mode.Load() == modeSettling || s.sharing.tracker.Due() || now >= time.Duration(s.pacer.at.Load()) {
		s.review(now)
	}
}

// review looks at how the run is going and changes what needs changing. It
// reports whether anything was changed.
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
		s.pacer.again() // for what it tells
	}
	if plan != nil {
		s.events.tellPlan("plan revised", *plan)
	}
	if change != nil {
		s.events.tellChange(change)
	}
	return change != nil || plan != nil || cut
}

// moment is the state of things, as of this review.
func (s *scheduler) moment(now time.Duration) Moment {
	if s.waits() {
		return s.record.last
	}
	return Moment{
		At: now - s.start, Limit: int(s.crew.limit.Load()), InFlight: int(s.crew.running.Load()),
		Bound: boundByPlan(&s.planner.plan, s.cfg.Workers > 0),
	}
}

// decide asks the law.
func (s *scheduler) decide(now time.Duration) (change *Change, plan *optimizer.Plan, cut bool) {
	workers := s.crew.running.Load()
	// With many workers a review takes longer, so it comes more rarely.
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

// settle begins to have more workers once the size of the batches is settled.
func (s *scheduler) settle(now time.Duration) *optimizer.Plan {
	s.boundByMemory(now) // it bounds the size of the next batch
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

// cutLate has workers whose claim takes much longer than foreseen hand the rest of it back.
func (s *scheduler) cutLate(now time.Duration) (cut bool) {
	late := s.sizer.Late()
	if late == 0 {
		return false
	}
	s.crew.each(func(w *worker) {
		if age, items := w.age(now); items > 1 && age > late {
			rest, shortened := w.shorten()
			s.source.Return(rest) // with the lock held: nobody may leave before
			cut = cut || shortened
		}
	})
	return cut
}

// list returns the workers for which is holds, good until it is called again: what takes a
// lock of its own is done with them, and not while the crew's is held.
func (s *scheduler) list(is func(*worker) bool) []*worker {
	s.listed = s.listed[:0]
	s.crew.each(func(w *worker) {
		if is(w) {
			s.listed = append(s.listed, w)
		}
	})
	return s.listed
}

// hiresWaiting reports whether a helper is for calls that wait. Batches are taken for such
// from the first on.
func (s *scheduler) hiresWaiting() bool {
	mode := s.mode.Load()
	return mode == modeWaiting || mode == modeSettling && !s.cfg.ComputeOnly
}
