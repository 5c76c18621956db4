package ratelimit

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/amorsize/amorsize/internal/clock"
)

func BenchmarkLimiter(b *testing.B) {
	ctx := context.Background()
	b.Run("TryAcquire", func(b *testing.B) {
		l := MustNew(Policy{RequestsPerSecond: 1e9, BurstSize: 1e9})
		for b.Loop() {
			l.TryAcquire()
		}
	})
	b.Run("denied", func(b *testing.B) {
		l := MustNew(Policy{RequestsPerSecond: 1e-3, BurstSize: 1})
		l.TryAcquire()
		for b.Loop() {
			l.TryAcquire()
		}
	})
	b.Run("Acquire", func(b *testing.B) {
		l := MustNew(Policy{RequestsPerSecond: 1e9, BurstSize: 1e9})
		for b.Loop() {
			_ = l.Acquire(ctx)
		}
	})
	b.Run("AcquireN2.5", func(b *testing.B) {
		l := MustNew(Policy{RequestsPerSecond: 1e9, BurstSize: 1e9})
		for b.Loop() {
			_ = l.AcquireN(ctx, 2.5)
		}
	})
	b.Run("oracle", func(b *testing.B) {
		var tat atomic.Int64
		take := func() bool {
			now := int64(clock.Now())
			for {
				old := tat.Load()
				next := max(old, now) + 1
				if next-now > 1e9 {
					return false
				}
				if tat.CompareAndSwap(old, next) {
					return true
				}
			}
		}
		for b.Loop() {
			take()
		}
	})
}
