package executor

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// The reviews of CPU-bound calls, until they are found to be I/O-bound.

// decideComputing leaves the number of workers to control.
func (s *scheduler) decideComputing(now time.Duration) (change *Change, plan *optimizer.Plan) {
	if s.control.Allow(s.boundByMemory(now)) {
		why := s.room.reason()
		if s.control.Level() > int(s.crew.limit.Load()) {
			why = "memory: there is room for more calls"
		}
		s.crew.limit.Store(int64(s.control.Level()))
		change = s.record.note(now, s.control.Level(), why)
		s.epoch.begin(now)
	}
	o := s.observe(now)
	plan = s.revise(o)
	d := s.control.Next(o)
	changed := d.Waits || d.Limit != int(s.crew.limit.Load())
	if d.Waits {
		s.openFound(now, o)
		d.Limit, d.Reason, d.NewEpoch = int(s.crew.limit.Load()), "cores are idle: the calls are I/O-bound", true
	}
	if changed {
		s.crew.limit.Store(int64(d.Limit))
		if d.Reason != "" {
			change = s.record.note(now, d.Limit, d.Reason)
		}
	}
	if d.NewEpoch {
		s.epoch.begin(now)
	}
	return change, plan
}

// observe adds up the epoch so far.
func (s *scheduler) observe(now time.Duration) hillclimb.Observation {
	o := hillclimb.Observation{
		Now: now, Age: now - s.epoch.since, Cores: -1,
		Procs: runtime.GOMAXPROCS(0), Left: s.source.Left(),
	}
	epoch, idle, inCalls := s.epoch.number.Load(), 0, time.Duration(0)
	o.Running = s.crew.each(func(w *worker) {
		w.observe(epoch, &o)
		if w.size.Load() == 0 {
			idle++
		} else if began := max(s.epoch.since, time.Duration(w.began.Load())); began < now {
			inCalls += now - began
		}
	})
	if s.arrives { // workers may wait for items: an idle core says nothing about the calls
		o.Running -= idle
		if o.Age > 0 {
			o.Occupied = float64(o.Busy+inCalls) / float64(o.Age)
		}
	}
	if used, ok := s.epoch.cores(now); ok {
		o.Cores = used
	}
	return o
}

// revise makes the plan again once the CPU share of the calls is known.
func (s *scheduler) revise(o hillclimb.Observation) *optimizer.Plan {
	share, known := s.share.get()
	if !known || !s.planner.unknown() {
		return nil
	}
	s.control.Learn(sampling.Sample{CPUShare: share, CPUKnown: true}.Workload() != sampling.CPUBound)
	took := time.Duration(0)
	if o.Items > 0 {
		took = o.Busy / time.Duration(o.Items)
		if own, items := s.ownTime(); items > 0 {
			took = own / time.Duration(items)
		}
	}
	return s.planner.revise(share, took, s.room.held())
}

// ownTime returns the time that the workers spent in the function, without waits for
// policies, and for how many items that is known.
func (s *scheduler) ownTime() (own time.Duration, items int64) {
	s.crew.each(func(w *worker) {
		own += time.Duration(w.policed.ownTime.Load())
		items += w.policed.ownItems.Load()
	})
	return own, items
}
