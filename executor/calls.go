package executor

import (
	"context"

	"github.com/amorsize/amorsize/executor/internal/source"
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
	// fail makes the error of the item or batch, nil if it is a result instead.
	fail(w *worker, lost span, err error) error
	// fork returns the runner for another worker.
	fork() runner
	// usesContext reports whether calls are given a context.
	usesContext() bool
	// tellsAttempts reports whether it tells the worker of each attempt itself: a claim
	// may be several of them, or have waiting in it.
	tellsAttempts() bool
}

// span is a range of items.
type span = source.Span

// calls runs a function item by item.
type calls[T, R any] struct {
	fn    Func[T, R]
	items []T
	out   []R
}

func (c *calls[T, R]) fork() runner               { return c }
func (c *calls[T, R]) usesContext() bool          { return c.fn.Plain == nil }
func (c *calls[T, R]) tellsAttempts() bool        { return false }
func (c *calls[T, R]) failed(at int, _ span) span { return span{Lo: at, Hi: at + 1} }

func (c *calls[T, R]) fail(_ *worker, lost span, err error) error {
	return &ItemError{Index: lost.Lo, Attempts: 1, Err: answer.Plain(err)}
}

func (c *calls[T, R]) run(ctx context.Context, w *worker, s span) (err error) {
	w.at, w.returned = s.Lo, false
	defer w.guard()
	step := s.Hi - s.Lo
	if w.done != nil {
		step = 1
	}
	for w.at < s.Hi && err == nil && !w.interrupted() {
		if part := (span{Lo: w.at, Hi: w.at + step}); c.fn.Plain != nil {
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
	fn, items := c.fn.Plain, c.items[s.Lo:s.Hi]
	out := c.out[s.Lo:s.Hi][:len(items)]
	for i := range items {
		w.at = s.Lo + i
		if w.signal.Load() != goOn {
			return nil
		}
		v, err := fn(items[i])
		if err != nil {
			return err
		}
		out[i] = v
	}
	w.at = s.Hi
	return nil
}

func (c *calls[T, R]) runContext(ctx context.Context, w *worker, s span) error {
	fn, items := c.fn.Context, c.items[s.Lo:s.Hi]
	out := c.out[s.Lo:s.Hi][:len(items)]
	for i := range items {
		w.at = s.Lo + i
		if w.signal.Load() != goOn {
			return nil
		}
		v, err := fn(ctx, items[i])
		if err != nil {
			return err
		}
		out[i] = v
	}
	w.at = s.Hi
	return nil
}
