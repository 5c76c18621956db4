package ratelimit

import "context"

// Wrap returns fn with a token of l taken for every call. The limiter is shared
// with whatever else uses it. It allocates nothing per call.
func Wrap[T, R any](l *Limiter, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return func(ctx context.Context, item T) (R, error) {
		return Call(ctx, l, func(ctx context.Context) (R, error) { return fn(ctx, item) })
	}
}

// Call takes a token of l and calls fn once.
func Call[R any](ctx context.Context, l *Limiter, fn func(context.Context) (R, error)) (R, error) {
	var none R
	if fn == nil {
		return none, bad("fn", nil, "a function")
	}
	if err := l.Acquire(ctx); err != nil {
		return none, err
	}
	begun := l.begin()
	result, err := fn(ctx)
	l.settle(err, begun)
	return result, err
}

// Waiter is a limiter of any make, such as that of golang.org/x/time/rate.
type Waiter interface {
	Wait(ctx context.Context) error
}

// Foreign makes a [Waiter] a policy for amorsize.WithPolicies.
type Foreign struct{ Waiter Waiter }

// From returns w as a policy.
func From(w Waiter) Foreign { return Foreign{w} }

// Do waits, and makes the call.
func (f Foreign) Do(ctx context.Context, call func(context.Context) error) error {
	switch {
	case f.Waiter == nil:
		return bad("Waiter", nil, "a limiter")
	case call == nil:
		return bad("call", nil, "a function")
	}
	if err := f.Waiter.Wait(ctx); err != nil {
		return err
	}
	return call(ctx)
}
