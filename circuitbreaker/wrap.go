package circuitbreaker

import (
	"context"

	"github.com/amorsize/amorsize/internal/answer"
)

// Wrap returns fn guarded by b. It allocates nothing per call through a closed breaker.
func Wrap[T, R any](b *Breaker, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return answer.Wrap(fn, func(ctx context.Context, item T, fn func(context.Context, T) (R, error)) (R, error) {
		return Call(ctx, b, func(ctx context.Context) (R, error) { return fn(ctx, item) })
	})
}

// Call makes one call if it may pass, and returns the call's results.
func Call[R any](ctx context.Context, b *Breaker, fn func(context.Context) (R, error)) (R, error) {
	var result R
	if fn == nil {
		return result, bad("fn", nil, "a function")
	}
	err := b.Do(ctx, func(ctx context.Context) (err error) {
		result, err = fn(ctx)
		return err
	})
	return result, err
}
