package executor

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/sampling"
)

// opening is the first part of a run: the caller's goroutine runs items while
// the sampler watches. Small inputs end here. Otherwise a pool takes over: when
// the sample is complete, or when the alarm goes off in the midst of a block.
// In the latter case the block is the caller's first claim in the pool.
type opening struct {
	ctx     context.Context // the caller's
	run     *runContext     // of the calls: ends with the run, too; nil if they are given none
	cfg     Config
	runner  runner
	total   int
	batches *batching // nil if it is not a run of batches
	feed    *feed     // of a stream, nil otherwise
	start   time.Duration
	events  *events

	w      worker // the caller
	err    error  // what the block returned that was run last
	failed bool   // that block was not completed
	skip   bool   // nothing needs to be measured
	armed  bool   // the alarm is
	ended  bool   // the caller has come out of the opening by itself
	pooled bool   // a pool has been made, and refers to this

	alarm *alarm // says whose the following fields are
	quiet alarm  // that alarm, where none is wanted
	timed *alarm // that alarm, where one is; kept for later runs

	sampler sampling.Sampler
	heap    sampling.Heap // before the first item, where the caller limits memory
	span    span          // the block being run, or run last
	pool    *pool

	doomed atomic.Bool // the run is to stop, as the caller has found: no item starts
}

// spare is the opening, with its alarm, of the latest run that ended within it. It is
// not a [sync.Pool]: the collector empties that, and filling it anew costs more than
// all the rest of a small run.
var spare atomic.Pointer[opening]

// newOpening begins a run.
func newOpening(ctx context.Context, r runner, total int, cfg Config, batches *batching, f *feed) *opening {
	cfg.Session.begin(&cfg)
	// What a fixed number or an earlier plan has decided needs no sample. But a few items
	// that are known to be cheap are done before a pool would be.
	skip := cfg.Workers > 0 || cfg.Plan != nil || cfg.learned.worthSharing(total)
	sampler := sampling.Start(total, cfg.SampleSize)
	armed := total > 1 && !skip && cfg.SampleSize == 0 && (cfg.MaxWorkers != 1 || f != nil)
	virtual := clock.Virtual(sampler.Started())
	var o *opening
	if !virtual && batches == nil { // a timer must not move between bubbles
		o = spare.Swap(nil)
	}
	if o == nil {
		o = new(opening)
	}
	if o.alarm = &o.quiet; armed {
		if o.timed == nil {
			o.timed = &alarm{o: o, after: alarmAfter}
		}
		o.alarm = o.timed
	}
	o.skip, o.armed, o.feed = skip, armed, f
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
func (o *opening) runBlock() error {
	if o.w.call != nil {
		return o.runner.run(o.w.call, &o.w, o.span)
	}
	return o.runner.run(o.ctx, &o.w, o.span)
}

// begin tells that the run begins.
func (o *opening) begin() {
	if o.events != nil {
		o.events.tell(Event{Kind: Started})
		o.events.tell(Event{Kind: Planning})
	}
}

// listenerFailed stops the run before there is a pool: see [pool.listenerFailed].
func (o *opening) listenerFailed(e *PanicError) {
	o.doomed.Store(true)
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
func (o *opening) arm() {
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
func (o *opening) next() bool {
	if o.skip || o.batches == nil && o.sampler.Done() {
		return false
	}
	if o.feed != nil {
		return o.nextArrived()
	}
	size, ok := o.nextSize()
	if !ok {
		return false
	}
	o.span = span{o.span.hi, o.span.hi + size}
	o.alarm.enter(inBlock)
	return true
}

// nextSize returns how many items the next block is to have, if there is to be one.
func (o *opening) nextSize() (size int, ok bool) {
	if o.batches == nil {
		return o.sampler.Next(), true
	}
	left := o.total - o.span.hi
	if o.batches.sizer == nil { // the first call tells what one takes alone
		return min(o.cfg.ChunkSize, left), left > 0 && o.span.hi == 0
	}
	size = o.batches.sizer.size(nil, left, 1)
	_, settled := o.batches.sizer.settled()
	return size, left > 0 && !settled
}

// record takes the outcome of the block and reports whether to go on.
func (o *opening) record(err error) bool {
	o.err = err
	o.failed = err != nil || o.w.at < o.span.hi || !o.w.returned || o.w.panicked != nil
	if o.w.panicked != nil || err != nil && o.cfg.Errors == FailFast {
		o.doomed.Store(true)
	}
	if !o.alarm.leave(inBlock, between) || o.failed {
		return false
	}
	size := o.span.hi - o.span.lo
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

// join is called by the alarm: the caller has been alone for long. It makes the pool,
// since the caller is busy.
func (o *opening) join() {
	defer close(o.alarm.ready)
	o.pool = newPool(o)
	o.pool.join(o.span, o.sampler.BlockStarted())
}

// underWay returns how long the block under way has taken until now, but for
// waiting in policies: of that item only the call is known that is being made.
func (o *opening) underWay(now time.Duration) time.Duration {
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
func (o *opening) complete() bool {
	if o.failed || o.span.hi < o.total || o.cfg.watched() {
		return false
	}
	o.ended = o.alarm.leave(between, over)
	return o.ended
}

// settle ends the opening: from here on the alarm does nothing. It returns the
// pool if the alarm has made one.
func (o *opening) settle() *pool {
	for phase := o.alarm.phase(); phase != taken; phase = o.alarm.phase() {
		if o.alarm.leave(phase, over) {
			return nil
		}
	}
	<-o.alarm.ready
	return o.pool
}

// goOn runs the items that are left and ends the run.
func (o *opening) goOn() error {
	p := o.settle()
	joined := p != nil
	o.w.policed.sampling = false
	o.sampler.Stop()
	if !joined {
		o.sampler.Finish()
		p = newPool(o)
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
func (o *opening) close(err *error) {
	if o.ended {
		o.release()
		return
	}
	v := recover()
	// In a stream that goes on after failures, so does what a Goexit has ended.
	goesOn := v == nil && o.feed != nil && o.cfg.Errors == Collect && !o.w.returned
	o.doomed.Store(!goesOn)
	p := o.settle()
	o.sampler.Stop()
	if p == nil {
		p = newPool(o)
		p.caller.claimed = o.span
		p.caller.size.Store(int64(o.span.hi - o.span.lo))
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
func (o *opening) release() {
	o.sampler.Stop()
	if o.run != nil {
		o.run.end(nil)
	}
	if !o.pooled {
		o.cfg.Session.end(nil, o.span.hi, o.feed.failures())
	}
	switch a := o.alarm; {
	case a.phase() == taken:
	case clock.Virtual(o.start):
		if o.armed {
			a.timer.Stop()
		}
	case !o.pooled && o.batches == nil: // else the pool refers to it
		a.leave(between, over)
		timed := o.timed
		*o = opening{timed: timed}
		spare.Store(o)
	}
}
