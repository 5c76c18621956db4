package executor

import (
	"context"
	"slices"
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
	tells   bool // the runner tells the gate of attempts itself
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
	doomed   *atomic.Bool // set by the caller before it can halt the pool
	limit    atomic.Int64
	epoch    atomic.Int64
	arrivals atomic.Int64 // claims ended in the epoch
	needed   atomic.Int64 // how many make a review worthwhile at once
	reviewAt atomic.Int64

	// adapts says that the calls wait: the gate decides, and control does not.
	adapts atomic.Bool
	gate   *gate

	reviewing sync.Mutex  // tried, never waited for
	due       atomic.Bool // a review is

	group errgroup.Group // the helpers and the supervisor
	idle  chan struct{}  // closed when the last worker has left

	// mu is never held while user code runs or anything waits.
	mu      sync.Mutex
	control computing
	workers []*worker
	running atomic.Int64 // len(workers), for readers without mu
	closed  bool
	staffed bool   // helpers and supervisor were started
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
	memory struct { // as the calls began to be bound by the gate
		claimed   int64
		allocated uint64
		most      int // calls in flight that it allows
	}
	most      atomic.Int64 // calls in flight that this run may have
	busyCores bool         // no core was idle lately
	told      int          // the limit as last told
	story     story
	latencies *latencies
	staff     headcount
	revised   bool // the plan has been revised, or needs no revision
	ended     time.Duration
	unknown   atomic.Bool // the CPU share of the calls, and nobody is measuring it
	look      look
}

