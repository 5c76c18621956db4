package amorsizetest_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// Losses that have nothing to do with the calls in flight, every fortieth a 429
// and an outage, must not hold a run below what its own rate limit allows. By
// hand is a goroutine for each item, through the same policies.
func TestLossesBesideARateLimit(t *testing.T) {
	const items, every = 500, 40
	for _, c := range []struct {
		name   string
		rate   float64
		took   time.Duration
		outage time.Duration
	}{
		{"50/s of 60 ms, outage of 1 s", 50, 60 * ms, time.Second},
		{"50/s of 60 ms, no outage", 50, 60 * ms, 0},
		{"200/s of 60 ms, outage of 300 ms", 200, 60 * ms, 300 * ms},
		{"100/s of 300 ms, outage of 1 s", 100, 300 * ms, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			try := func(run func(context.Context, func(context.Context, int) (int, error), []amorsize.Policy)) (took time.Duration) {
				synctest.Test(t, func(t *testing.T) {
					var calls atomic.Int64
					start := time.Now()
					call := func(_ context.Context, i int) (int, error) {
						n := calls.Add(1)
						if at := time.Since(start); at > 3*time.Second && at < 3*time.Second+c.outage {
							return 0, &amorsizetest.RefusedError{Reason: amorsizetest.Unavailable}
						}
						time.Sleep(c.took)
						if n%every == 0 {
							return 0, &amorsizetest.RefusedError{Reason: amorsizetest.Throttled}
						}
						return i, nil
					}
					run(t.Context(), call, []amorsize.Policy{
						retry.MustNew(retry.Policy{MaxRetries: 50, InitialDelay: 50 * ms, MaxDelay: 500 * ms}),
						ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: c.rate, BurstSize: 1}),
					})
					took = time.Since(start)
				})
				return took
			}
			byHand := try(func(ctx context.Context, call func(context.Context, int) (int, error), policies []amorsize.Policy) {
				var all sync.WaitGroup
				for i := range items {
					all.Go(func() {
						require.NoError(t, policies[0].Do(ctx, func(ctx context.Context) error {
							return policies[1].Do(ctx, func(ctx context.Context) error { _, err := call(ctx, i); return err })
						}))
					})
				}
				all.Wait()
			})
			var report amorsize.Report
			ours := try(func(ctx context.Context, call func(context.Context, int) (int, error), policies []amorsize.Policy) {
				_, err := amorsize.ExecuteContext(ctx, call, make([]int, items), amorsize.WithPolicies(policies...), amorsize.WithReport(&report))
				require.NoError(t, err)
			})
			t.Logf("by hand %v, amorsize %v (%.3f)", byHand, ours, ours.Seconds()/byHand.Seconds())
			require.LessOrEqual(t, ours.Seconds(), 1.05*byHand.Seconds(), report.Explain())
		})
	}
}
