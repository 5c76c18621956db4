package executor

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// reviewEvery is how often the number of workers is looked at.
const reviewEvery = 2 * time.Millisecond

// pool is a run after its opening: workers that claim ranges of items. The
// caller's goroutine is one of them from the first to the last item; helpers
// come and go.
type pool struct {
	cfg     *Config
	parent  context.Context // the caller's
	ctx     context.Context // of the calls: ends with the run
	cancel  context.CancelCauseFunc
	runner  runner
	batches bool
	events  *events
	faults  faults

	start    time.Duration
	cpuStart time.Duration
	total    int
	plan     optimizer.Plan
	sizer    sizer
	caller   worker

	claims   claims
	halted   atomic.Bool
	limit    atomic.Int64
	epoch    atomic.Int64
	arrivals atomic.Int64 // claims ended in the epoch
	needed   atomic.Int64 // how many make a review worthwhile at once
	reviewAt atomic.Int64

	group errgroup.Group // the helpers and the supervisor
	idle  chan struct{}  // closed when the last worker has left

	// mu is never held while user code runs or anything waits.
	mu      sync.Mutex
	control controller
	workers []*worker
	running atomic.Int64 // len(workers), for readers without mu
	closed  bool
	cut     []span // items that were claimed and not run
	totals  struct {
		items, chunks int
		busy          time.Duration
	}
	mark struct { // the start of the epoch
		at       time.Duration
		cpu      time.Duration
		cpuKnown bool
	}
	staff   headcount
	revised bool // the plan has been revised, or needs no revision
	ended   time.Duration
	look    look
}

// newPool prepares the rest of a run whose opening is over.
func newPool(ctx context.Context, r runner, cfg *Config, o *opening) *pool {
	p := &pool{
		cfg: cfg, parent: ctx, runner: r, batches: o.batches, events: o.events,
		start: o.start, total: o.total, idle: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	p.cpuStart, _ = sampling.ProcessCPU()
	sample := o.sampler.Sample()
	p.ended = clock.Now()
	p.staff.begin(p.start, p.ended)
	if p.totals.items = sample.Items; o.span.hi > 0 {
		p.totals.chunks, p.totals.busy = 1, p.ended-p.start
	}
	p.plan = p.makePlan(sample)
	p.events.tell(Event{Kind: Planning, Fraction: 1})
	p.events.tellPlan("plan", p.plan)
	p.sizer = newSizer(cfg, &p.plan, o.batches)
	p.claims.start(o.span.hi, o.total)
	return p
}

// fullHostFrom is the work ahead from which the full facts of the host, which
// take a millisecond to read, are worth having.
const fullHostFrom = 20 * time.Millisecond

func (p *pool) makePlan(sample sampling.Sample) optimizer.Plan {
	if p.cfg.Plan != nil {
		return p.givenPlan(*p.cfg.Plan)
	}
	host := sampling.QuickHost()
	large := sample.Estimate(p.total-sample.Items) >= fullHostFrom
	if large || p.cfg.LoadAware || sample.AllocKnown && sample.AllocBytes >= 1<<20 {
		host = sampling.CurrentHost()
	}
	return optimizer.New(sample, host, p.cfg.constraints(p.total))
}

// givenPlan adopts a plan that was made before, perhaps elsewhere.
func (p *pool) givenPlan(plan optimizer.Plan) optimizer.Plan {
	host := sampling.CurrentHost()
	for _, difference := range host.Differences(plan.Host) {
		plan.Warnings = append(plan.Warnings[:len(plan.Warnings):len(plan.Warnings)],
			"the plan was made for another host: "+difference)
	}
	plan.Reason = "given: " + plan.Reason
	plan.MaxWorkers = max(plan.Workers, plan.MaxWorkers)
	if p.cfg.MaxWorkers > 0 {
		plan.MaxWorkers = min(plan.MaxWorkers, p.cfg.MaxWorkers)
		plan.Workers = min(plan.Workers, plan.MaxWorkers)
	}
	if plan.Constraints.Items != p.total {
		plan.PredictedDuration = 0 // a prediction for another number of items
	}
	p.revised = true
	return plan
}

// run starts the helpers, works along with them, and ends the run.
func (p *pool) run() (err error) {
	ended := false
	defer func() {
		if ended {
			return
		}
		// The caller's goroutine is on its way out: an observer panicked, or
		// fn called Goexit.
		if v := recover(); v != nil {
			p.panics(asPanic(v), span{})
		} else {
			p.goexit(&p.caller)
			p.halt()
		}
		p.wait()
		p.ended = clock.Now()
		err = p.finish()
	}()
	if p.parent.Err() != nil {
		p.halt()
	}
	if p.claims.left() > 0 && !p.halted.Load() {
		defer p.haltWith(p.parent)()
		p.staffUp()
		p.workLooking()
		p.wait()
		// What a helper handed back as the last one to leave is left to the caller.
		for p.claims.left() > 0 && !p.halted.Load() {
			p.work(&p.caller)
		}
		p.settle(&p.caller)
		p.ended = clock.Now()
	}
	ended = true
	return p.finish()
}

// haltWith halts the run when ctx ends. The function that it returns ends that
// and waits for a halt that is under way.
func (p *pool) haltWith(ctx context.Context) func() {
	if ctx.Done() == nil {
		return func() {}
	}
	halted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(halted)
		p.halt()
	})
	return func() {
		if !stop() {
			<-halted
		}
	}
}

