package executor

import (
	"slices"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/sampling"
)

// finish writes the report and returns the run's error, or panics if fn did.
// Nothing of the run is running any more.
func (r *run) finish() (err error) {
	if r.unwatch != nil {
		r.unwatch()
	}
	r.sharing.leave()
	r.ctx.end(nil)
	r.ended = clock.Now()
	r.events.close()
	r.outcome.sort()
	notRun := r.cfg.past.restore(r.source.Rest())
	r.events.counted(r.source.Seen())
	r.done.add(&r.crew.done)
	r.done.add(&r.caller.totals) // if it never joined the crew
	r.cfg.Session.learn(r.lesson())
	err = r.outcome.err(r.parent, len(notRun) > 0)
	report := r.report(notRun, err)
	late := r.events.finish(report)
	if r.cfg.Report != nil && r.events != nil { // a listener may keep its own
		*r.cfg.Report = *report
		r.cfg.Report.Calls = report.Calls.clone()
		r.cfg.Report.Warnings = slices.Concat(report.Warnings, late)
	}
	if r.outcome.panicked != nil {
		panic(r.outcome.panicked)
	}
	return err
}

// lesson returns what the next runs of the session can learn.
func (r *run) lesson() lesson {
	l := lesson{
		items: r.done.items, failed: int64(r.done.failed+count(r.outcome.lost())) - r.cfg.past.failures(),
		teaches: r.cfg.Workers == 0 && r.crew.started,
		plan:    r.planner.plan, workers: r.scheduler.control.Level(), base: r.record.last.Base,
	}
	if r.room.limit > 0 {
		l.held = r.room.unit
	}
	return l
}

// report returns the report of the run, or nil if neither the caller nor a listener needs
// one. Without listeners it is written straight to the caller's.
func (r *run) report(notRun []span, err error) *Report {
	if r.cfg.Report == nil && r.events == nil {
		return nil
	}
	r.crew.count.change(r.ended, 0)
	out := r.cfg.Report
	if r.events != nil {
		out = new(Report) // listeners may keep theirs
	}
	plan := &r.planner.plan
	*out = Report{
		Plan: *plan, Err: err,
		Started: time.Now().Add(r.start - clock.Now()), Elapsed: r.ended - r.start, Busy: r.done.busy,
		PredictedDuration: plan.PredictedDuration,
		PeakWorkers:       r.crew.count.peak, Chunks: r.done.chunks,
		Changes: r.record.changes, Warnings: slices.Concat(r.cfg.past.warn(), plan.Warnings, r.room.warnings()),
		Bound: r.bound(), Timeline: r.record.moments,
	}
	if r.scheduler.waits() {
		out.Latency = r.record.tally.summary(r.record.last.Base)
	}
	out.Calls = r.record.tally.close()
	for _, w := range out.Calls.Waits { // a call that waits for a policy is not in flight
		out.Busy -= min(w.Total, out.Busy)
	}
	if r.cpuStart > 0 {
		if cpu, ok := sampling.ProcessCPU(); ok {
			out.CPUTime = cpu - r.cpuStart
		}
	}
	out.Items = r.source.Seen()
	r.cfg.past.tell(out)
	out.setInvalid(notRun, r.outcome.lost())
	failed := r.done.failed + r.cfg.past.passed() // in a stream, failures are results like any other
	out.Failed, out.Succeeded = out.Failed+failed, out.Succeeded-failed
	if out.Elapsed > 0 {
		out.Speedup = float64(out.Busy) / float64(out.Elapsed)
		out.MeanWorkers = r.crew.count.area / float64(out.Elapsed)
	}
	return out
}

// bound returns what kept the run from having more calls in flight.
func (r *run) bound() Bound {
	switch {
	case r.scheduler.waits():
		return r.record.bound()
	case r.scheduler.control.Cut():
		return BoundByMemory
	}
	return boundByPlan(&r.planner.plan, r.cfg.Workers > 0)
}
