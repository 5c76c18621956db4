package concurrency

import (
	"context"

	"github.com/amorsize/amorsize/internal/answer"
)

// Wrap returns fn with every call under the limit of l, which is shared with its other
// users. It allocates nothing for a call that need not wait.
func Wrap[T, R any](l *Limiter, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return answer.Wrap(fn, func(ctx context.Context, item T, fn func(context.Context, T) (R, error)) (R, error) {
		return Call(ctx, l, func(ctx context.Context) (R, error) { return fn(ctx, item) })
	})
}

// Call makes one call when it may, and returns the call's results.
func Call[R any](ctx context.Context, l *Limiter, fn func(context.Context) (R, error)) (R, error) {
	var result R
	if fn == nil {
		return result, bad("fn", nil, "a function")
	}
	err := l.Do(ctx, func(ctx context.Context) (err error) {
		result, err = fn(ctx)
		return err
	})
	return result, err
}
