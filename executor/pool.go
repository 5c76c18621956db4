package executor

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
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
	ctx     *runContext     // of the calls: ends with the run
	runner  runner
	batches *batching // nil if it is not a run of batches
	tells   bool      // the runner tells the gate of attempts itself
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
	adapts  atomic.Bool
	gate    *gate
	shares  bool    // with other runs
	gateKey gateKey // if it is one of sharedGates

	reviewing sync.Mutex  // tried, never waited for
	due       atomic.Bool // a review is

	group errgroup.Group // the helpers and the supervisor
	idle  chan struct{}  // closed when the last worker has left

	stirred chan struct{} // a token: a call is held back

	// mu is never held while user code runs or anything waits.
	mu      sync.Mutex
	control hillclimb.Controller
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
	host      sampling.Host
	memory    memory
	top       int          // of the workers, memory aside; 0 before it is asked for
	ran       atomic.Int64 // items that have ended
	uncounted int64        // items that had begun before the memory began to count
	// collectable says that a collection would tell what calls hold, and may be
	// forced. It is guarded by reviewing.
	collectable  bool
	unitsPerCall int
	solo         atomic.Bool  // until the size of batches is settled
	most         atomic.Int64 // calls in flight that this run may have
	reach        atomic.Int64 // that, if there were more items
	reachAlone   int          // that, memory aside; 0 before it is asked for
	busyCores    bool         // no core was idle lately
	told         int          // the limit as last told
	story        story
	lines        map[any]struct{} // reused by heldBack
	latencies    *latencies
	forecast     forecast
	staff        headcount
	revised      bool // the plan has been revised, or needs no revision
	ended        time.Duration
	unknown      atomic.Bool // the CPU share of the calls, and nobody is measuring it
	look         look
}

