package amorsize_test

import (
	"context"
	"testing"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

func BenchmarkPolicies(b *testing.B) {
	ctx := context.Background()
	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e9, BurstSize: 1e9})
	r := retry.MustNew(retry.Policy{})
	c := circuitbreaker.MustNew(circuitbreaker.Policy{})
	call := func(context.Context) error { return nil }
	b.Run("retry", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = r.Do(ctx, call)
		}
	})
	b.Run("breaker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = c.Do(ctx, call)
		}
	})
	b.Run("breaker64", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = c.Do(ctx, call)
			}
		})
	})
	b.Run("three", func(b *testing.B) {
		b.ReportAllocs()
		inner := func(ctx context.Context) error { return l.Do(ctx, call) }
		mid := func(ctx context.Context) error { return c.Do(ctx, inner) }
		for b.Loop() {
			_ = r.Do(ctx, mid)
		}
	})
	wrapped := retry.Wrap(r, circuitbreaker.Wrap(c, ratelimit.Wrap(l, func(context.Context, int) (int, error) { return 1, nil })))
	b.Run("wrapped", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = wrapped(ctx, 1)
		}
	})
}
