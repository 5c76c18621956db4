package executor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/sampling"
)

// alarmAfter is how long the caller may be alone with one block of items
// before others join in: the block turned out dearer than the ones before it, or
// its first call is a giant. Company gains nothing on less (engine costs in
// docs/how-it-works.md).
const alarmAfter = time.Millisecond

// opening is the first part of a run: the caller's goroutine runs items while
// the sampler watches. Small inputs end here. Otherwise a pool takes over: when
// the sample is complete, or when the alarm goes off in the midst of a block.
// In the latter case the block is the caller's first claim in the pool.
type opening struct {
	ctx     context.Context // the caller's
	calls   context.Context // of the calls: ends with the run, too
	cancel  context.CancelCauseFunc
	cfg     Config
	runner  runner
	total   int
	batches bool
	feed    *feed // of a stream, nil otherwise
	start   time.Duration
	events  *events

	w      worker // the caller
	err    error  // what the block returned that was run last
	failed bool   // that block was not completed
	skip   bool   // nothing needs to be measured
	ended  bool   // the caller has come out of the opening by itself
	pooled bool   // a pool has been made, and refers to this

	// state says whose the following fields are: the caller's, and from taken on
	// the alarm's until ready is closed.
	state   atomic.Uint32
	sampler sampling.Sampler
	span    span // the block being run, or run last
	ready   chan struct{}
	pool    *pool

	doomed atomic.Bool // the run is to stop, as the caller has found: no item starts

	timer *time.Timer // the alarm's
	armed bool
	rang  atomic.Bool // it has gone off, if only to look again later
}

// The states of an opening.
const (
	between uint32 = iota // two blocks, or before the first
	inBlock               // the caller runs one
	taken                 // the alarm has gone off in a block, and makes the pool
	over                  // the caller has left; the alarm has nothing to do any more
)

// openings keeps used ones with their timers: a timer alone would cost a small
// input 260 ns, a used one 100 ns.
var openings = sync.Pool{New: func() any { return new(opening) }}

// newOpening begins a run.
func newOpening(ctx context.Context, r runner, total int, cfg Config, batches bool) *opening {
	cfg.Session.begin(&cfg)
	sampler := sampling.Start(total, cfg.SampleSize)
	var o *opening
	if clock.Virtual(sampler.Started()) {
		o = new(opening) // a timer must not move between bubbles
	} else {
		o = openings.Get().(*opening)
	}
	o.ctx, o.runner, o.total, o.batches, o.cfg = ctx, r, total, batches, cfg
	o.sampler, o.start = sampler, sampler.Started()
	if o.calls = ctx; r.usesContext() {
		o.calls, o.cancel = context.WithCancelCause(ctx)
	}
	o.w.done = ctx.Done()
	o.w.policed.sampling = len(cfg.Policies) > 0
	// What a fixed number or an earlier plan has decided needs no sample.
	o.skip = cfg.Workers > 0 || cfg.Plan != nil || cfg.learned != nil || batches && cfg.ChunkSize > 0
	if cfg.watched() {
		o.sampler.Precise()
		o.events = newEvents(&o.cfg, total, o.start)
	}
	return o
}

// begin tells that the run begins.
func (o *opening) begin() {
	if o.events != nil {
		o.events.tell(Event{Kind: Started})
		o.events.tell(Event{Kind: Planning})
	}
}

// arm sets the alarm, unless nobody could join in.
func (o *opening) arm() {
	if o.skip || o.total < 2 || o.cfg.SampleSize > 0 || o.cfg.MaxWorkers == 1 {
		return
	}
	if o.timer == nil { // set only once it is assigned: the alarm uses it
		o.ready = make(chan struct{})
		o.timer = time.AfterFunc(time.Hour, o.alarm)
	}
	o.armed = true
	o.timer.Reset(alarmAfter)
}

// next reports whether there is a block to run, and leaves it in o.span.
func (o *opening) next() bool {
	if o.skip || o.sampler.Done() {
		return false
	}
	size := o.sampler.Next()
	if o.batches && o.cfg.MaxChunkSize > 0 {
		size = min(size, o.cfg.MaxChunkSize)
	}
	o.span = span{o.span.hi, o.span.hi + size}
	o.state.Store(inBlock)
	return true
}

// record takes the outcome of the block and reports whether to go on.
func (o *opening) record(err error) bool {
	o.err = err
	o.failed = err != nil || o.w.at < o.span.hi || !o.w.returned || o.w.panicked != nil
	if o.w.panicked != nil || err != nil && o.cfg.Errors == FailFast {
		o.doomed.Store(true)
	}
	if !o.state.CompareAndSwap(inBlock, between) || o.failed {
		return false
	}
	size := o.span.hi - o.span.lo
	o.sampler.Exclude(o.w.policed.waited)
	o.w.policed.waited = 0
	o.sampler.Record(size)
	if o.events != nil {
		o.events.chunk(size, o.sampler.Latest())
	}
	return true
}

// alarm goes off when the caller has been alone for long. It makes the pool in
// a goroutine of its own, since the caller is busy.
func (o *opening) alarm() {
	o.rang.Store(true)
	if !o.state.CompareAndSwap(inBlock, taken) {
		if o.state.Load() == between {
			o.timer.Reset(alarmAfter) // look again
		}
		return
	}
	defer close(o.ready)
	o.pool = newPool(o)
	o.pool.join(o.span, o.sampler.BlockStarted())
}

// underWay returns how long the block under way has taken until now, but for
// waiting in policies: of that item only the call is known that is being made.
func (o *opening) underWay(now time.Duration) time.Duration {
	policed := &o.w.policed
	switch {
	case len(o.cfg.Policies) == 0:
		return now - o.sampler.BlockStarted()
	case policed.inside.Load():
		return now - time.Duration(policed.entered.Load())
	}
	return 0
}

// complete reports whether all items have been run and nobody needs to be told.
func (o *opening) complete() bool {
	if o.failed || o.span.hi < o.total || o.cfg.watched() {
		return false
	}
	o.ended = o.state.CompareAndSwap(between, over)
	return o.ended
}

// settle ends the opening: from here on the alarm does nothing. It returns the
// pool if the alarm has made one.
func (o *opening) settle() *pool {
	for state := o.state.Load(); state != taken; state = o.state.Load() {
		if o.state.CompareAndSwap(state, over) {
			return nil
		}
	}
	<-o.ready
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
	o.doomed.Store(true)
	p := o.settle()
	o.sampler.Stop()
	if p == nil {
		p = newPool(o)
		p.caller.claimed = o.span
		p.caller.size.Store(int64(o.span.hi - o.span.lo))
	}
	*err = p.abandon(v)
}

// release keeps an opening that nobody else knows for another run.
func (o *opening) release() {
	o.sampler.Stop()
	if o.cancel != nil {
		o.cancel(nil)
	}
	if !o.pooled {
		o.cfg.Session.end(nil, o.span.hi)
	}
	if o.pooled || clock.Virtual(o.start) {
		return
	}
	if o.armed && !o.timer.Stop() || o.rang.Load() {
		return // the alarm may be under way
	}
	*o = opening{timer: o.timer, ready: o.ready}
	openings.Put(o)
}
