package executor

import (
	"context"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// Run calls fn once for every item and returns the results in the order of the items:
// out[i] belongs to items[i], even if others failed. With an error, the results so far
// are returned too, and Report.Valid says which results count.
//
// It returns when no call of fn is running any more. The error is an [*ItemError] or,
// with [Collect], [*Errors]; a [*CanceledError] if ctx ended first; a [*ConfigError]
// before any item was run. If fn panics, Run panics with a [*PanicError].
//
// For a few cheap items it costs some 0.5 µs more than a loop. It never allocates per
// item.
func Run[T, R any](ctx context.Context, fn Func[T, R], items []T, cfg Config) ([]R, error) {
	if err := cfg.check(ctx); err != nil {
		return nil, err
	}
	if err := fn.check(&cfg); err != nil {
		return nil, err
	}
	cfg.code = fn.code()
	if fn.Context != nil {
		cfg.function = functionOf(fn.Context)
	}
	c := &calls[T, R]{fn: fn.bounded(&cfg), items: items, out: make([]R, len(items))}
	if fn.Keeper != nil {
		cfg.syncer, _ = fn.Keeper.(syncer)
		var err error
		if c.items, cfg.past, err = left(fn.Keeper, items, c.out, cfg.Errors); err != nil {
			return nil, err
		}
		c.past = cfg.past
	}
	var r runner = c
	if len(cfg.Policies) > 0 || fn.Keeper != nil {
		r = newGuarded(*c, cfg.Policies)
	}
	return c.out, execute(ctx, r, len(c.items), cfg, nil)
}

// RunBatches calls fn with consecutive slices of items and puts the results together in
// the order of the items. The size of the slices is found by measuring. fn must return
// one result for each item it was given. If it does not, or returns an error, the batch
// fails with a [*BatchError], and none of its results count. The exception is a
// [*PartialError], which says which items failed. A batch of several items that is
// refused as too large (HTTP 413 and 414, SQLSTATE class 54, an error with a method
// TooLarge() bool that returns true, a message that says so) is split and run again, down
// to one item. Everything else is as for [Run].
func RunBatches[T, R any](ctx context.Context, fn func(context.Context, []T) ([]R, error), items []T, cfg Config) ([]R, error) {
	return RunBatchesKept(ctx, fn, nil, items, cfg)
}

// RunBatchesKept is [RunBatches] with a keeper for the outcomes of the items, if it is
// not nil. Batches consist of the items that are still to run.
func RunBatchesKept[T, R any](ctx context.Context, fn func(context.Context, []T) ([]R, error), keeper Keeper[T, R], items []T, cfg Config) ([]R, error) {
	if fn == nil {
		return nil, &ConfigError{"fn", nil, "a function"}
	}
	if err := cfg.check(ctx); err != nil {
		return nil, err
	}
	if err := checkItemPolicies[[]T, []R](cfg.Policies); err != nil {
		return nil, err
	}
	out := make([]R, len(items))
	cfg.code = codeOf(fn)
	fn = within(cfg.ItemTimeout, answer.Linked(fn))
	if keeper != nil {
		cfg.syncer, _ = keeper.(syncer)
		var err error
		if items, cfg.past, err = left(keeper, items, out, cfg.Errors); err != nil {
			return nil, err
		}
	}
	sizer := newBatchSizer(&cfg)
	b := newBatches(fn, cfg.Policies, items, out, sizer, kept[T, R]{keeper, cfg.past})
	return out, execute(ctx, b, len(items), cfg, &batching{sizer})
}

// Measure runs the first items as a sample, at most cfg.SampleSize of them if that is
// set, and returns the plan for all of them. The results are dropped. An error of fn, or
// of ctx, ends the sample: the plan is made from what was measured so far, and returned
// with the error. Observers receive everything up to the plan, and no Finished event.
func Measure[T, R any](ctx context.Context, fn Func[T, R], items []T, cfg Config) (optimizer.Plan, error) {
	if err := cfg.check(ctx); err != nil {
		return optimizer.Plan{}, err
	}
	if err := fn.check(&cfg); err != nil {
		return optimizer.Plan{}, err
	}
	size := cfg.SampleSize
	if size == 0 {
		size = sampling.MaxItems
	}
	size = min(size, len(items))
	c := calls[T, R]{fn: fn.bounded(&cfg), items: items[:size], out: make([]R, size)}
	var r runner = &c
	if len(cfg.Policies) > 0 {
		r = newGuarded(c, cfg.Policies)
	}
	cfg.Plan, cfg.Workers, cfg.Session = nil, 0, nil
	o := newSolo(ctx, r, len(items), cfg, nil, nil)
	defer o.release()
	defer o.events.finish(nil)
	defer o.events.close()
	return o.measure(size)
}

// measure runs at most size items, and returns the plan for all of them.
func (o *solo) measure(size int) (optimizer.Plan, error) {
	o.alarm, o.armed = &o.quiet, false
	o.begin()
	o.events.wake()
	if o.cfg.SampleSize == 0 {
		o.sampler.Patient()
	}
	for o.next() && o.span.Hi <= size {
		if !o.record(o.runBlock()) {
			break
		}
	}
	o.sampler.Finish()
	if o.w.panicked != nil {
		panic(o.w.panicked)
	}
	if o.failed && !o.w.returned { // panic(nil) under GODEBUG=panicnil=1
		panic(&PanicError{Index: o.w.at})
	}
	plan := optimizer.New(o.sampler.Sample(), sampling.CurrentHost(), o.cfg.constraints(o.total))
	o.events.tell(Event{Kind: Planning, Fraction: 1})
	o.events.tellPlan("plan", plan)
	return plan, o.measured()
}

// measured returns the error that ended a measurement early, if there is one.
func (o *solo) measured() error {
	switch {
	case o.err != nil && !isContextError(o.ctx, o.err):
		return o.runner.fail(&o.w, o.runner.failed(o.w.at, o.span), o.err)
	case o.ctx.Err() != nil:
		return canceled(o.ctx)
	}
	return nil
}

// execute runs total items of r.
func execute(ctx context.Context, r runner, total int, cfg Config, batches *batching) (err error) {
	defer holdOuter(ctx, cfg.Session).End()
	cfg.observed(ctx, total)
	ctx, unmark := cfg.mark(ctx)
	defer unmark()
	o := newSolo(ctx, r, total, cfg, batches, nil)
	defer o.close(&err)
	return o.execute()
}

func (o *solo) execute() error {
	o.begin()
	o.arm()
	for o.next() {
		if !o.record(o.runBlock()) {
			break
		}
	}
	if o.complete() {
		return nil
	}
	return o.goOn()
}

// holdOuter is for a run that is started within a call of the same session: that call
// counts as held back until the run has ended, since it makes no request itself
// meanwhile.
func holdOuter(ctx context.Context, s *Session) (h waiting.Hold) {
	if s == nil {
		return h
	}
	if outer, ok := ctx.Value(sessionKey{s}).(*callContext); ok {
		return waiting.BeginWith(outer, waiting.Line{})
	}
	return h
}
