package executor

import (
	"context"
	"errors"
	"iter"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// DefaultWindow is how many items of a stream may be in the works at a time
// unless Config.Window says otherwise.
const DefaultWindow = 4096

// Result is what became of an item of a stream.
type Result[T, R any] struct {
	Index    int // of the item in the input; -1 if Err is not of an item
	Item     T
	Value    R
	Err      error         // an [*ItemError], or why the stream ended
	Duration time.Duration // of the item, with what policies made it wait
}

// Stream calls fn once for every item and yields the results in the order of
// the items, or of completion if cfg.Unordered. At most cfg.Window items have
// been taken from items and not been yielded.
//
// With [FailFast] the first failure ends the stream: what was completed is still
// yielded, then, last, the failure. With [Collect] a failure is a result like any
// other. If ctx ends, the last result is a [*CanceledError]. If fn or items
// panic, the stream panics with a [*PanicError].
//
// items is iterated in a goroutine of its own, fn called in others. When the
// stream is over, or is broken out of, nothing of either is running any more: a
// break waits for the calls under way, whose contexts end, and for the step of
// items under way.
func Stream[T, R any](ctx context.Context, fn Func[T, R], items iter.Seq[T], cfg Config) iter.Seq[Result[T, R]] {
	return func(yield func(Result[T, R]) bool) {
		err := cfg.check(ctx)
		switch {
		case !fn.valid():
			err = &ConfigError{"fn", nil, "a function"}
		case err == nil && items == nil:
			err = &ConfigError{"items", nil, "an iterator"}
		}
		if err != nil {
			yield(Result[T, R]{Index: -1, Err: err})
			return
		}
		newStream(ctx, fn, items, cfg).yield(yield)
	}
}

// errBroken is the cause that calls see when a stream is broken out of.
var errBroken = errors.New("amorsize: the stream was broken out of")

// stream is a run whose items arrive while it goes on.
type stream[T, R any] struct {
	ctx    context.Context // the run's: ends when the stream is broken out of
	cancel context.CancelCauseFunc
	parent context.Context
	cfg    Config
	fn     Func[T, R]
	items  iter.Seq[T]
	feed   *feed

	// slots holds the items in the works and their results, by index modulo the
	// length; room has a token for each. Out of order, those in the works may lie
	// further apart: then they are in a table.
	slots []slot[T, R]
	table map[int]*slot[T, R]
	room  chan struct{}
	ready chan int // indexes of results as they complete, never more than there is room

	mu       sync.Mutex
	failure  *Result[T, R] // that ended the stream
	panicked *PanicError   // of items

	exhausted bool // items came to its end; written before the feed ends

	finished chan struct{} // the run has ended
	err      error         // with which
}

type slot[T, R any] struct {
	item   T
	result Result[T, R]
	ready  atomic.Bool
}

func newStream[T, R any](ctx context.Context, fn Func[T, R], items iter.Seq[T], cfg Config) *stream[T, R] {
	window := cfg.Window
	if window == 0 {
		window = DefaultWindow
	}
	s := &stream[T, R]{parent: ctx, cfg: cfg, fn: fn, items: items, finished: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.feed = newFeed()
	s.room, s.ready = make(chan struct{}, window), make(chan int, window)
	if cfg.Unordered {
		s.table = map[int]*slot[T, R]{}
	} else {
		s.slots = make([]slot[T, R], window)
	}
	return s
}

// slot returns the place of item i, from when it has arrived until its result
// is yielded.
func (s *stream[T, R]) slot(i int) *slot[T, R] {
	if s.table == nil {
		return &s.slots[i%len(s.slots)]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.table[i]
	if at == nil {
		at = new(slot[T, R])
		s.table[i] = at
	}
	return at
}

func (s *stream[T, R]) free(i int, at *slot[T, R]) {
	if s.table == nil {
		at.result, at.item = Result[T, R]{}, *new(T)
		at.ready.Store(false)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.table, i)
}

// yield runs the stream and passes on its results.
func (s *stream[T, R]) yield(yield func(Result[T, R]) bool) {
	var running sync.WaitGroup
	running.Go(s.produce)
	running.Go(s.run)
	defer running.Wait() // also if the loop's body panics
	defer s.cancel(errBroken)
	if !s.deliver(yield) {
		return
	}
	s.cancel(nil)
	running.Wait()
	s.finish(yield)
}

// produce hands on the items as they come, as many as there is room for.
func (s *stream[T, R]) produce() {
	returned := false
	defer func() {
		if v := recover(); v != nil || !returned {
			e := &PanicError{Index: int(s.feed.produced.Load()), Value: v, Stack: debug.Stack()}
			s.mu.Lock()
			s.panicked = e
			s.mu.Unlock()
			s.cancel(e)
		}
		s.feed.end()
	}()
	done := s.ctx.Done()
	makeRoom := func() bool { // before an item is taken
		select {
		case s.room <- struct{}{}:
			return true
		case <-done:
			return false
		}
	}
	if !makeRoom() {
		returned = true
		return
	}
	for item := range s.items {
		i := int(s.feed.produced.Load())
		s.slot(i).item = item
		s.feed.produced.Add(1)
		poke(s.feed.arrived)
		if !makeRoom() {
			returned = true
			return
		}
	}
	returned, s.exhausted = true, true
}

// run has the engine run the items.
func (s *stream[T, R]) run() {
	defer close(s.finished)
	defer s.cancel(nil) // items are no longer wanted
	defer func() {
		if v := recover(); v != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			e, ok := v.(*PanicError)
			if !ok {
				e = asPanic(v)
			}
			if e.before(s.panicked) {
				s.panicked = e
			}
		}
	}()
	s.err = ErrGoexit // unless it returns
	s.err = executeFeed(s.ctx, newStreaming(s), s.feed, s.cfg)
}

// deliver yields results until the run has ended; it returns false if the loop
// was left.
func (s *stream[T, R]) deliver(yield func(Result[T, R]) bool) bool {
	next := 0
	for {
		select {
		case i := <-s.ready:
			if s.cfg.Unordered {
				if !s.pass(i, yield) {
					return false
				}
				continue
			}
			for s.slot(next).ready.Load() {
				if !s.pass(next, yield) {
					return false
				}
				next++
			}
		case <-s.finished:
			return s.drain(next, yield)
		}
	}
}

// drain yields what was completed, in order, after the run has ended.
func (s *stream[T, R]) drain(next int, yield func(Result[T, R]) bool) bool {
	if s.cfg.Unordered {
		for {
			select {
			case i := <-s.ready:
				if !s.pass(i, yield) {
					return false
				}
			default:
				return true
			}
		}
	}
	for i := next; i < min(next+len(s.slots), int(s.feed.produced.Load())); i++ {
		if s.slot(i).ready.Load() && !s.pass(i, yield) {
			return false
		}
	}
	return true
}

// pass yields the result of item i and makes room for another one.
func (s *stream[T, R]) pass(i int, yield func(Result[T, R]) bool) bool {
	at := s.slot(i)
	result := at.result
	s.free(i, at)
	<-s.room
	return yield(result)
}

// finish yields how a stream ended that did not end well.
func (s *stream[T, R]) finish(yield func(Result[T, R]) bool) {
	switch {
	case s.panicked != nil:
		panic(s.panicked)
	case s.failure != nil:
		yield(*s.failure)
	case s.err != nil:
		yield(Result[T, R]{Index: -1, Err: s.err})
	case s.parent.Err() != nil && !s.exhausted:
		yield(Result[T, R]{Index: -1, Err: canceled(s.parent)})
	}
}

// streaming runs the items of a stream, each through a chain of policies.
type streaming[T, R any] struct {
	*stream[T, R]
	chain func(context.Context) error
	w     *worker // whose item is being run
	item  T
	value R
}

func newStreaming[T, R any](s *stream[T, R]) *streaming[T, R] {
	r := &streaming[T, R]{stream: s}
	r.chain = chain(s.cfg.Policies, r.call)
	return r
}

func (r *streaming[T, R]) fork() runner               { return newStreaming(r.stream) }
func (r *streaming[T, R]) usesContext() bool          { return true }
func (r *streaming[T, R]) failed(at int, _ span) span { return span{at, at + 1} }

func (r *streaming[T, R]) fail(w *worker, lost span, err error) error {
	e := &ItemError{Index: lost.lo, Attempts: max(1, w.attempts), Err: err}
	at := r.slot(lost.lo)
	item := at.item
	if r.cfg.Errors == Collect { // a Goexit: any other failure is a result already
		at.result = Result[T, R]{Index: lost.lo, Item: item, Err: e}
		r.feed.failed.Add(1)
		r.publish(lost.lo, at)
		return e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil || lost.lo < r.failure.Index {
		r.failure = &Result[T, R]{Index: lost.lo, Item: item, Err: e}
	}
	return e
}

// call is the innermost link: one attempt at the current item.
func (r *streaming[T, R]) call(ctx context.Context) (err error) {
	r.w.attempts++
	entered := r.w.enter(1)
	if r.fn.Plain != nil {
		r.value, err = r.fn.Plain(r.item)
	} else {
		r.value, err = r.fn.Context(ctx, r.item)
	}
	r.w.leave(entered, 1, err)
	return err
}

func (r *streaming[T, R]) run(ctx context.Context, w *worker, s span) error {
	w.at, w.returned = s.lo, false
	defer w.guard()
	r.w = w
	for i := s.lo; i < s.hi && !w.interrupted(); i++ {
		var none R
		r.item, r.value, w.attempts = r.slot(i).item, none, 0
		began := w.beginPoliced()
		if began == 0 {
			began = clock.Now()
		}
		err := r.chain(ctx)
		w.policed.end(began)
		if err != nil && (r.cfg.Errors == FailFast || isContextError(ctx, err)) {
			w.returned = true
			return err
		}
		r.handOver(i, began, err)
		w.at = i + 1
	}
	w.returned = true
	return nil
}

// publish lets the loop have a result. In order a token only says that there is
// something to look for, and there may be stale ones.
func (r *streaming[T, R]) publish(i int, at *slot[T, R]) {
	at.ready.Store(true)
	if r.cfg.Unordered {
		r.ready <- i // there is room
		return
	}
	select {
	case r.ready <- i:
	default:
	}
}

// handOver hands over the result of item i.
func (r *streaming[T, R]) handOver(i int, began time.Duration, err error) {
	at := r.slot(i)
	at.result = Result[T, R]{Index: i, Item: r.item, Value: r.value, Duration: clock.Now() - began}
	if err != nil {
		at.result.Value = *new(R)
		at.result.Err = &ItemError{Index: i, Attempts: max(1, r.w.attempts), Err: err}
		r.feed.failed.Add(1)
	}
	r.publish(i, at)
}

// manyItems stands for a number of items that is not known: many, and still far
// from the largest int of any machine.
const manyItems = 1 << 30
