package answer

import (
	"context"
	"errors"
	"reflect"
)

// Chain is a chain of policies around a function, by how often that was entered. It
// is for one call after the other, and not more than one at a time.
type Chain struct{ entered int }

// Call returns the end of the chain: the function. Its own refusals are not the
// chain's; one that it marks with [Unmade] says that it was not entered after all.
func (c *Chain) Call(fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		c.entered++
		err := fn(ctx)
		if _, ok := err.(*unmade); ok { //nolint:errorlint // as it was put on
			c.entered--
		}
		return err
	}
}

// Link returns a link of the chain: a policy's Do around what comes after it. It marks
// the errors of calls that were refused before the function was entered.
func (c *Chain) Link(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		before := c.entered
		err := do(ctx)
		if err == nil || c.entered != before || isMarked(err) {
			return err
		}
		var refused refusal // after the way out of most calls, since it takes an allocation
		if errors.As(err, &refused) {
			return &unmade{err} // whatever else a policy in between did instead
		}
		return err
	}
}

// Wrap returns next wrapped by around, as the decorators of policies do. If next is
// itself what a decorator returned, the two are links of one chain: what around calls
// then marks the errors of calls that were refused before the function was entered.
func Wrap[T, R any](next Func[T, R], around func(context.Context, T, Func[T, R]) (R, error)) Func[T, R] {
	if isWrapped(next) {
		return wrapped(around, marked(next, Unmade))
	}
	return wrapped(around, marked(next, Made))
}

// Linked returns fn, for who runs it. If it is what a decorator returned, the errors of
// calls are marked that were refused before its own function was entered.
func Linked[T, R any](fn Func[T, R]) Func[T, R] {
	if !isWrapped(fn) {
		return fn
	}
	return marked(fn, Unmade)
}

func marked[T, R any](fn Func[T, R], mark func(error) error) Func[T, R] {
	return func(ctx context.Context, item T) (R, error) {
		result, err := fn(ctx, item)
		if err != nil {
			err = mark(err)
		}
		return result, err
	}
}

// Func is a function that policies are put around.
type Func[T, R any] = func(context.Context, T) (R, error)

// wrapped is never inlined: all that it returns for the same types has the same code.
//
//go:noinline
func wrapped[T, R any](around func(context.Context, T, Func[T, R]) (R, error), next Func[T, R]) Func[T, R] {
	return func(ctx context.Context, item T) (R, error) { return around(ctx, item, next) }
}

// isWrapped reports whether fn is what [Wrap] returned, by its code: functions have
// nothing else to be known by. If that should fail, fn is taken for a user's function.
func isWrapped[T, R any](fn Func[T, R]) bool {
	return fn != nil && code(fn) == code(wrapped[T, R](nil, nil))
}

func code(fn any) uintptr { return reflect.ValueOf(fn).Pointer() }
