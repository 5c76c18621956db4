package executor

import (
	"context"
	"runtime/debug"
	"sync/atomic"
)

// Func is the function of a run in one of its forms. Exactly one is set.
type Func[T, R any] struct {
	// Plain is a function that knows no context. It has a form of its own
	// because an adapter would cost every call 2 ns.
	Plain func(T) (R, error)
	// Context is a function that is given the run's context.
	Context func(context.Context, T) (R, error)
}

func (f Func[T, R]) valid() bool { return (f.Plain != nil) != (f.Context != nil) }

// runner runs ranges of items. The engine knows neither items nor results.
type runner interface {
	// run runs the items of s in order until one fails or w is signalled.
	// It leaves in w.at the first item that it did not complete; with an error,
	// or a panic noted in w, that is the item that failed.
	run(ctx context.Context, w *worker, s span) error
	// failed returns the items that are lost when item at of s fails.
	failed(at int, s span) span
	// fail makes the error of the item or batch.
	fail(w *worker, lost span, err error) error
	// fork returns the runner for another worker.
	fork() runner
	// usesContext reports whether calls are given a context.
	usesContext() bool
}

// Signals to a worker, looked at before every item.
const (
	goOn  = iota
	halt  // start no further item
	split // hand back the rest of the range and claim anew
)

// worker is one goroutine that runs items, the caller's own or a helper.
type worker struct {
	signal atomic.Uint32
	_      [60]byte // looked at before every item, written seldom: a line of its own

	done     <-chan struct{} // of the caller's context, while no one else would signal
	at       int             // the item being run, or the first not run
	returned bool            // the latest run returned of its own accord
	panicked *PanicError     // what the latest run panicked with
	attempts int             // calls of the function for the item being run
	policed  policed         // what the policies take, during the sample

	ctx      context.Context // of the run, set with gate
	gate     *gate           // to be told of attempts, nil if there is none
	runner   runner
	claimed  span          // the range being run
	seat     int           // index in the pool's list
	seated   bool          // whether it is there
	admitted *atomic.Int64 // the process-wide count that it is part of

	account
}

// interrupted reports whether no further item should be started.
func (w *worker) interrupted() bool {
	if w.signal.Load() != goOn {
		return true
	}
	if w.done == nil {
		return false
	}
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// guard is deferred around user code. It turns a panic into a note; for a
// Goexit, which cannot be stopped, it leaves returned unset.
func (w *worker) guard() {
	if w.returned {
		return
	}
	if v := recover(); v != nil {
		w.panicked = &PanicError{Index: w.at, Value: v, Stack: debug.Stack()}
		w.returned = true
	}
}

// calls runs a function item by item.
type calls[T, R any] struct {
	fn    Func[T, R]
	items []T
	out   []R
}

func (c *calls[T, R]) fork() runner               { return c }
func (c *calls[T, R]) usesContext() bool          { return c.fn.Plain == nil }
func (c *calls[T, R]) failed(at int, _ span) span { return span{at, at + 1} }

func (c *calls[T, R]) fail(w *worker, lost span, err error) error {
	return &ItemError{Index: lost.lo, Attempts: max(1, w.attempts), Err: err}
}

func (c *calls[T, R]) run(ctx context.Context, w *worker, s span) (err error) {
	w.at, w.returned = s.lo, false
	defer w.guard()
	step := s.hi - s.lo
	if w.done != nil {
		step = 1
	}
	for w.at < s.hi && err == nil && !w.interrupted() {
		if part := (span{w.at, w.at + step}); c.fn.Plain != nil {
			err = c.runPlain(w, part)
		} else {
			err = c.runContext(ctx, w, part)
		}
	}
	w.returned = true
	return err
}

// runPlain and runContext are the same loop twice, because it is the one place
// where a nanosecond an item counts: what it costs beside the plain loop is a
// store and a load that nothing waits for.
func (c *calls[T, R]) runPlain(w *worker, s span) error {
	fn, items := c.fn.Plain, c.items[s.lo:s.hi]
	out := c.out[s.lo:s.hi][:len(items)]
	for i := range items {
		w.at = s.lo + i
		if w.signal.Load() != goOn {
			return nil
		}
		v, err := fn(items[i])
		if err != nil {
			return err
		}
		out[i] = v
	}
	w.at = s.hi
	return nil
}

func (c *calls[T, R]) runContext(ctx context.Context, w *worker, s span) error {
	fn, items := c.fn.Context, c.items[s.lo:s.hi]
	out := c.out[s.lo:s.hi][:len(items)]
	for i := range items {
		w.at = s.lo + i
		if w.signal.Load() != goOn {
			return nil
		}
		v, err := fn(ctx, items[i])
		if err != nil {
			return err
		}
		out[i] = v
	}
	w.at = s.hi
	return nil
}

// batches runs a function that takes many items in one call: a range is a call.
type batches[T, R any] struct {
	fn       func(context.Context, []T) ([]R, error)
	policies []Policy
	items    []T
	out      []R
	chain    func(context.Context) error
	w        *worker
	span     span
	result   []R
}

func newBatches[T, R any](fn func(context.Context, []T) ([]R, error), policies []Policy, items []T, out []R) *batches[T, R] {
	b := &batches[T, R]{fn: fn, policies: policies, items: items, out: out}
	b.chain = chain(policies, b.call)
	return b
}

func (b *batches[T, R]) fork() runner { return newBatches(b.fn, b.policies, b.items, b.out) }

func (b *batches[T, R]) usesContext() bool { return true }

// failed loses the whole batch: which of its items succeeded is not known.
func (b *batches[T, R]) failed(_ int, s span) span { return s }

func (b *batches[T, R]) fail(_ *worker, lost span, err error) error {
	return &BatchError{Index: lost.lo, Size: lost.hi - lost.lo, Err: err}
}

func (b *batches[T, R]) call(ctx context.Context) (err error) {
	b.w.attempts++
	items := b.span.hi - b.span.lo
	entered := b.w.enter(items)
	// The capacity ends with the batch: an append by fn cannot reach the next one.
	b.result, err = b.fn(ctx, b.items[b.span.lo:b.span.hi:b.span.hi])
	b.w.leave(entered, items, err)
	return err
}

func (b *batches[T, R]) run(ctx context.Context, w *worker, s span) error {
	w.at, w.returned, w.attempts = s.lo, false, 0
	defer w.guard()
	if w.interrupted() {
		w.returned = true
		return nil
	}
	// A policy may answer without calling: then no earlier batch's results may show.
	b.w, b.span, b.result = w, s, nil
	began := w.beginPoliced()
	err := b.chain(ctx)
	w.policed.end(began)
	w.returned = true
	result := b.result
	b.result = nil // keeps nothing alive that the caller may drop
	if err != nil {
		return err
	}
	if len(result) != s.hi-s.lo {
		return &countError{got: len(result), want: s.hi - s.lo}
	}
	copy(b.out[s.lo:s.hi], result)
	w.at = s.hi
	return nil
}
