package executor

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// Run calls fn once for every item and returns the results in the order of the
// items: out[i] belongs to items[i], whatever else failed. With an error, the
// results so far are returned beside it, and Report.Valid tells which they are.
//
// It returns when nothing of fn is running any more. The error is an
// [*ItemError] or, with [Collect], [*Errors]; a [*CanceledError] if ctx ended
// first; a [*ConfigError] before any item was run. If fn panics, Run panics
// with a [*PanicError].
//
// For a few cheap items it costs some 300 ns more than a loop; no allocation
// per item ever.
func Run[T, R any](ctx context.Context, fn Func[T, R], items []T, cfg Config) ([]R, error) {
	if !fn.valid() {
		return nil, &ConfigError{"fn", nil, "a function"}
	}
	if err := cfg.check(ctx); err != nil {
		return nil, err
	}
	c := calls[T, R]{fn: fn, items: items, out: make([]R, len(items))}
	if len(cfg.Policies) > 0 {
		return c.out, execute(ctx, newGuarded(c, cfg.Policies), len(items), cfg, false)
	}
	var o opening
	ended := false
	defer func() {
		if o.sampler.Stop(); !ended {
			o.leave(ctx, cfg)
		}
	}()
	o.begin(ctx, len(items), &cfg)
	for o.next() {
		// Called directly and not through the runner interface: so everything
		// here stays on the stack, and a small input costs no allocation.
		if !o.record(c.run(ctx, &o.w, o.span)) {
			break
		}
	}
	if ended = true; o.complete() && !cfg.watched() {
		return c.out, nil
	}
	shared := c // a copy, so that only runs that come this far move it to the heap
	return c.out, o.goOn(ctx, &shared, cfg)
}

// RunBatches calls fn with consecutive slices of items and puts the results
// together in the order of the items. The size of the slices is found by
// measuring. fn must return one result for each item it was given: otherwise,
// and if it returns an error, the batch fails with a [*BatchError], and none
// of its results count. Everything else is as for [Run].
func RunBatches[T, R any](ctx context.Context, fn func(context.Context, []T) ([]R, error), items []T, cfg Config) ([]R, error) {
	if fn == nil {
		return nil, &ConfigError{"fn", nil, "a function"}
	}
	if err := cfg.check(ctx); err != nil {
		return nil, err
	}
	out := make([]R, len(items))
	return out, execute(ctx, newBatches(fn, cfg.Policies, items, out), len(items), cfg, true)
}

// Measure runs the first items as a sample, at most cfg.SampleSize of them if
// that is set, and returns the plan for all of them. The results are dropped.
// An error of fn, or of ctx, ends the sample: the plan is made from what was
// measured so far, and returned with the error.
func Measure[T, R any](ctx context.Context, fn Func[T, R], items []T, cfg Config) (optimizer.Plan, error) {
	if !fn.valid() {
		return optimizer.Plan{}, &ConfigError{"fn", nil, "a function"}
	}
	if err := cfg.check(ctx); err != nil {
		return optimizer.Plan{}, err
	}
	size := cfg.SampleSize
	if size == 0 {
		size = sampling.MaxItems
	}
	size = min(size, len(items))
	c := calls[T, R]{fn: fn, items: items[:size], out: make([]R, size)}
	var r runner = &c
	if len(cfg.Policies) > 0 {
		r = newGuarded(c, cfg.Policies)
	}
	var o opening
	defer o.sampler.Stop()
	cfg.Plan, cfg.Workers = nil, 0
	o.begin(ctx, len(items), &cfg)
	if cfg.SampleSize == 0 {
		o.sampler.Patient()
	}
	for o.next() && o.span.hi <= size {
		if !o.record(r.run(ctx, &o.w, o.span)) {
			break
		}
	}
	o.sampler.Finish()
	if o.w.panicked != nil {
		panic(o.w.panicked)
	}
	plan := optimizer.New(o.sampler.Sample(), sampling.CurrentHost(), cfg.constraints(len(items)))
	o.events.tell(Event{Kind: Planning, Fraction: 1})
	o.events.tellPlan("plan", plan)
	switch {
	case o.err != nil:
		return plan, r.fail(&o.w, r.failed(o.w.at, o.span), o.err)
	case ctx.Err() != nil:
		return plan, canceled(ctx)
	}
	return plan, nil
}

