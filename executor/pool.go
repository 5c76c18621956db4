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
	unwatch func() // ends watching the caller's context, nil before watch

	start    time.Duration
	cpuStart time.Duration
	total    int
	plan     optimizer.Plan
	// surprised says that items turned out dearer than the sample had it: what
	// one of them costs is only known to be more than that.
	surprised bool
	sizer     sizer
	caller    *worker

	claims   claims
	halted   atomic.Bool
	limit    atomic.Int64
	epoch    atomic.Int64
	arrivals atomic.Int64 // claims ended in the epoch
	needed   atomic.Int64 // how many make a review worthwhile at once
	reviewAt atomic.Int64

	reviewing sync.Mutex  // tried, never waited for
	due       atomic.Bool // a review is

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
	unknown atomic.Bool // the CPU share of the calls, and nobody is measuring it
	look    look
}

// newPool prepares the rest of a run whose opening is over. Nothing has been
// told to anybody.
func newPool(o *opening) *pool {
	o.pooled = true
	p := &pool{
		cfg: &o.cfg, parent: o.ctx, ctx: o.calls, cancel: o.cancel,
		runner: o.runner, batches: o.batches, events: o.events, caller: &o.w,
		start: o.start, total: o.total, idle: make(chan struct{}),
	}
	if p.cancel == nil {
		p.ctx, p.cancel = context.WithCancelCause(o.ctx)
	}
	p.cpuStart, _ = sampling.ProcessCPU()
	p.ended = clock.Now()
	p.staff.begin(p.start, p.ended)
	sample := o.sampler.Sample()
	if p.totals.items = sample.Items; sample.Items > 0 {
		p.totals.chunks, p.totals.busy = 1, sample.Elapsed
	}
	if p.surprised = o.state.Load() == taken; p.surprised { // the block under way has taken this long already
		size := float64(o.span.hi - o.span.lo)
		sample.ItemNanos = max(sample.ItemNanos, float64(p.ended-o.sampler.BlockStarted())/size)
	}
	p.plan = p.makePlan(sample)
	p.sizer = newSizer(p.cfg, &p.plan, o.batches)
	p.claims.start(o.span.hi, o.total)
	return p
}

// announce tells the plan.
func (p *pool) announce() {
	p.events.tell(Event{Kind: Planning, Fraction: 1})
	p.events.tellPlan("plan", p.plan)
}

// join makes a pool around a caller who is in the midst of s since began, and
// starts the helpers. It is called by another goroutine; see arrive.
func (p *pool) join(s span, began time.Duration) {
	func() {
		defer p.catch()
		p.announce()
	}()
	p.caller.claimed = s
	p.caller.begin(-1, s.hi-s.lo, began) // counts in no epoch
	p.staffUp()
	if s.hi-s.lo > 1 {
		p.caller.signal.CompareAndSwap(goOn, split)
	}
}

