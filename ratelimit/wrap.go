package ratelimit

import (
	"context"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/waiting"
)

// Wrap returns fn with a token of l taken for every call. The limiter is shared with its
// other users. It allocates nothing per call.
func Wrap[T, R any](l *Limiter, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return answer.Wrap(fn, func(ctx context.Context, item T, fn func(context.Context, T) (R, error)) (R, error) {
		return Call(ctx, l, func(ctx context.Context) (R, error) { return fn(ctx, item) })
	})
}

// Call takes a token of l and calls fn once.
func Call[R any](ctx context.Context, l *Limiter, fn func(context.Context) (R, error)) (R, error) {
	var none R
	if fn == nil {
		return none, bad("fn", nil, "a function")
	}
	if ctx == nil {
		return none, bad("ctx", nil, "a context")
	}
	g, err := l.grant(ctx)
	if err != nil {
		return none, err
	}
	result, err := fn(ctx)
	return result, l.settle(err, g)
}

// Waiter is a limiter of any library, such as that of golang.org/x/time/rate.
type Waiter interface {
	Wait(ctx context.Context) error
}

// Foreign makes a [Waiter] a policy for amorsize.WithPolicies.
type Foreign struct{ Waiter Waiter }

// From returns w as a policy.
func From(w Waiter) Foreign { return Foreign{w} }

func (f Foreign) wait(ctx context.Context) error {
	if ctx != nil { // a foreign limiter must handle nil itself
		defer waiting.Begin(ctx, waiting.Line{By: otherMake{}}).End()
	}
	return f.Waiter.Wait(ctx)
}

// Do waits, and makes the call.
func (f Foreign) Do(ctx context.Context, call func(context.Context) error) error {
	switch {
	case f.Waiter == nil:
		return bad("Waiter", nil, "a limiter")
	case call == nil:
		return bad("call", nil, "a function")
	}
	if err := f.wait(ctx); err != nil {
		return err
	}
	return call(ctx)
}
