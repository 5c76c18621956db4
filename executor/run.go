package executor

import (
	"context"
	"runtime"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/sampling"
)

// run is a run with several workers: they claim ranges of items. The caller's goroutine
// is one of them from the first to the last item; helpers come and go.
//
// It connects its parts, and owns the order of the phases: make, start workers, work,
// wait, finish. The type of each part says what it owns.
type run struct {
	job
	source    source.Source
	lanes     *source.Lanes // the source, if items wait in separate lines; otherwise nil
	crew      crew
	outcome   outcome
	planner   planner
	room      room
	sharing   sharing
	scheduler scheduler
	record    record
	events    *events

	caller   *worker
	cpuStart time.Duration
	done     totals // of the caller alone; at the end, of all workers
	ended    time.Duration
	unwatch  func() // ends watching the caller's context, nil before watch
}

// begun is the state from which a run continues after the caller has worked alone.
type begun struct {
	job
	caller  *worker
	events  *events
	arrived *source.Arrivals // where items of a stream come from
	before
}

// newRun prepares the rest of a run. It notifies nobody yet.
func newRun(b begun) *run {
	r := &run{job: b.job, events: b.events, caller: b.caller, ended: clock.Now()}
	if r.ctx == nil {
		r.ctx = &runContext{Context: r.parent}
	}
	r.source = r.newSource(b.span.Hi, b.arrived)
	r.lanes, _ = r.source.(*source.Lanes)
	if r.source.Left() > 0 { // otherwise the CPU time would not be the run's
		r.cpuStart, _ = sampling.ProcessCPU()
	}
	r.wire()
	r.sharing.join()
	r.makePlan(&b.before)
	r.scheduler.sizer = r.sizer(&r.planner.plan)
	return r
}

// wire connects the parts.
func (r *run) wire() {
	job := &r.job
	r.outcome = outcome{mode: r.cfg.Errors, ctx: r.ctx, over: r.over, stop: r, past: r.cfg.past, tally: r.cfg.tally}
	r.crew = crew{
		idle: make(chan struct{}), source: r.source, events: r.events, jobs: r,
	}
	r.planner = planner{job: job}
	r.sharing = sharing{job: job, crew: &r.crew, source: r.source}
	r.record.start, r.record.tally = r.start, r.cfg.tally
	r.scheduler = scheduler{
		job: job, crew: &r.crew, source: r.source, planner: &r.planner,
		record: &r.record, room: &r.room, sharing: &r.sharing, events: r.events,
	}
	r.scheduler.pacer.stirred = make(chan struct{}, 1)
}

// makePlan makes the first plan from what the caller alone has measured.
func (r *run) makePlan(b *before) {
	r.crew.count.begin(r.start, r.ended)
	sample := b.sample
	if r.done.items = sample.Items; sample.Items > 0 {
		r.done.chunks, r.done.busy = 1, sample.Elapsed+b.held // as claims count, until the report takes waits off
	}
	r.planner.surprised = r.arrives && sample.Items == 0
	if b.inBlock {
		r.planner.surprised = true // the current block has already taken this long
		if b.underWay > 0 {
			sample.ItemNanos = max(sample.ItemNanos, float64(b.underWay)/float64(b.span.Len()))
		}
	}
	if !sample.CPUKnown && clock.Virtual(r.start) { // virtual time passes only while nothing computes
		sample.CPUShare, sample.CPUKnown = 0, true
	}
	r.room.measure(b, &r.planner, &sample)
	r.planner.begin(sample, r.sharing.tracker.Limit())
}

// announce sends the plan to the listeners.
func (r *run) announce() {
	r.events.tell(Event{Kind: Planning, Fraction: 1})
	r.events.tellPlan("plan", r.planner.plan)
}

// join continues the run while the caller is still running s, since began, and starts the
// helpers. It is called by another goroutine; see arrive.
func (r *run) join(s span, began time.Duration) {
	r.caller.runner, r.caller.claimed = r.runner, s
	r.caller.begin(-1, s.Len(), began) // does not count in an epoch
	r.announce()
	if r.parent.Err() != nil {
		r.outcome.halt()
	}
	if s.Len() > 1 {
		rest, _ := r.caller.shorten()
		r.source.Return(rest)
	}
	r.staffUp()
}

// arrive handles the outcome of what the caller was running when it was joined.
func (r *run) arrive(s span, err error) {
	began := time.Duration(r.caller.began.Load())
	r.caller.heldBack = r.caller.call.settle()
	r.tellAlone(clock.Now()-began-r.caller.heldBack, s, err)
	r.finishClaim(r.caller, began, r.followUp(r.caller, s, err))
}

// tellAlone records the time of a call without load, if the caller was in a single call.
func (r *run) tellAlone(took time.Duration, s span, err error) {
	if err != nil || s.Len() != 1 || !r.caller.returned || r.caller.panicked != nil {
		return
	}
	if r.runner.tellsAttempts() {
		took = r.caller.policed.own
	}
	r.sharing.tracker.Alone(took)
}

