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
	cfg.Session.begin(&cfg)
	// What a fixed number or an earlier plan has decided needs no sample. But a few items
	// that are known to be cheap are done before a pool would be.
	skip := cfg.Workers > 0 || cfg.Plan != nil || cfg.learned.worthSharing(total)
	sampler := sampling.Start(total, cfg.SampleSize)
	armed := total > 1 && !skip && cfg.SampleSize == 0 && (cfg.MaxWorkers != 1 || arrivals != nil)
	virtual := clock.Virtual(sampler.Started())
	var o *solo
	if !virtual && batches == nil { // a timer must not move between bubbles
		o = spare.Swap(nil)
	}
	if o == nil {
		o = new(solo)
	}
	if o.alarm = &o.quiet; armed {
		if o.timed == nil {
			o.timed = &alarm{o: o, after: alarmAfter}
		}
		o.alarm = o.timed
	}
	o.skip, o.armed, o.arrivals = skip, armed, arrivals
	o.ctx, o.runner, o.total, o.batches, o.cfg = ctx, r, total, batches, cfg
	o.sampler, o.start = sampler, sampler.Started()
	o.cfg.askRate()
	if cfg.MemoryLimit > 0 { // 500 ns, only for who asks
		o.heap = sampling.ReadHeap()
	}
	if r.usesContext() {
		made := &callerContext{run: runContext{Context: ctx}}
		made.call = callContext{Context: &made.run, session: cfg.Session, function: cfg.function}
		o.run, o.w.call = &made.run, &made.call
	}
	if arrivals != nil {
		arrivals.Until(o.run.Done())
	}
	o.w.done = ctx.Done()
	o.w.runner = r
	o.w.policed.sampling = len(cfg.Policies) > 0
	if batches != nil {
		o.alarm.after = batchAlarm
		o.sampler.Patient() // there is time
	}
	if cfg.watched() {
		o.sampler.Precise()
		o.events = newEvents(&o.cfg, total, o.start, o)
	}
	return o
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
	if o.w.call != nil {
		return o.runner.run(o.w.call, &o.w, o.span)
	}
	return o.runner.run(o.ctx, &o.w, o.span)
}

// begin tells that the run begins.
func (o *solo) begin() {
	if o.events != nil {
		o.events.tell(Event{Kind: Started})
		o.events.tell(Event{Kind: Planning})
	}
}

// listenerFailed stops the run before there are several workers: see [outcome.listenerFailed].
func (o *solo) listenerFailed(e *PanicError) {
	o.over.Store(true)
	o.w.signal.Store(halt)
	switch {
	case o.run == nil:
	case e == nil:
		o.run.end(ErrGoexit)
	default:
		o.run.end(e)
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
	if len(o.cfg.Policies) > 0 {
		held, o.w.policed.waited = o.w.policed.waited, 0 // that in the function included
	}
	o.sampler.Exclude(held)
	o.sampler.Record(size)
	if o.events != nil {
		o.events.chunk(size, o.sampler.Latest())
	}
	return true
}

// join is called by the alarm: the caller has been alone for long. It makes the run,
// since the caller is busy.
func (o *solo) join() {
	defer close(o.alarm.ready)
	o.made = newRun(o)
	o.made.join(o.span, o.sampler.BlockStarted())
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

// complete reports whether all items have been run and nobody needs to be told.
func (o *solo) complete() bool {
	if o.failed || o.span.Hi < o.total || o.cfg.watched() {
		return false
	}
	o.ended = o.alarm.leave(between, over)
	return o.ended
}

// settle ends the solo: from here on the alarm does nothing. It returns the
// run if the alarm has made one.
func (o *solo) settle() *run {
	for phase := o.alarm.phase(); phase != taken; phase = o.alarm.phase() {
		if o.alarm.leave(phase, over) {
			return nil
		}
	}
	<-o.alarm.ready
	return o.made
}

// goOn runs the items that are left and ends the run.
func (o *solo) goOn() error {
	p := o.settle()
	joined := p != nil
	o.w.policed.sampling = false
	o.sampler.Stop()
	if !joined {
		o.sampler.Finish()
		p = newRun(o)
	}
	o.ended = true // whatever comes now, the pool sees to
	return p.run(func() {
		if joined {
			p.arrive(o.span, o.err)
			return
		}
		if o.failed {
			p.takeOver(o.span, o.err, o.sampler.BlockStarted())
		}
		p.announce()
	})
}

// close is deferred. It frees what the opening holds; and if the caller's
// goroutine is on its way out, because fn called Goexit or an observer
// panicked, it ends the run.
func (o *solo) close(err *error) {
	if o.ended {
		o.release()
		return
	}
	v := recover()
	// In a stream that goes on after failures, so does what a Goexit has ended.
	goesOn := v == nil && o.arrivals != nil && o.cfg.Errors == Collect && !o.w.returned
	o.over.Store(!goesOn)
	p := o.settle()
	o.sampler.Stop()
	if p == nil {
		p = newRun(o)
		p.caller.claimed = o.span
		p.caller.size.Store(int64(o.span.Hi - o.span.Lo))
	}
	if goesOn {
		o.w.policed.sampling = false
		*err = p.run(func() { p.goexit(p.caller) })
		return
	}
	*err = p.abandon(v)
}

// release frees what the opening holds, and leaves it with its alarm to another run if
// nobody else knows it.
func (o *solo) release() {
	o.sampler.Stop()
	if o.run != nil {
		o.run.end(nil)
	}
	if !o.handedOver {
		o.cfg.Session.end(o.span.Hi, int64(o.w.failed))
	}
	switch a := o.alarm; {
	case a.phase() == taken:
	case clock.Virtual(o.start):
		if o.armed {
			a.timer.Stop()
		}
	case !o.handedOver && o.batches == nil: // else the pool refers to it
		a.leave(between, over)
		timed := o.timed
		*o = solo{timed: timed}
		spare.Store(o)
	}
}
