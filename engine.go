package amorsize

import (
	"context"
	"iter"

	"github.com/amorsize/amorsize/executor"
)

// Result is the result of one item of a stream: Index, Item and Value, or Err.
type Result[T, R any] = executor.Result[T, R]

// Stream calls fn once for every item as it comes. It yields the results in the order of the items, or
// with [WithUnordered] as they complete. Memory is bounded: at most [WithWindow] items, 4096 by default,
// have been taken from the input and not yet been finished by the loop. Of those, only a small multiple
// of the calls in flight wait to be run.
//
//	for r := range amorsize.Stream(ctx, fetch, urls) {
//		if r.Err != nil {
//			return r.Err
//		}
//		use(r.Value)
//	}
//
// The first failure ends the stream: completed results are still yielded, then the failure as the last
// result. With [WithErrors]([Collect]) a failure is a result like any other. If ctx ends, items that were
// taken and not completed are yielded as well, and the last result's Err is a [*CanceledError] with Index
// -1. So an input that gives each item only once (a queue, a cursor) loses nothing: an item that was not
// run has an [*ItemError] with 0 attempts, which matches [ErrNotRun] and what ended the stream. After a
// break, the loop gets nothing more. If an option is invalid, the only result's Err is a [*ConfigError].
//
// A panic of fn or of items panics again in the loop's goroutine as a [*PanicError], even if it comes
// after the loop was left, unless the loop's body itself panicked.
//
// items is iterated in a goroutine of its own. When the loop has ended or was left, neither fn nor items
// is running any more: leaving the loop cancels the contexts of the calls in flight and waits for them,
// and for items to yield or return. Nothing can interrupt items while it blocks, not even the end of ctx,
// so it should watch ctx too, as [FromChannel] does.
//
// Cheap items pass from core to core in chunks, at some 50 ns of CPU time per item: a plain loop is
// faster if an item takes less than that. No result waits for a chunk to fill, and a slow item does not
// delay the others of its chunk.
func Stream[T, R any](ctx context.Context, fn func(context.Context, T) (R, error), items iter.Seq[T], opts ...Option) iter.Seq[Result[T, R]] {
	cfg, err := configure(opts)
	return stream(cfg, err, func(keeper executor.Keeper[T, R], cfg executor.Config) iter.Seq[Result[T, R]] {
		return executor.Stream(ctx, executor.Func[T, R]{Context: fn, Keeper: keeper}, items, cfg)
	})
}

// StreamSeq2 is [Stream] for an input that can fail: the rows of a query, the lines of a file. Its first
// error ends the stream: the items before it are run and yielded, then the error as the last result, with
// Index -1.
func StreamSeq2[T, R any](ctx context.Context, fn func(context.Context, T) (R, error), items iter.Seq2[T, error], opts ...Option) iter.Seq[Result[T, R]] {
	cfg, err := configure(opts)
	return stream(cfg, err, func(keeper executor.Keeper[T, R], cfg executor.Config) iter.Seq[Result[T, R]] {
		return executor.StreamSeq2(ctx, executor.Func[T, R]{Context: fn, Keeper: keeper}, items, cfg)
	})
}

// FromChannel returns what is received from items, as the input of a [Stream]. It
// ends when items is closed or ctx ends: give it the context of the stream.
func FromChannel[T any](ctx context.Context, items <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for ctx.Err() == nil { // select picks at random if both are ready
			select {
			case <-ctx.Done():
			case item, ok := <-items:
				if !ok || !yield(item) {
					return
				}
			}
		}
	}
}

// stream yields err if there is one, or else the results of a stream. Each loop over it is a run with its
// own keeper.
func stream[T, R any](cfg settings, err error, start func(executor.Keeper[T, R], executor.Config) iter.Seq[Result[T, R]]) iter.Seq[Result[T, R]] {
	return func(yield func(Result[T, R]) bool) {
		cfg := cfg
		var kept executor.Keeper[T, R]
		failed := err
		if failed == nil {
			kept, failed = keeper[T, R](&cfg)
		}
		if failed != nil {
			yield(Result[T, R]{Index: -1, Err: failed})
			return
		}
		pass(start(kept, cfg.Config), &cfg, yield)
	}
}

