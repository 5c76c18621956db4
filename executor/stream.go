package executor

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
)

// DefaultWindow is how many items of a stream may be taken from its input and not yet
// returned, unless Config.Window says otherwise.
const DefaultWindow = 4096

// Result is the result of one item of a stream.
type Result[T, R any] struct {
	Index int // of the item in the input; -1 if Err is not of an item
	Item  T
	Value R
	Err   error // an [*ItemError], or why the stream ended
	// Duration is how long the item took, including waits for policies. Items of a few microseconds are run
	// in chunks and not timed one by one: each has an equal share of the chunk's time. It is 0 for an item
	// that was not run.
	Duration time.Duration
}

// Stream calls fn once for every item and yields the results in the order of the items, or of completion if
// cfg.Unordered. At most cfg.Window items have been taken from items and not yet been finished by the loop.
// Only a small multiple of the calls in flight is taken ahead.
//
// With [FailFast] the first failure ends the stream: completed results are still yielded, then the failure
// as the last result. With [Collect] a failure is a result like any other. If ctx ends, what was taken from
// items and not run is yielded too, and the last result is a [*CanceledError]. An item that was not run has
// an [*ItemError] with 0 attempts, which matches [ErrNotRun] and the reason why the stream ended.
//
// If fn or items panic, the stream panics with a [*PanicError], even after the loop was left, unless the
// loop's own body panicked. If items calls [runtime.Goexit], the stream ends with [ErrGoexit].
//
// items is iterated in a goroutine of its own, fn called in others. When the stream has ended, or the loop
// was left, neither is running any more: a break cancels the contexts of the calls in flight and waits for
// them, and for items to yield or return. The same holds when ctx ends: nothing can interrupt items while
// it blocks, so it should watch the same context.
func Stream[T, R any](ctx context.Context, fn Func[T, R], items iter.Seq[T], cfg Config) iter.Seq[Result[T, R]] {
	return func(yield func(Result[T, R]) bool) {
		cfg := cfg // a sequence may be ranged over by several
		if err := checkStream(ctx, fn, items == nil, &cfg); err != nil {
			yield(Result[T, R]{Index: -1, Err: err})
			return
		}
		newStream(ctx, fn.bounded(&cfg), items, cfg).yield(yield)
	}
}

// StreamSeq2 is [Stream] for an input that can fail. Its first error ends the stream: the items before it
// are run and yielded, then the error, with index -1.
func StreamSeq2[T, R any](ctx context.Context, fn Func[T, R], items iter.Seq2[T, error], cfg Config) iter.Seq[Result[T, R]] {
	if items == nil {
		return StreamFrom[T, R](ctx, fn, nil, cfg)
	}
	return StreamFrom(ctx, fn, func(context.Context) iter.Seq2[T, error] { return items }, cfg)
}

// StreamFrom is [StreamSeq2] for an input that waits for the outcome of its items: items is called once,
// with a context that ends when no further item is wanted.
func StreamFrom[T, R any](ctx context.Context, fn Func[T, R], items func(ctx context.Context) iter.Seq2[T, error], cfg Config) iter.Seq[Result[T, R]] {
	return func(yield func(Result[T, R]) bool) {
		cfg := cfg // a sequence may be ranged over by several
		if err := checkStream(ctx, fn, items == nil, &cfg); err != nil {
			yield(Result[T, R]{Index: -1, Err: err})
			return
		}
		s := newStream(ctx, fn.bounded(&cfg), nil, cfg)
		s.items = func(yield func(T) bool) {
			for item, err := range items(s.ctx) {
				if s.inputErr = err; err != nil || !yield(item) {
					return
				}
			}
		}
		s.yield(yield)
	}
}

func checkStream[T, R any](ctx context.Context, fn Func[T, R], noItems bool, cfg *Config) error {
	err := cfg.check(ctx)
	if err == nil {
		err = fn.check(cfg)
	}
	cfg.code = fn.code()
	if err == nil && noItems {
		return &ConfigError{"items", nil, "an iterator"}
	}
	return err
}

// errBroken is the context cause that calls see when the loop over a stream is left.
var errBroken = errors.New("amorsize: the stream was broken out of")

// stream is a run whose items arrive while it runs. The producer writes them into the ring. Workers run
// claims of them and hand over their results, claim by claim; the caller's goroutine yields these. So items
// move between cores packed together, without space for their results: moving a cache line takes longer
// than running a cheap item.
type stream[T, R any] struct {
	ctx      context.Context // the run's; ends when the loop is left
	cancel   context.CancelCauseFunc
	parent   context.Context
	cfg      Config
	fn       Func[T, R]
	items    iter.Seq[T]
	arrivals *source.Arrivals
	window   int
	ring     ring[T] // the items, from arrival until they are begun

	handover[T, R]
	known map[int]Result[T, R] // items that have arrived and are not to be run; nil without a keeper

	// Written by the producer, to be read when it has ended.
	exhausted bool  // items was exhausted, not ended by the context
	inputErr  error // that ended it

	finished chan struct{} // the run has ended
	err      error         // the error of the run, to be read after finished
}

