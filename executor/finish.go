package executor

import (
	"errors"
	"slices"
	"sync"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// faults collects what went wrong.
type faults struct {
	mu       sync.Mutex
	failed   []fault
	panicked *PanicError
	exited   bool // a listener called runtime.Goexit
}

// fault is a failed item or batch.
type fault struct {
	span
	err error
}

// fail takes note of a failure, and stops the run if it is to fail fast.
func (p *pool) fail(err error, lost span) {
	if p.claims.feed != nil && p.cfg.Errors == Collect {
		return // it is a result of the stream
	}
	p.faults.mu.Lock()
	p.faults.failed = append(p.faults.failed, fault{lost, err})
	p.faults.mu.Unlock()
	if p.cfg.Errors == FailFast {
		p.halt()
		p.ctx.end(err)
	}
}

// panics takes note of a panic and stops the run. Of several panics the one of
// the lowest item is carried to the caller, one of an observer only if there is
// no other.
func (p *pool) panics(e *PanicError, lost span) {
	if e == nil {
		e = &PanicError{Index: lost.lo}
	}
	p.faults.mu.Lock()
	if e.before(p.faults.panicked) {
		p.faults.panicked = e
	}
	if lost.lo < lost.hi {
		p.faults.failed = append(p.faults.failed, fault{lost, e})
	}
	p.faults.mu.Unlock()
	p.halt()
	p.ctx.end(e)
}

// listenerFailed stops the run because a listener panicked or, with nil, called
// [runtime.Goexit].
func (p *pool) listenerFailed(e *PanicError) {
	if e != nil {
		p.panics(e, span{})
		return
	}
	p.faults.mu.Lock()
	p.faults.exited = true
	p.faults.mu.Unlock()
	p.halt()
	p.ctx.end(ErrGoexit)
}

// cutOff takes note of items that were claimed and will not be run.
func (p *pool) cutOff(s span) {
	if s.lo >= s.hi {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = append(p.cut, s)
}

// finish writes the report and returns the run's error, or panics if fn did.
// Nothing of the run is running any more.
func (p *pool) finish() (err error) {
	if p.unwatch != nil {
		p.unwatch()
	}
	p.giveTurn(p.caller)
	p.leaveGate()
	p.ctx.end(nil)
	p.ended = clock.Now()
	p.events.close() // from here on no listener can stop the run
	slices.SortFunc(p.faults.failed, func(a, b fault) int { return a.lo - b.lo })
	notRun := append(p.cut, p.claims.unclaimed()...)
	if p.claims.feed != nil {
		p.total = int(p.claims.total)
		p.events.counted(p.total)
		p.claims.feed.notRun, p.claims.feed.total = notRun, p.total
	}
	p.cfg.Session.end(p, 0, 0)
	var r *Report
	func() {
		defer func() { // also if a listener ends this goroutine
			err = p.err(len(notRun) > 0)
			r = p.report(notRun, err)
		}()
		p.events.drain()
	}()
	p.events.finished(r)
	if p.faults.panicked != nil {
		panic(p.faults.panicked)
	}
	return err
}

// err returns what the run returns.
func (p *pool) err(unfinished bool) error {
	var errs []error
	if p.faults.panicked != nil {
		errs = append(errs, p.faults.panicked)
	}
	switch failed := p.faults.failed; {
	case len(failed) == 0 || p.faults.panicked != nil:
	case p.cfg.Errors == FailFast:
		errs = append(errs, failed[0].err)
	default:
		all := &Errors{}
		for _, f := range failed {
			all.errs = append(all.errs, f.err)
		}
		errs = append(errs, all)
	}
	if p.faults.exited {
		errs = append(errs, ErrGoexit)
	}
	if unfinished && p.parent.Err() != nil {
		errs = append(errs, canceled(p.parent))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// report returns the report of the run, also to the caller who wants it, or nil if
// nobody does.
func (p *pool) report(notRun []span, err error) *Report {
	if p.cfg.Report == nil && p.events == nil {
		return nil
	}
	p.staff.change(p.ended, 0)
	r := p.cfg.Report
	if p.events != nil {
		r = new(Report) // listeners may keep theirs
	}
	*r = Report{
		Plan: p.plan, Items: p.total, Err: err,
		Elapsed: p.ended - p.start, Busy: p.totals.busy,
		PredictedDuration: p.plan.PredictedDuration,
		PeakWorkers:       p.staff.peak, Chunks: p.totals.chunks,
		Changes: p.staff.changes, Warnings: append(slices.Clip(p.plan.Warnings), p.memory.warnings()...), Dropped: p.events.dropped(),
		Bound: p.bound(), Timeline: p.story.moments, Latency: p.latencies.summary(p.story.last.Base),
	}
	if cpu, ok := sampling.ProcessCPU(); ok {
		r.CPUTime = cpu - p.cpuStart
	}
	failed := make([]span, len(p.faults.failed))
	for i, f := range p.faults.failed {
		failed[i] = f.span
	}
	r.setInvalid(notRun, failed)
	if p.claims.feed != nil {
		told := int(p.claims.feed.failed.Load())
		r.Failed, r.Succeeded = r.Failed+told, r.Succeeded-told
	}
	if r.Elapsed > 0 {
		r.Speedup = float64(r.Busy) / float64(r.Elapsed)
		r.MeanWorkers = p.staff.area / float64(r.Elapsed)
	}
	if p.cfg.Report != nil && p.events != nil {
		*p.cfg.Report = *r
	}
	return r
}

// bound returns what kept the run from having more calls in flight.
func (p *pool) bound() Bound {
	if p.adapts.Load() {
		return p.story.bound()
	}
	if p.control.Cut() {
		return BoundByMemory
	}
	at := slices.IndexFunc(p.plan.Limits, func(l optimizer.Limit) bool { return l.Binding })
	switch {
	case p.cfg.Workers > 0:
		return BoundByCaller
	case at < 0:
		return BoundByCores
	}
	switch p.plan.Limits[at].Name {
	case "WithMaxWorkers":
		return BoundByCaller
	case "memory", "GOMEMLIMIT", optimizer.LimitByCaller:
		return BoundByMemory
	case "items":
		return BoundByItems
	}
	if p.plan.Mode == optimizer.Serial && p.plan.Host.Procs > 1 {
		return BoundByItems // not enough work for a second worker to help
	}
	return BoundByCores
}
