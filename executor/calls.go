package executor

import (
	"context"

	"github.com/amorsize/amorsize/internal/answer"
)

// Func is the function of a run in one of its forms. Exactly one is set.
type Func[T, R any] struct {
	// Plain is a function without a context. It has its own form because an adapter would
	// cost every call 2 ns.
	Plain func(T) (R, error)
	// Context is a function that takes the run's context.
	Context func(context.Context, T) (R, error)
	// Keeper keeps the outcomes of the items, if it is not nil.
	Keeper Keeper[T, R]
}

func (f Func[T, R]) valid() bool { return (f.Plain != nil) != (f.Context != nil) }

// code returns where the function begins.
func (f Func[T, R]) code() uintptr {
	if f.Plain != nil {
		return codeOf(f.Plain)
	}
	return codeOf(f.Context)
}

// bounded returns f with every call bounded by the configured time. Errors of calls that
// policies inside f refused are marked.
func (f Func[T, R]) bounded(cfg *Config) Func[T, R] {
	f.Context = within(cfg.ItemTimeout, answer.Linked(f.Context))
	return f
}

// check returns an error if f is not valid, or cannot be run with cfg.
func (f Func[T, R]) check(cfg *Config) error {
	switch {
	case !f.valid():
		return &ConfigError{"fn", nil, "a function"}
	case f.Plain != nil && cfg.ItemTimeout > 0:
		return &ConfigError{"ItemTimeout", cfg.ItemTimeout, "unset where the function takes no context"}
	}
	return checkItemPolicies[T, R](cfg.Policies)
}

// calls runs a function item by item.
type calls[T, R any] struct {
	fn    Func[T, R]
	items []T
	out   []R
	past  *past // nil if there is no keeper
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

// runPlain and runContext are the same loop twice, because this is the one place where a
// nanosecond per item counts: compared with a plain loop it costs only a store and a load
// that nothing depends on.
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
