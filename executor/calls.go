package executor

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
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
	// or a panic noted in w, that is the item that failed. With errParts, the items
	// before it that failed are in w.faults.
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
	to       int             // end of the latest run, where the runner may have been told to end before
	returned bool            // the latest run returned of its own accord
	panicked *PanicError     // what the latest run panicked with
	attempts int             // calls of the function for the item being run
	policed  policed         // what the policies take, during the sample

	ctx      context.Context // of the run, set with gate
	gate     *gate           // to be told of attempts, nil if there is none
	call     *callContext    // what its calls are given, nil if they are given none
	heldBack time.Duration   // how long the calls of the claim were, from within the function
	faults   []fault         // with errParts, what failed
	runner   runner
	claimed  span          // the range being run
	seat     int           // index in the pool's list
	working  bool          // it is there: enter and exit, and nothing else, change that
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

func (c *calls[T, R]) fail(_ *worker, lost span, err error) error {
	return &ItemError{Index: lost.lo, Attempts: 1, Err: answer.Plain(err)}
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