// newPool prepares the rest of a run whose opening is over. Nothing has been
// told to anybody.
func newPool(o *opening) *pool {
	o.pooled = true
	p := &pool{
		cfg: &o.cfg, parent: o.ctx, ctx: o.calls, cancel: o.cancel,
		runner: o.runner, batches: o.batches, events: o.events, caller: &o.w, doomed: &o.doomed,
		start: o.start, total: o.total, idle: make(chan struct{}),
		tells: o.batches || o.feed != nil || len(o.cfg.Policies) > 0, gate: new(gate),
	}
	if p.cfg.Session != nil {
		p.gate = &p.cfg.Session.gate
	}
	if p.cancel == nil {
		p.ctx, p.cancel = context.WithCancelCause(o.ctx)
	}
	if p.claims.feed = o.feed; o.feed != nil {
		o.feed.done = p.ctx.Done()
	}
	p.cpuStart, _ = sampling.ProcessCPU()
	p.ended = clock.Now()
	p.staff.begin(p.start, p.ended)
	sample := o.sampler.Sample()
	if p.totals.items = sample.Items; sample.Items > 0 {
		p.totals.chunks, p.totals.busy = 1, sample.Elapsed
	}
	p.surprised = o.feed != nil
	if o.state.Load() == taken {
		p.surprised = true // the block under way has taken this long already
		if took := o.underWay(p.ended); took > 0 {
			sample.ItemNanos = max(sample.ItemNanos, float64(took)/float64(o.span.hi-o.span.lo))
		}
	}
	if !sample.CPUKnown && clock.Virtual(p.start) { // virtual time passes only while nothing computes
		sample.CPUShare, sample.CPUKnown = 0, true
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
	p.caller.runner, p.caller.claimed = p.runner, s
	p.caller.begin(-1, s.hi-s.lo, began) // counts in no epoch
	defer func() {                       // whatever the observers do
		if p.parent.Err() != nil {
			p.halt()
		}
		p.staffUp()
		if s.hi-s.lo > 1 {
			p.caller.signal.CompareAndSwap(goOn, split)
		}
	}()
	defer p.catch()
	p.announce()
}

// takeOver sees to the block that the opening did not complete.
func (p *pool) takeOver(s span, err error, began time.Duration) {
	lost, more := p.outcome(p.caller, s, err)
	if more {
		p.claims.giveBack(span{lost.hi, s.hi})
	}
	ran, took := lost.hi-s.lo, clock.Now()-began
	p.totals.items += ran
	p.totals.chunks = max(1, p.totals.chunks)
	p.totals.busy += took
	if ran > 0 {
		p.events.chunk(ran, took)
	}
}

// arrive sees to the outcome of what the caller was in the midst of when the
// pool was made around it.
func (p *pool) arrive(s span, err error) {
	began := time.Duration(p.caller.began.Load())
	if took := clock.Now() - began; err == nil && s.hi-s.lo == 1 && p.caller.returned {
		if p.tells {
			took = p.caller.policed.own
		}
		p.gate.alone(took)
	}
	p.finishClaim(p.caller, began, p.followUp(p.caller, s, err))
}

// fullHostFrom is the work ahead from which the full facts of the host, which
// take a millisecond to read, are worth having.
const fullHostFrom = 20 * time.Millisecond

func (p *pool) makePlan(sample sampling.Sample) optimizer.Plan {
	switch {
	case p.cfg.Plan != nil:
		return p.givenPlan(*p.cfg.Plan)
	case p.cfg.learned != nil:
		return p.learnedPlan(*p.cfg.learned)
	}
	host := sampling.QuickHost()
	large := sample.Estimate(p.total-sample.Items) >= fullHostFrom
	if large || p.cfg.LoadAware || sample.AllocKnown && sample.AllocBytes >= 1<<20 {
		host = sampling.CurrentHost()
	}
	return p.newPlan(sample, host)
}

// newPlan makes a plan. How many items a stream has is not known, and so no
// time can be predicted, nor whether a second worker would pay: it is tried.
func (p *pool) newPlan(sample sampling.Sample, host sampling.Host) optimizer.Plan {
	plan := optimizer.New(sample, host, p.cfg.constraints(p.total))
	if p.claims.feed == nil {
		return plan
	}
	if p.cfg.Workers == 0 {
		plan.Mode, plan.Workers = optimizer.Parallel, min(plan.MaxWorkers, max(1, host.Procs))
		plan.Reason = "the items of a stream: one worker per core until it is known what the calls do"
		if plan.Workload != sampling.CPUBound {
			plan.Workers = min(plan.MaxWorkers, optimizer.FirstWindow)
			plan.Reason = "the calls wait: as many in flight as pay"
		}
	}
	plan.ChunkSize = max(1, p.cfg.ChunkSize)
	plan.PredictedDuration, plan.PredictedSpeedup, plan.Candidates = 0, 0, nil
	plan.Limits = slices.DeleteFunc(plan.Limits, func(l optimizer.Limit) bool { return l.Name == "items" })
	plan.Constraints.Items = 0
	return plan
}

// learnedPlan makes a plan from what earlier runs of the session have shown.
func (p *pool) learnedPlan(l learned) optimizer.Plan {
	plan := p.newPlan(l.sample, sampling.QuickHost())
	if plan.Mode == optimizer.Parallel && plan.Workload == sampling.CPUBound {
		plan.Workers = max(1, min(l.workers, plan.MaxWorkers))
	}
	plan.Reason = "learned from earlier runs: " + plan.Reason
	p.revised, p.surprised = true, false
	return plan
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
	if !p.staffed && p.claims.left() > 0 && !p.halted.Load() {
		p.staffUp()
	}
	if p.claims.feed != nil {
		p.wait()
	}
	if p.caller.seated {
		p.caller.done = nil // from here on a signal comes instead
		p.work(p.caller)
		p.wait()
		// What a helper handed back as the last one to leave is left to the
		// caller, who is no longer signalled.
		p.caller.done = p.parent.Done()
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
	} else {
		p.faults.exited = true // an observer called it
	}
	p.halt()
	if p.claims.feed != nil {
		p.cancel(ErrGoexit) // who waits for an item must hear of it
	}
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
	}
	if p.staffed {
		p.closeIfEmpty()
	}
	p.mu.Unlock()
	_ = p.group.Wait() // helpers report to faults
}