// takeOver handles the block that the solo did not complete.
func (r *run) takeOver(s span, err error, began time.Duration) {
	lost, more := r.settle(r.caller, s, err)
	if more {
		r.source.Return(span{Lo: lost.Hi, Hi: s.Hi})
	}
	ran, took := lost.Hi-s.Lo, clock.Now()-began
	r.done.add(&totals{items: ran, busy: took})
	r.done.chunks = max(1, r.done.chunks)
	r.caller.tellCalls(ran, took)
	if ran > 0 {
		r.events.chunk(ran, took)
	}
}

// staffUp makes the caller a worker, and starts the helpers and the supervisor.
func (r *run) staffUp() {
	r.watch()
	r.events.wake()
	inCall := r.caller.size.Load() > 0
	r.scheduler.engage(clock.Now(), inCall)
	// The goroutine of a stream leaves its items to helpers once its block is done.
	r.crew.start(r.caller, !r.arrives || inCall)
	r.scheduler.takeTurns()
	r.crew.grow()
	r.crew.helpers.Go(r.supervise)
}

// supervise reviews the run when no worker does, because all are in long calls. It ends
// with the last worker.
func (r *run) supervise() {
	defer r.outcome.catch()
	r.scheduler.pacer.supervise(r.crew.idle, r.scheduler.review)
}

// hire makes one more helper, given the present number of workers; nil if the process has
// enough.
func (r *run) hire(working int) *worker {
	w := &worker{runner: r.runner.fork(), pacer: &r.scheduler.pacer, lanes: r.lanes}
	w.tally = r.cfg.tally
	// Workers that the caller demands need no admission. Neither does the first helper of
	// a stream, which takes the place of the caller: only helpers run its items.
	demanded := r.cfg.Workers > 0 || working < r.cfg.MinWorkers || r.arrives && working == 0
	if !demanded {
		if w.admitted = helpers.admit(r.scheduler.hiresWaiting(), runtime.GOMAXPROCS(0)); w.admitted == nil {
			return nil
		}
	}
	if r.runner.usesContext() || r.cfg.Session != nil { // the call context holds the turns
		w.call = newCallContext(r.ctx, r.cfg)
	}
	return w
}

// run finishes what the caller has left open, starts the helpers, works with them, and
// ends the run.
func (r *run) run(takeUp func()) error {
	ended := false
	defer func() {
		if !ended { // the goroutine is exiting: fn called Goexit
			_ = r.abandon(recover()) // nobody gets it: this panics, or the goroutine ends
		}
	}()
	takeUp()
	r.caller.lanes = r.lanes // set by its own goroutine: its previous block did not come from the lanes
	if r.parent.Err() != nil {
		r.outcome.halt()
	}
	if !r.crew.started && r.source.Left() > 0 && !r.over.Load() {
		r.staffUp()
	}
	if r.arrives { // a Goexit of an item must only end a helper
		r.sharing.part(r.caller)
		r.crew.replace(r.caller)
		r.wait()
	}
	for more := r.caller.working; more; more = r.comeBack() {
		r.caller.done = nil // from here on a signal comes instead
		r.claimAll(r.caller)
		r.wait()
	}
	ended = true
	return r.finish()
}

// comeBack adds the caller again if all helpers are gone and items are left: the last
// helper may have returned some.
func (r *run) comeBack() bool {
	if r.source.Left() == 0 || r.over.Load() {
		return false
	}
	r.crew.comeBack(r.caller)
	return true
}

// abandon ends the run when the caller's goroutine is exiting: with the value of a panic
// that did not come from the function, or because of a Goexit.
func (r *run) abandon(v any) error {
	if v != nil {
		r.outcome.panics(asPanic(v), span{})
	} else if !r.caller.returned && r.caller.size.Load() > 0 {
		r.goexit(r.caller)
	} else {
		r.outcome.exit()
	}
	r.outcome.halt()
	r.ctx.end(ErrGoexit) // wakes workers that wait for an item or a turn
	r.wait()
	return r.finish()
}

// wait removes the caller and returns when all helpers are gone.
func (r *run) wait() {
	r.sharing.part(r.caller)
	r.crew.wait(r.caller)
}

// watch halts the run when the caller's context ends.
func (r *run) watch() {
	if r.parent.Done() == nil {
		return
	}
	halted := make(chan struct{})
	stop := context.AfterFunc(r.parent, func() {
		defer close(halted)
		r.outcome.halt()
	})
	r.unwatch = func() {
		if !stop() {
			<-halted
		}
	}
}

// stop tells everything that could start an item that the run has ended.
func (r *run) stop() {
	r.source.Stop()
	r.crew.stop()
}
