package executor

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/sampling"
)

// solo is the first part of a run: the caller's goroutine runs items alone while the sampler watches.
// Small inputs end here. Otherwise a run with several workers takes over: when the sample is
// complete, or when the alarm fires within a block. In the latter case the block is the caller's
// first claim in that run.
//
//	begin → next → runBlock → record → next …
//	  the alarm, in a block: join (makes the run, starts helpers)
//	  complete: everything was run, and there are no listeners
//	  else: goOn (the run continues with the rest; after join, with the block as well)
//	  a Goexit or a panic: close
//
// The caller owns its fields until the alarm takes over. The phase of the alarm says who owns them.
type solo struct {
	soloJob
	soloAlarms

	w          worker // the caller
	err        error  // what the latest block returned
	failed     bool   // that block was not completed
	skip       bool   // nothing needs to be measured
	ended      bool   // the caller has finished it normally
	handedOver bool   // a run was made and refers to this solo

	// The phase of the alarm says who owns these.
	sampler sampling.Sampler
	held    time.Duration // how long policies have made the calls of the sample wait
	heap    sampling.Heap // before the first item, if the caller limits memory
	span    span          // the current or latest block
	made    *run

	over atomic.Bool // no further item is to start
}

// soloJob is what there is to do.
type soloJob struct {
	ctx      context.Context // the caller's
	run      *runContext     // of the calls; ends with the run, too; nil if calls get no context
	cfg      Config
	runner   runner
	total    int
	batches  *batching        // nil if it is not a run of batches
	arrivals *source.Arrivals // of a stream, nil otherwise
	start    time.Duration
	events   *events
}

// soloAlarms are the alarm and what it is chosen from.
type soloAlarms struct {
	alarm *alarm // in force
	armed bool   // it is a real one
	quiet alarm  // the alarm, if none is needed
	timed *alarm // the alarm, if one is needed; kept for later runs
}

// spare is the solo, with its alarm, of the latest run that ended within it. It is not a [sync.Pool]:
// the garbage collector empties a pool, and refilling it costs more than the rest of a small run.
var spare atomic.Pointer[solo]

// newSolo begins a run.
func newSolo(ctx context.Context, r runner, total int, cfg Config, batches *batching, arrivals *source.Arrivals) *solo {
	cfg.learned = cfg.learn()
	// With a fixed number or an earlier plan no sample is needed. But a few items that are known to
	// be cheap are done before several workers could start.
	skip := cfg.Workers > 0 || cfg.Plan != nil || cfg.learned.worthSharing(total)
	sampler := sampling.Start(total, cfg.SampleSize)
	armed := total > 1 && !skip && cfg.SampleSize == 0 && (cfg.MaxWorkers != 1 || arrivals != nil)
	o := takeSpare(sampler.Started(), batches != nil)
	o.prepareAlarm(armed)
	o.skip, o.arrivals = skip, arrivals
	o.ctx, o.runner, o.total, o.batches, o.cfg = ctx, r, total, batches, cfg
	o.sampler, o.start = sampler, sampler.Started()
	o.cfg.askRate()
	o.cfg.tally = newTally(cfg.watched())
	o.w.tally = o.cfg.tally
	if cfg.MemoryLimit > 0 { // 500 ns, only if the option is used
		o.heap = sampling.ReadHeap()
	}
	o.prepareCalls(r.usesContext() || cfg.Session != nil)
	o.w.done = ctx.Done()
	o.w.runner = r
	o.w.policed.sampling = len(cfg.Policies) > 0 || cfg.past != nil
	if batches != nil {
		o.alarm.after = batchAlarm
		o.sampler.Patient() // there is time
	}
	if cfg.watched() {
		o.sampler.Precise()
		o.events = newEvents(&o.cfg, total, o.start)
	}
	return o
}

// takeSpare returns the spare solo, or a new one. A timer must not move between bubbles.
func takeSpare(now time.Duration, batches bool) *solo {
	if !batches && !clock.Virtual(now) {
		if o := spare.Swap(nil); o != nil {
			return o
		}
	}
	return new(solo)
}

// prepareAlarm prepares the real alarm, or the one that does nothing.
func (o *solo) prepareAlarm(armed bool) {
	o.armed, o.alarm = armed, &o.quiet
	if !armed {
		return
	}
	if o.timed == nil {
		o.timed = &alarm{o: o, after: alarmAfter}
	}
	o.alarm = o.timed
}

// prepareCalls makes the context for calls, if they get one.
func (o *solo) prepareCalls(context bool) {
	if context {
		made := &callerContext{run: runContext{Context: o.ctx}}
		made.call = callContext{Context: &made.run, session: o.cfg.Session, function: o.cfg.function, tally: o.cfg.tally}
		o.run, o.w.call = &made.run, &made.call
	}
	if o.arrivals != nil {
		o.arrivals.Until(o.run.Done())
	}
}

