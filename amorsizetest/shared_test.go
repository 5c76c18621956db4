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
)

// Many runs of one function at the same time find one limit, as the runs of an engine
// do: each by itself would begin with 16 calls and multiply them.
func TestRunsOfOneFunctionShareALimit(t *testing.T) {
	const runs = 64
	for _, calls := range []int{20, 60, 200} {
		synctest.Test(t, func(t *testing.T) {
			service := amorsizetest.New(amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Constant(5 * ms), Congestion: 0.7}, 1)
			fn := call(service)
			var all sync.WaitGroup
			for range runs {
				all.Go(func() {
					_, err := amorsize.ExecuteContext(t.Context(), fn, numbers(calls))
					require.NoError(t, err)
				})
			}
			all.Wait()
			tl := service.Timeline()
			share := tl.Goodput() / (16 / 0.005)
			t.Logf("%d calls each: goodput %.2f of the best, %.1f in flight on average, %d at most", calls, share, tl.MeanInFlight(), tl.MostInFlight())
			require.GreaterOrEqual(t, share, 0.5)
		})
	}
}

// A function that makes runs of itself, with its context or with another one, does not
// wait for itself for long.
func TestFunctionWithinItself(t *testing.T) {
	for name, inner := range map[string]func(context.Context) context.Context{
		"the call's context": func(ctx context.Context) context.Context { return ctx },
		"a child of it":      func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, 1) },
		"another":            func(context.Context) context.Context { return context.Background() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var leaves atomic.Int64
				var walk func(context.Context, int) (int, error)
				walk = func(ctx context.Context, depth int) (int, error) {
					time.Sleep(5 * ms)
					if depth == 0 {
						return int(leaves.Add(1)), nil
					}
					_, err := amorsize.ExecuteContext(inner(ctx), walk, []int{depth - 1, depth - 1, depth - 1, depth - 1})
					return 0, err
				}
				start := time.Now()
				_, err := amorsize.ExecuteContext(t.Context(), walk, []int{3, 3, 3, 3})
				require.NoError(t, err)
				require.EqualValues(t, 256, leaves.Load())
				t.Log(time.Since(start))
				require.Less(t, time.Since(start), 5*time.Second)
			})
		})
	}
}

// What runs in one bubble of testing/synctest has nothing to do with another one.
func TestRunsInBubblesShareNothing(t *testing.T) {
	for range 4 {
		t.Run("bubble", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						_, err := amorsize.ExecuteContext(t.Context(), sleepy, numbers(100))
						require.NoError(t, err)
					})
				}
				all.Wait()
			})
		})
	}
}

func sleepy(ctx context.Context, i int) (int, error) {
	time.Sleep(5 * ms)
	return i, nil
}