// arrive sees to the outcome of what the caller was in the midst of when the
// pool was made around it.
func (p *pool) arrive(s span, err error) {
	p.finishClaim(p.caller, time.Duration(p.caller.began.Load()), p.followUp(p.caller, s, err))
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

// run takes up what the caller has left open, starts the helpers, works along
// with them, and ends the run.
func (p *pool) run(takeUp func()) (err error) {
	ended := false
	defer func() {
		if !ended { // on the way out: an observer panicked, or fn called Goexit
			err = p.abandon(recover())
		}
	}()
	takeUp()
	if p.parent.Err() != nil {
		p.halt()
	}
	if !p.caller.seated && p.claims.left() > 0 && !p.halted.Load() {
		p.staffUp()
	}
	if p.caller.seated {
		p.caller.done = nil // from here on a signal comes instead
		p.work(p.caller)
		p.wait()
		// What a helper handed back as the last one to leave is left to the caller.
		for p.claims.left() > 0 && !p.halted.Load() {
			p.work(p.caller)
		}
		p.settle(p.caller)
	}
	ended = true
	return p.finish()
}

// abandon ends the run when the caller's goroutine is on its way out: with the
// value of a panic that was not of the function, or because of a Goexit.
func (p *pool) abandon(v any) error {
	if v != nil {
		p.panics(asPanic(v), span{})
	} else if !p.caller.returned && p.caller.size.Load() > 0 {
		p.goexit(p.caller)
	}
	p.halt()
	p.wait()
	return p.finish()
}

// watch halts the run when the caller's context ends.
func (p *pool) watch() {
	if p.parent.Done() == nil {
		return
	}
	halted := make(chan struct{})
	stop := context.AfterFunc(p.parent, func() {
		defer close(halted)
		p.halt()
	})
	p.unwatch = func() {
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
		p.exit(p.caller)
		p.closeIfEmpty()
	}
	p.mu.Unlock()
	_ = p.group.Wait() // helpers report to faults
}

// staffUp registers the caller as a worker and starts the helpers and the supervisor.
func (p *pool) staffUp() {
	p.watch()
	now := clock.Now()
	fixed := p.cfg.Workers > 0
	p.mu.Lock()
	defer p.mu.Unlock()
	ceiling := p.plan.MaxWorkers
	if p.cfg.Plan == nil {
		ceiling = optimizer.Ceiling(p.plan.Sample, p.plan.Host, p.cfg.constraints(p.total))
	}
	p.control = newController(p.plan, ceiling, fixed, now)
	if p.surprised {
		p.control.forgetBase()
	}
	p.limit.Store(int64(p.plan.Workers))
	p.newEpoch(now)
	p.unknown.Store(!p.revised && !p.plan.Sample.CPUKnown)
	p.caller.runner = p.runner
	p.enter(p.caller)
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
	p.count()
}

// exit counts a worker out. mu is held.
func (p *pool) exit(w *worker) {
	last := len(p.workers) - 1
	p.workers[w.seat] = p.workers[last]
	p.workers[w.seat].seat = w.seat
	p.workers[last] = nil
	p.workers = p.workers[:last]
	w.seated = false
	p.count()
	p.settle(w)
}

// count notes how many workers there are. mu is held.
func (p *pool) count() {
	n := len(p.workers)
	p.running.Store(int64(n))
	p.staff.change(clock.Now(), n)
	p.events.staffed(n)
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
	p.lookClosely(w)
	now := clock.Now()
	for ok := true; ok; {
		now, ok = p.claim(w, now)
	}
}

// claim claims items for w and runs them, if there are any for it. It takes and
// returns the time: one reading of the clock ends a claim and begins the next.
func (p *pool) claim(w *worker, now time.Duration) (end time.Duration, ok bool) {
	if p.halted.Load() || p.surplus(w) {
		return now, false
	}
	s, ok := p.claims.take(p.sizer.size(w, p.claims.left(), int(p.limit.Load())))
	if !ok {
		return now, false
	}
	w.claimed = s
	w.begin(p.epoch.Load(), s.hi-s.lo, now)
	done := p.followUp(w, s, w.runner.run(p.ctx, w, s))
	return p.finishClaim(w, now, done), true
}

// finishClaim accounts for a claim of w of which items were run.
func (p *pool) finishClaim(w *worker, began time.Duration, items int) (now time.Duration) {
	now = clock.Now()
	counts := w.end(p.epoch.Load(), items, now-began)
	if items > 0 {
		p.sizer.record(items, now-began)
		p.events.chunk(items, now-began)
	}
	// A review is due when enough has been seen, and every now and then.
	if counts && p.arrivals.Add(1) >= p.needed.Load() || now >= time.Duration(p.reviewAt.Load()) {
		p.review(now)
	}
	return now
}

// surplus reports whether w should leave because there are more workers than
// the limit. The caller never leaves before the end.
func (p *pool) surplus(w *worker) bool {
	if w == p.caller || p.running.Load() <= p.limit.Load() {
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

// followUp takes what running s has come to, sees to items that failed, and
// runs what is left of s. It returns how many were run.
func (p *pool) followUp(w *worker, s span, err error) int {
	first := s.lo
	for w.at < s.hi || err != nil || w.panicked != nil || !w.returned {
		lost, more := p.outcome(w, s, err)
		if !more {
			return lost.hi - first
		}
		if s.lo = lost.hi; s.lo == s.hi {
			break
		}
		err = w.runner.run(p.ctx, w, s)
	}
	return s.hi - first
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

// catch is deferred around calls of observers outside of a worker: it takes
// note of their panics.
func (p *pool) catch() {
	if v := recover(); v != nil {
		p.panics(asPanic(v), span{})
	}
}