// pass yields results, and at the end the error of the journal, if there is one.
func pass[T, R any](results iter.Seq[Result[T, R]], cfg *settings, yield func(Result[T, R]) bool) {
	var last error
	more := true
	results(func(r Result[T, R]) bool {
		if r.Err != nil {
			r.Err = named(r.Err)
			last = r.Err
		}
		more = yield(r)
		return more
	})
	if unsynced := cfg.unsynced(last); unsynced != nil && more {
		yield(Result[T, R]{Index: -1, Err: unsynced})
	}
}

// Engine runs one function over many inputs and keeps what it learns from one run to the next: the plan,
// and for I/O-bound calls how many in flight give the best throughput. Concurrent runs share that limit,
// so ten requests that each fan out over the same service do not send it ten times the load. It is
// immutable and safe for concurrent use; it has no goroutine and need not be closed.
type Engine[T, R any] struct {
	fn      func(context.Context, T) (R, error)
	cfg     settings
	session *executor.Session
}

// Stats tells what an [Engine] has seen and learned.
type Stats = executor.Stats

// New makes an engine. The options hold for all of its runs. Give those that are for one run only,
// [WithReport] and [WithProgress], to [Engine.Run] instead: concurrent runs would write the same report.
func New[T, R any](fn func(context.Context, T) (R, error), opts ...Option) (*Engine[T, R], error) {
	cfg, err := configure(opts)
	switch {
	case err != nil:
		return nil, err
	case fn == nil:
		return nil, &ConfigError{Field: "fn", Value: nil, Range: "a function"}
	}
	if err := cfg.Validate(); err != nil {
		return nil, named(err)
	}
	return &Engine[T, R]{fn: fn, cfg: cfg, session: new(executor.Session)}, nil
}

// Run is [ExecuteContext] with what earlier runs have learned. Options add to
// those of the engine, for this run.
func (e *Engine[T, R]) Run(ctx context.Context, items []T, opts ...Option) ([]R, error) {
	cfg, err := e.configure(opts)
	if err != nil {
		return nil, err
	}
	return run(ctx, executor.Func[T, R]{Context: e.fn}, items, cfg)
}

// Stream is [Stream] with what earlier runs have learned. Options add to those
// of the engine, for this run.
func (e *Engine[T, R]) Stream(ctx context.Context, items iter.Seq[T], opts ...Option) iter.Seq[Result[T, R]] {
	cfg, err := e.configure(opts)
	return stream(cfg, err, func(keeper executor.Keeper[T, R], cfg executor.Config) iter.Seq[Result[T, R]] {
		return executor.Stream(ctx, executor.Func[T, R]{Context: e.fn, Keeper: keeper}, items, cfg)
	})
}

// StreamSeq2 is [StreamSeq2] with what earlier runs have learned. Options add to
// those of the engine, for this run.
func (e *Engine[T, R]) StreamSeq2(ctx context.Context, items iter.Seq2[T, error], opts ...Option) iter.Seq[Result[T, R]] {
	cfg, err := e.configure(opts)
	return stream(cfg, err, func(keeper executor.Keeper[T, R], cfg executor.Config) iter.Seq[Result[T, R]] {
		return executor.StreamSeq2(ctx, executor.Func[T, R]{Context: e.fn, Keeper: keeper}, items, cfg)
	})
}

// Plan returns the plan that the next run starts with, and whether there is one. There is none until a
// run has been long enough to make it.
func (e *Engine[T, R]) Plan() (Plan, bool) { return e.session.Plan() }

// Stats tells what the engine has seen and learned so far.
func (e *Engine[T, R]) Stats() Stats { return e.session.Stats() }

func (e *Engine[T, R]) configure(opts []Option) (settings, error) {
	cfg := e.cfg
	// Options append: they must not write into the engine's own slices.
	cfg.Policies = cfg.Policies[:len(cfg.Policies):len(cfg.Policies)]
	cfg.Observers = cfg.Observers[:len(cfg.Observers):len(cfg.Observers)]
	if err := apply(&cfg, opts); err != nil {
		return cfg, err
	}
	cfg.Session = e.session
	return cfg, nil
}

// Watch calls observe for an observer of each run of the process that begins from now on, until stop is
// called. It is for code that shows or exports all runs. See [executor.Watch].
func Watch(observe func(RunInfo) Observer) (stop func()) { return executor.Watch(observe) }