// halt keeps any further item from starting.
func (p *pool) halt() {
	p.halted.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		w.signal.Store(halt)
	}
}

// wait counts the caller out and returns when all helpers are gone.
func (p *pool) wait() {
	p.mu.Lock()
	if p.caller.seated {
		p.exit(&p.caller)
		p.closeIfEmpty()
	}
	p.mu.Unlock()
	_ = p.group.Wait() // helpers report to faults
}

// staffUp registers the caller as a worker and starts the helpers and the supervisor.
func (p *pool) staffUp() {
	now := clock.Now()
	fixed := p.cfg.Workers > 0
	p.mu.Lock()
	defer p.mu.Unlock()
	ceiling := p.plan.MaxWorkers
	if p.cfg.Plan == nil {
		ceiling = optimizer.Ceiling(p.plan.Sample, p.plan.Host, p.cfg.constraints(p.total))
	}
	p.control = newController(p.plan, ceiling, fixed, now)
	p.limit.Store(int64(p.plan.Workers))
	p.newEpoch(now)
	p.caller.runner = p.runner
	p.enter(&p.caller)
	p.grow()
	p.reviewAt.Store(int64(now + reviewEvery))
	p.group.Go(p.supervise)
}

// enter counts a worker in. mu is held.
func (p *pool) enter(w *worker) {
	if p.halted.Load() {
		w.signal.Store(halt)
	}
	w.seat, w.seated = len(p.workers), true
	p.workers = append(p.workers, w)
	p.running.Store(int64(len(p.workers)))
	p.staff.change(clock.Now(), len(p.workers))
}

// exit counts a worker out. mu is held.
func (p *pool) exit(w *worker) {
	last := len(p.workers) - 1
	p.workers[w.seat] = p.workers[last]
	p.workers[w.seat].seat = w.seat
	p.workers[last] = nil
	p.workers = p.workers[:last]
	w.seated = false
	p.running.Store(int64(last))
	p.staff.change(clock.Now(), last)
	p.settle(w)
}

// settle adds what w has done to the totals.
func (p *pool) settle(w *worker) {
	p.totals.items += w.items
	p.totals.chunks += w.chunks
	p.totals.busy += w.busy
	w.items, w.chunks, w.busy = 0, 0, 0
}

// closeIfEmpty ends the supervisor when no worker is left. mu is held.
func (p *pool) closeIfEmpty() {
	if len(p.workers) == 0 && !p.closed {
		p.closed = true
		close(p.idle)
	}
}

// grow starts helpers up to the limit, as long as there is something to claim.
// mu is held.
func (p *pool) grow() {
	procs := runtime.GOMAXPROCS(0)
	want := min(int(p.limit.Load()), len(p.workers)+p.claims.left())
	for len(p.workers) < want && !p.closed && !p.halted.Load() {
		w := &worker{}
		if !p.control.fixed {
			if w.admitted = helpers.admit(p.control.waits, procs); w.admitted == nil {
				return
			}
		}
		w.runner = p.runner.fork()
		p.enter(w)
		p.group.Go(func() error {
			defer p.leave(w)
			p.work(w)
			return nil
		})
	}
}