// callerContext has the contexts for calls of the caller's goroutine, in one allocation.
type callerContext struct {
	run  runContext
	call callContext
}

// runBlock runs the block in o.span.
func (o *solo) runBlock() error {
	o.w.to = o.span.Hi
	defer o.cfg.labels.claim()()
	ctx := o.ctx
	if o.w.call != nil {
		ctx = o.w.call
	}
	err := o.runner.run(ctx, &o.w, o.span)
	if !o.runner.tellsAttempts() {
		o.w.called += o.w.at - o.span.Lo
	}
	return err
}

// begin notifies listeners that the run begins.
func (o *solo) begin() {
	if o.events != nil {
		o.events.tell(Event{Kind: Started})
		o.events.tell(Event{Kind: Planning})
	}
}

// arm sets the alarm, unless no helper could join.
func (o *solo) arm() {
	if !o.armed || o.batches != nil {
		o.events.wake() // otherwise the alarm does it
	}
	if o.armed {
		o.alarm.set()
	} else {
		o.alarm.enter(between)
	}
}

// next reports whether there is a block to run, and leaves it in o.span.
func (o *solo) next() bool {
	if o.skip || o.batches == nil && o.sampler.Done() {
		return false
	}
	if o.arrivals != nil {
		return o.nextArrived()
	}
	size, ok := o.nextSize()
	if !ok {
		return false
	}
	o.span = span{Lo: o.span.Hi, Hi: o.span.Hi + size}
	o.alarm.enter(inBlock)
	return true
}

// nextSize returns how many items the next block has, if there is one.
func (o *solo) nextSize() (size int, ok bool) {
	if o.batches == nil {
		return o.sampler.Next(), true
	}
	left := o.total - o.span.Hi
	if o.batches.sizer == nil { // the first call shows the time of a call without load
		return min(o.cfg.ChunkSize, left), left > 0 && o.span.Hi == 0
	}
	size = o.batches.sizer.Size(0, left, 1)
	_, settled := o.batches.sizer.Settled()
	return size, left > 0 && !settled
}

// record takes the outcome of the block and reports whether to continue.
func (o *solo) record(err error) bool {
	o.err = err
	o.failed = err != nil || o.w.at < o.span.Hi || !o.w.returned || o.w.panicked != nil
	if o.w.panicked != nil || err != nil && o.cfg.Errors == FailFast {
		o.over.Store(true)
	}
	if !o.alarm.leave(inBlock, between) || o.failed {
		return false
	}
	size := o.span.Hi - o.span.Lo
	held := o.w.call.settle()
	if len(o.cfg.Policies) > 0 || o.cfg.past != nil {
		held, o.w.policed.waited = o.w.policed.waited, 0 // including waits inside the function
	}
	o.held += held
	o.sampler.Exclude(held + o.w.keeping)
	o.w.keeping = 0
	o.sampler.Record(size)
	o.tell(size)
	return true
}

// tell queues notices about a recorded block. That may take as long as many items when caches are
// cold, so it must not count as time of the next block.
func (o *solo) tell(size int) {
	if o.cfg.tally == nil {
		return
	}
	took, began := o.sampler.Latest(), clock.Now()
	o.events.chunk(size, took)
	o.w.tellCalls(size, took)
	o.sampler.Exclude(clock.Now() - began)
}

// join is called by the alarm when the caller has been alone for long. It makes the run, since the
// caller is busy.
func (o *solo) join() {
	defer close(o.alarm.ready)
	o.made = newRun(o.begun())
	o.made.join(o.span, o.sampler.BlockStarted())
}

// begun returns the state from which a run with several workers continues.
func (o *solo) begun() begun {
	o.handedOver = true
	b := begun{
		job: job{
			cfg: &o.cfg, parent: o.ctx, ctx: o.run, over: &o.over, runner: o.runner, batches: o.batches,
			total: o.total, arrives: o.arrivals != nil, start: o.start,
		},
		caller: &o.w, events: o.events, arrived: o.arrivals,
		before: before{sample: o.sampler.Sample(), held: o.held, heap: o.heap, span: o.span, inBlock: o.alarm.phase() == taken},
	}
	if b.inBlock {
		b.underWay = o.underWay(clock.Now())
	}
	return b
}

// underWay returns how long the current block has taken until now, without waits for policies: for
// that item only the present call is known.
func (o *solo) underWay(now time.Duration) time.Duration {
	policed := &o.w.policed
	held := o.w.call.heldFor(now)
	switch {
	case len(o.cfg.Policies) == 0:
		return now - o.sampler.BlockStarted() - held
	case policed.inside.Load():
		return now - time.Duration(policed.entered.Load()) - held
	}
	return 0
}
