package main

import (
	"context"
	"errors"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/platinummonkey/go-concurrency-limits/core"
	"github.com/platinummonkey/go-concurrency-limits/limit"
	"github.com/platinummonkey/go-concurrency-limits/limiter"
	"github.com/platinummonkey/go-concurrency-limits/strategy"
)

// peerWorkers is how many workers ask a peer's limiter for permission: enough for
// any of its limits, whose default bound is 200.
const peerWorkers = 256

// adaptivePeers are the adaptive limiters of others, as they come.
func adaptivePeers() []serviceArm {
	return []serviceArm{
		{"failsafe-go adaptive limiter", runFailsafe},
		{"go-concurrency-limits gradient2", runConcurrencyLimits(func() core.Limit {
			return limit.NewDefaultGradient2Limit("gradient2", limit.NoopLimitLogger{}, nil)
		})},
		{"go-concurrency-limits Vegas", runConcurrencyLimits(func() core.Limit {
			return limit.NewDefaultVegasLimit("vegas", limit.NoopLimitLogger{}, nil)
		})},
		{"go-concurrency-limits AIMD", runConcurrencyLimits(func() core.Limit {
			return limit.NewDefaultAIMDLimit("aimd", nil)
		})},
	}
}

func runFailsafe(ctx context.Context, fetch func(context.Context) error, calls int) {
	limiter := adaptivelimiter.NewWithDefaults[any]()
	runWorkers(peerWorkers, calls, func() bool {
		return untilDone(ctx, func(ctx context.Context) error {
			permit, err := limiter.AcquirePermit(ctx)
			if err != nil {
				return err
			}
			err = fetch(ctx)
			if errors.Is(err, refusedError{}) {
				permit.Drop()
			} else {
				permit.Record()
			}
			return err
		})
	})
}

func runConcurrencyLimits(newLimit func() core.Limit) func(context.Context, func(context.Context) error, int) {
	return func(ctx context.Context, fetch func(context.Context) error, calls int) {
		// The windows are the library's own defaults.
		inner, err := limiter.NewDefaultLimiter(newLimit(), 1e9, 1e9, 1e5, 100, strategy.NewSimpleStrategy(20), limit.NoopLimitLogger{}, nil)
		if err != nil {
			panic(err)
		}
		blocking := &line{Limiter: inner}
		runWorkers(peerWorkers, calls, func() bool {
			return untilDone(ctx, func(ctx context.Context) error {
				listener, ok := blocking.Acquire(ctx)
				if !ok {
					return ctx.Err()
				}
				err := fetch(ctx)
				switch {
				case errors.Is(err, refusedError{}):
					listener.OnDropped()
				case err != nil:
					listener.OnIgnore()
				default:
					listener.OnSuccess()
				}
				return err
			})
		})
	}
}