func newStream[T, R any](ctx context.Context, fn Func[T, R], items iter.Seq[T], cfg Config) *stream[T, R] {
	window := cfg.Window
	if window == 0 {
		window = DefaultWindow
	}
	s := &stream[T, R]{parent: ctx, cfg: cfg, fn: fn, items: items, finished: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.arrivals = source.NewArrivals(window, cfg.ReadAhead)
	s.window = window
	s.ring = newRing[T](window)
	s.ready = make(chan struct{}, 1)
	if fn.Keeper != nil {
		s.cfg.syncer, _ = fn.Keeper.(syncer)
		s.known, s.cfg.past = map[int]Result[T, R]{}, newPast(fn.Keeper)
		s.arrivals.Skip(s.skip)
	}
	return s
}

// yield runs the stream and passes on its results.
func (s *stream[T, R]) yield(yield func(Result[T, R]) bool) {
	var running sync.WaitGroup
	running.Go(s.produce)
	running.Go(s.run)
	body := true // the loop's body is running, or has ended the goroutine
	defer func() {
		s.stop(errBroken)
		running.Wait()
		if !body && s.panicked != nil {
			panic(s.panicked)
		}
	}()
	d := delivery[T, R]{stream: s, yield: yield, step: int64(s.window / 16)}
	if d.all() {
		running.Wait() // the input may not have returned yet
		d.ending()
	}
	body = false
}

// stop ends the run, and keeps the producer from taking further items.
func (s *stream[T, R]) stop(cause error) {
	s.arrivals.Stop()
	s.cancel(cause)
}

// produce passes on the items as they come, as long as there is room.
func (s *stream[T, R]) produce() {
	returned, n := false, 0
	defer func() {
		if v := recover(); v != nil {
			e := asPanic(v)
			s.panics(e)
			s.stop(e)
		} else if !returned {
			s.inputErr = ErrGoexit
		}
		s.arrivals.End()
	}()
	limit := s.makeRoom(n)
	if limit == n {
		returned = true
		return
	}
	for item := range s.items {
		*s.ring.at(n) = item
		if s.known != nil {
			if s.inputErr = s.recall(n, item); s.inputErr != nil {
				returned = true
				return
			}
		}
		n++
		s.arrivals.Arrive(n)
		if n == limit {
			limit = s.makeRoom(n)
		}
		if n == limit || s.arrivals.Stopped() {
			returned = true
			return
		}
	}
	returned, s.exhausted = true, s.parent.Err() == nil // it may have watched the context
}

// makeRoom waits until there is room for item n, and returns up to which item there is; n if the stream has
// ended.
func (s *stream[T, R]) makeRoom(n int) (limit int) {
	return s.arrivals.AwaitRoom(n, func(limit int) int { return s.roomFrom(n, limit) }, s.ctx.Done())
}

// roomFrom returns up to which item there is room within the block of item n, and the
// limit.
func (s *stream[T, R]) roomFrom(n, limit int) int {
	if limit <= n || n%s.ring.size == 0 && !s.ring.enter(n, s.cfg.Unordered) {
		return n
	}
	return min(limit, (n/s.ring.size+1)*s.ring.size)
}

// run runs the items.
func (s *stream[T, R]) run() {
	defer close(s.finished)
	defer s.stop(nil) // items are no longer wanted
	defer func() {
		if v := recover(); v != nil {
			e, ok := v.(*PanicError)
			if !ok {
				e = asPanic(v)
			}
			s.panics(e)
		}
	}()
	executeArrivals(s.ctx, newStreaming(s), s.arrivals, s.cfg, &s.err)
}

// executeArrivals runs items as they arrive, and leaves the run's error in left. It begins like any run:
// this goroutine runs the arrived items and is measured; helpers join if that takes long.
func executeArrivals(ctx context.Context, r runner, arrivals *source.Arrivals, cfg Config, left *error) {
	var err error
	defer func() { *left = err }() // also after a Goexit
	defer holdOuter(ctx, cfg.Session).End()
	cfg.observed(ctx, -1)
	ctx, unmark := cfg.mark(ctx)
	defer unmark()
	o := newSolo(ctx, r, source.Many, cfg, nil, arrivals)
	o.w.policed.sampling = true // separates waits in policies from the items' own time
	o.sampler.Brief()
	o.events.arriving(arrivals)
	defer o.close(&err)
	err = o.execute()
}

// lines returns the lines that policies make the items wait in, if they do.
func (s *stream[T, R]) lines() source.Lines {
	if l := linesOf(s.cfg.Policies, s.ring.at); l != nil {
		return l
	}
	return nil
}