// newPool prepares the rest of a run whose opening is over. Nothing has been
// told to anybody.
func newPool(o *opening) *pool {
	o.pooled = true
	p := &pool{
		cfg: &o.cfg, parent: o.ctx, ctx: o.run,
		runner: o.runner, batches: o.batches, events: o.events, caller: &o.w, doomed: &o.doomed,
		start: o.start, total: o.total, idle: make(chan struct{}), stirred: make(chan struct{}, 1),
		tells: o.batches != nil || o.feed != nil || len(o.cfg.Policies) > 0, gate: new(gate),
	}
	p.joinGate()
	if p.ctx == nil {
		p.ctx = &runContext{Context: o.ctx}
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
	p.surprised = o.feed != nil && sample.Items == 0
	if o.alarm.phase() == taken {
		p.surprised = true // the block under way has taken this long already
		if took := o.underWay(p.ended); took > 0 {
			sample.ItemNanos = max(sample.ItemNanos, float64(took)/float64(o.span.hi-o.span.lo))
		}
	}
	if !sample.CPUKnown && clock.Virtual(p.start) { // virtual time passes only while nothing computes
		sample.CPUShare, sample.CPUKnown = 0, true
	}
	p.limitMemory(o, &sample)
	p.plan = p.makePlan(sample)
	p.sizer = newSizer(p.cfg, &p.plan, o.batches)
	p.claims.start(o.span.hi, o.total)
	p.events.adopt(p)
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
		if s.hi-s.lo > 1 {
			p.shorten(p.caller)
		}
		p.staffUp()
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
	p.caller.heldBack = p.caller.call.settle()
	if took := clock.Now() - began - p.caller.heldBack; err == nil && s.hi-s.lo == 1 && p.caller.returned {
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

// readHost returns what the machine offers: the full facts where there is much
// to do, or nobody knows how much, and the runtime's own elsewhere.
func (p *pool) readHost(sample sampling.Sample) sampling.Host {
	heap := sampling.ReadHeap()
	switch {
	case p.cfg.Plan != nil, p.cfg.LoadAware, p.claims.feed != nil,
		sample.Estimate(p.total-sample.Items) >= fullHostFrom,
		p.cfg.learned != nil && p.cfg.learned.sample.Estimate(p.total) >= fullHostFrom,
		sample.AllocKnown && sample.AllocBytes >= 1<<20, heap.Objects >= unknownUnit:
		return sampling.CurrentHost()
	}
	return sampling.QuickHost()
}

func (p *pool) makePlan(sample sampling.Sample) optimizer.Plan {
	switch {
	case p.cfg.Plan != nil:
		return p.givenPlan(*p.cfg.Plan)
	case p.cfg.learned != nil:
		l := *p.cfg.learned
		l.sample.HeldBytes = sample.HeldBytes
		return p.learnedPlan(l)
	}
	if unit, size, _ := p.unit(); unit > 0 {
		sample.ItemNanos = float64(unit) / float64(size)
	}
	return p.newPlan(sample, p.host)
}

// newPlan makes a plan. How many items a stream has is not known, and so no
// time can be predicted, nor whether a second worker would pay: it is tried.
func (p *pool) newPlan(sample sampling.Sample, host sampling.Host) optimizer.Plan {
	wishes := p.cfg.constraints(p.total)
	if p.batches != nil { // a token is for a batch, and how large one is is not known
		wishes.Rate, wishes.Burst = 0, 0
	}
	plan := optimizer.New(sample, host, wishes)
	if p.batches != nil {
		return p.batchPlan(plan)
	}
	if p.claims.feed == nil {
		plan.AtBest = plan.AtBest || p.surprised && plan.PredictedDuration > 0 // items cost that much at least
		return plan
	}
	if p.cfg.Workers == 0 {
		plan.Mode, plan.Workers = optimizer.Parallel, min(plan.MaxWorkers, max(1, host.Procs))
		plan.Reason = "the items of a stream: one worker per core until it is known what the calls do"
		if plan.Workload != sampling.CPUBound {
			plan.Workers = min(plan.MaxWorkers, optimizer.FirstWindow)
			plan.Reason = "the calls wait: raising calls in flight while throughput rises"
		}
	}
	plan.ChunkSize = max(1, p.cfg.ChunkSize)
	plan.PredictedDuration, plan.PredictedSpeedup, plan.AtBest, plan.Candidates = 0, 0, false, nil
	plan.Limits = slices.DeleteFunc(plan.Limits, func(l optimizer.Limit) bool { return l.Name == "items" })
	plan.Constraints.Items = 0
	return plan
}

// unit returns what a batch of the settled size takes alone, how many items that are,
// and from how many calls that is known; 0 if it is not a run of batches, or not known.
func (p *pool) unit() (took time.Duration, size, calls int) {
	switch {
	case p.batches == nil:
		return 0, 0, 0
	case p.batches.sizer == nil:
		return time.Duration(p.plan.Sample.ItemNanos * float64(p.cfg.ChunkSize)), p.cfg.ChunkSize, 1
	}
	if size, _ = p.batches.sizer.settled(); size > 0 {
		took, calls = p.batches.sizer.unit()
	}
	return took, size, calls
}

// batchPlan has a plan say what is known of batches. How long calls take that wait
// is not predicted: that is up to how many the other side takes at once.
func (p *pool) batchPlan(plan optimizer.Plan) optimizer.Plan {
	if _, size, _ := p.unit(); size > 0 {
		plan.ChunkSize = size
	}
	if plan.Workload != sampling.CPUBound && p.cfg.Workers == 0 {
		plan.Workers = min(plan.Workers, batchWindow)
		plan.PredictedDuration, plan.PredictedSpeedup, plan.Candidates = 0, 0, nil
	}
	return plan
}

// learnedPlan makes a plan from what earlier runs of the session have shown.
func (p *pool) learnedPlan(l learned) optimizer.Plan {
	plan := p.newPlan(l.sample, p.host)
	if plan.Mode == optimizer.Parallel && plan.Workload == sampling.CPUBound {
		plan.Workers = max(1, min(l.workers, plan.MaxWorkers))
	}
	p.foreseeLearned(&plan)
	plan.Reason = "learned from earlier runs: " + plan.Reason
	p.revised, p.surprised = true, false
	return plan
}

// givenPlan adopts a plan that was made before, perhaps elsewhere.
func (p *pool) givenPlan(plan optimizer.Plan) optimizer.Plan {
	for _, difference := range p.host.Differences(plan.Host) {
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
		plan.PredictedDuration, plan.PredictedSpeedup, plan.AtBest = 0, 0, false // it was for another number of items
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
		p.replaceCaller()
		p.wait()
	}
	for more := p.caller.working; more; more = p.comeBack() {
		p.caller.done = nil // from here on a signal comes instead
		p.work(p.caller)
		p.wait()
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
		p.listenerFailed(nil)
	}
	p.halt()
	p.ctx.end(ErrGoexit) // who waits for an item, or a turn, must hear of it
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

// halt keeps any further item from starting. The first call of it tells all workers,
// and [pool.enter] those who come later: when a context ends, each of thousands of
// workers calls it.
func (p *pool) halt() {
	if p.halted.Swap(true) {
		return
	}
	if p.claims.feed != nil {
		p.claims.feed.over.Store(true)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		w.signal.Store(halt)
	}
}

// comeBack counts the caller in again if there is something left to run, when all
// others are gone: the last of them may have handed something back.
func (p *pool) comeBack() bool {
	if p.claims.left() == 0 || p.halted.Load() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enter(p.caller)
	return true
}

// wait counts the caller out and returns when all helpers are gone.
func (p *pool) wait() {
	p.mu.Lock()
	p.exit(p.caller)
	if p.staffed {
		p.closeIfEmpty()
	}
	p.mu.Unlock()
	_ = p.group.Wait() // helpers report to faults
}
