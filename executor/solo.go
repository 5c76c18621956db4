package executor

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/sampling"
)

// solo is the first part of a run: the caller's goroutine runs items alone while
// the sampler watches. Small inputs end here. Otherwise a run with several workers takes
// over: when the sample is complete, or when the alarm goes off in the midst of a block.
// In the latter case the block is the caller's first claim in that.
//
//	begin → next → runBlock → record → next …
//	  the alarm, in a block: join (makes the run, starts helpers)
//	  complete: all was run, and nobody needs to be told
//	  else: goOn (the run takes up what is left; after join, the block as well)
//	  a Goexit or a panic: close
//
// Its fields are the caller's until the alarm takes over, which the phase of the alarm says.
type solo struct {
	ctx      context.Context // the caller's
	run      *runContext     // of the calls: ends with the run, too; nil if they are given none
	cfg      Config
	runner   runner
	total    int
	batches  *batching        // nil if it is not a run of batches
	arrivals *source.Arrivals // of a stream, nil otherwise
	start    time.Duration
	events   *events

	w          worker // the caller
	err        error  // what the block returned that was run last
	failed     bool   // that block was not completed
	skip       bool   // nothing needs to be measured
	armed      bool   // the alarm is
	ended      bool   // the caller has come out of it by itself
	handedOver bool   // a run has been made, and refers to this

	alarm *alarm // says whose the following fields are
	quiet alarm  // that alarm, where none is wanted
	timed *alarm // that alarm, where one is; kept for later runs

	sampler sampling.Sampler
	heap    sampling.Heap // before the first item, where the caller limits memory
	span    span          // the block being run, or run last
	made    *run

	over atomic.Bool // no further item is to start
}

// spare is the solo, with its alarm, of the latest run that ended within it. It is
// not a [sync.Pool]: the collector empties that, and filling it anew costs more than
// all the rest of a small run.
var spare atomic.Pointer[solo]

// newSolo begins a run.
func newSolo(ctx context.Context, r runner, total int, cfg Config, batches *batching, arrivals *source.Arrivals) *solo {
	cfg.learned = cfg.learn()
	// What a fixed number or an earlier plan has decided needs no sample. But a few items
	// that are known to be cheap are done before several workers would be.
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
	if cfg.MemoryLimit > 0 { // 500 ns, only for who asks
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

// takeSpare returns the spare solo, or another one. A timer must not move between bubbles.
func takeSpare(now time.Duration, batches bool) *solo {
	if !batches && !clock.Virtual(now) {
		if o := spare.Swap(nil); o != nil {
			return o
		}
	}
	return new(solo)
}

// prepareAlarm makes ready the alarm that is wanted, or the one that does nothing.
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

// prepareCalls makes what calls are given, if they are given a context.
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

// callerContext is what the calls of the caller's goroutine are given, in one
// allocation.
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

// begin tells that the run begins.
func (o *solo) begin() {
	if o.events != nil {
		o.events.tell(Event{Kind: Started})
		o.events.tell(Event{Kind: Planning})
	}
}

// arm sets the alarm, unless nobody could join in.
func (o *solo) arm() {
	if !o.armed || o.batches != nil {
		o.events.wake() // else the alarm sees to it
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

// nextSize returns how many items the next block is to have, if there is to be one.
func (o *solo) nextSize() (size int, ok bool) {
	if o.batches == nil {
		return o.sampler.Next(), true
	}
	left := o.total - o.span.Hi
	if o.batches.sizer == nil { // the first call tells what one takes alone
		return min(o.cfg.ChunkSize, left), left > 0 && o.span.Hi == 0
	}
	size = o.batches.sizer.Size(0, left, 1)
	_, settled := o.batches.sizer.Settled()
	return size, left > 0 && !settled
}

// record takes the outcome of the block and reports whether to go on.
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
		held, o.w.policed.waited = o.w.policed.waited, 0 // that in the function included
	}
	o.sampler.Exclude(held + o.w.keeping)
	o.w.keeping = 0
	o.sampler.Record(size)
	o.tell(size)
	return true
}

// tell tells of a block that was recorded. What that takes, cold as much as many items, is no time of
// the next block.
func (o *solo) tell(size int) {
	if o.cfg.tally == nil {
		return
	}
	took, began := o.sampler.Latest(), clock.Now()
	o.events.chunk(size, took)
	o.w.tellCalls(size, took)
	o.sampler.Exclude(clock.Now() - began)
}

// join is called by the alarm: the caller has been alone for long. It makes the run,
// since the caller is busy.
func (o *solo) join() {
	defer close(o.alarm.ready)
	o.made = newRun(o.begun())
	o.made.join(o.span, o.sampler.BlockStarted())
}

// begun is what a run with several workers goes on from.
func (o *solo) begun() begun {
	o.handedOver = true
	b := begun{
		job: job{
			cfg: &o.cfg, parent: o.ctx, ctx: o.run, over: &o.over, runner: o.runner, batches: o.batches,
			total: o.total, arrives: o.arrivals != nil, start: o.start,
		},
		caller: &o.w, events: o.events, arrived: o.arrivals,
		before: before{sample: o.sampler.Sample(), heap: o.heap, span: o.span, inBlock: o.alarm.phase() == taken},
	}
	if b.inBlock {
		b.underWay = o.underWay(clock.Now())
	}
	return b
}

// underWay returns how long the block under way has taken until now, but for
// waiting in policies: of that item only the call is known that is being made.
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