// work claims and runs items until there are none left for w.
func (p *pool) work(w *worker) {
	now := clock.Now()
	for !p.halted.Load() && !p.surplus(w) {
		s, ok := p.claims.take(p.sizer.size(w, p.claims.left(), int(p.limit.Load())))
		if !ok {
			return
		}
		w.begin(p.epoch.Load(), s.hi-s.lo, now)
		done := p.runSpan(w, s)
		end := clock.Now()
		took := end - now
		now = end
		counts := w.end(p.epoch.Load(), done, took)
		if done > 0 {
			p.sizer.record(done, took)
			p.events.chunk(done, took)
		}
		// A review is due when enough has been seen, and every now and then.
		if counts && p.arrivals.Add(1) == p.needed.Load() || now >= time.Duration(p.reviewAt.Load()) {
			p.review(now)
		}
	}
}

// surplus reports whether w should leave because there are more workers than
// the limit. The caller never leaves before the end.
func (p *pool) surplus(w *worker) bool {
	if w == &p.caller || p.running.Load() <= p.limit.Load() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if int64(len(p.workers)) <= p.limit.Load() {
		return false
	}
	p.exit(w)
	return true
}

// runSpan runs the items of a claim and sees to those that fail. It returns
// how many were run.
func (p *pool) runSpan(w *worker, s span) int {
	first := s.lo
	w.claimed = s
	for {
		err := w.runner.run(p.ctx, w, s)
		if w.at == s.hi && err == nil && w.panicked == nil && w.returned {
			return s.hi - first
		}
		lost, more := p.outcome(w, s, err)
		if !more {
			return lost.hi - first
		}
		if s.lo = lost.hi; s.lo == s.hi {
			return s.hi - first
		}
	}
}

// outcome sees to a span that was not completed: an item failed, panicked or
// was cut off, or w was signalled. It returns the items that are lost, and
// whether w goes on with those behind them.
func (p *pool) outcome(w *worker, s span, err error) (lost span, more bool) {
	lost = span{w.at, w.at}
	switch {
	case w.panicked != nil || !w.returned: // the latter is a panic(nil) under GODEBUG=panicnil=1
		lost = p.runner.failed(w.at, s)
		p.panics(w.panicked, lost)
		w.returned = true
	case err == nil: // signalled
	case isContextError(p.ctx, err): // the run is over, and that is all this says
	default:
		lost = p.runner.failed(w.at, s)
		p.fail(p.runner.fail(w, lost, err), lost)
		if p.cfg.Errors == Collect && !p.halted.Load() {
			return lost, true
		}
	}
	rest := span{lost.hi, s.hi}
	if w.signal.CompareAndSwap(split, goOn) && !p.halted.Load() {
		p.claims.giveBack(rest)
		return lost, false
	}
	p.cutOff(rest)
	return lost, false
}

// leave is deferred in every helper: it counts the helper out, also after a
// Goexit, and takes note of panics that did not come from the function.
func (p *pool) leave(w *worker) {
	if v := recover(); v != nil {
		p.panics(asPanic(v), span{})
	} else if !w.returned && w.size.Load() > 0 {
		p.goexit(w)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.seated {
		p.exit(w)
	}
	if w.admitted != nil {
		w.admitted.Add(-1)
	}
	p.grow() // if this one ended before its time
	p.closeIfEmpty()
}

// goexit takes note that fn ended the goroutine of w in the midst of a claim.
func (p *pool) goexit(w *worker) {
	lost := p.runner.failed(w.at, w.claimed)
	rest := span{lost.hi, w.claimed.hi}
	p.fail(p.runner.fail(w, lost, ErrGoexit), lost)
	if p.halted.Load() {
		p.cutOff(rest)
	} else {
		p.claims.giveBack(rest)
	}
}

func asPanic(v any) *PanicError {
	if e, ok := v.(*PanicError); ok {
		return e
	}
	return &PanicError{Index: -1, Value: v, Stack: debug.Stack()}
}