func (c *Config) check(ctx context.Context) error {
	if ctx == nil {
		return &ConfigError{"ctx", nil, "a context"}
	}
	return c.Validate()
}

// execute is Run for a runner whose items go through an interface anyway.
func execute(ctx context.Context, r runner, total int, cfg Config, batches bool) error {
	o := opening{batches: batches}
	ended := false
	defer func() {
		if o.sampler.Stop(); !ended {
			o.leave(ctx, cfg)
		}
	}()
	o.begin(ctx, total, &cfg)
	for o.next() {
		if !o.record(r.run(ctx, &o.w, o.span)) {
			break
		}
	}
	ended = true
	return o.goOn(ctx, r, cfg)
}

// opening is the first part of a run: the caller's goroutine runs items while
// the sampler watches.
type opening struct {
	sampler sampling.Sampler
	events  *events
	w       worker
	span    span // the block being run, or run last
	err     error
	failed  bool // the block was not completed
	skip    bool // nothing needs to be measured
	batches bool
	start   time.Duration
	total   int
}

func (o *opening) begin(ctx context.Context, total int, cfg *Config) {
	o.total = total
	o.w.done = ctx.Done()
	o.sampler = sampling.Start(total, cfg.SampleSize)
	o.start = o.sampler.Started()
	// What a fixed number or an earlier plan has decided needs no sample.
	o.skip = cfg.Workers > 0 || cfg.Plan != nil || o.batches && cfg.ChunkSize > 0
	if cfg.watched() {
		o.sampler.Precise()
	}
	if o.events = newEvents(cfg, total, o.start); o.events != nil {
		o.events.tell(Event{Kind: Started})
		o.events.tell(Event{Kind: Planning})
	}
}

// next reports whether there is a block to run, and leaves it in o.span.
func (o *opening) next() bool {
	if o.skip || o.sampler.Done() {
		return false
	}
	o.span = span{o.span.hi, o.span.hi + o.sampler.Next()}
	return true
}

// record takes the outcome of the block and reports whether to go on.
func (o *opening) record(err error) bool {
	if err != nil || o.w.at < o.span.hi || !o.w.returned {
		o.err, o.failed = err, true
		return false
	}
	o.sampler.Record(o.span.hi - o.span.lo)
	if o.events != nil {
		o.events.chunk(o.span.hi-o.span.lo, o.sampler.Latest())
	}
	return true
}

// complete reports whether all items have been run.
func (o *opening) complete() bool { return !o.failed && o.span.hi == o.total }

// goOn runs the items that are left and ends the run.
func (o *opening) goOn(ctx context.Context, r runner, cfg Config) error {
	o.sampler.Finish()
	p := newPool(ctx, r, &cfg, o)
	if o.failed {
		p.caller.inherit(&o.w) // o.w itself must stay on the stack
		if lost, more := p.outcome(&p.caller, o.span, o.err); more {
			p.claims.giveBack(span{lost.hi, o.span.hi})
		}
	}
	return p.run()
}

// leave is called when the caller's goroutine is on its way out of the opening:
// it writes the report if fn called Goexit.
func (o *opening) leave(ctx context.Context, cfg Config) {
	inCall := o.span.hi > 0 && !o.w.returned
	if !inCall || !cfg.watched() {
		return
	}
	p := newPool(ctx, nil, &cfg, o)
	at := o.w.at
	p.fail(&ItemError{Index: at, Attempts: 1, Err: ErrGoexit}, span{at, at + 1})
	p.cutOff(span{at + 1, o.span.hi})
	_ = p.finish() // nobody is there to take the error
}
