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

// Many runs of an engine at once keep to one limit, although there are more of them
// than calls may be in flight, and get on equally.
func TestEngineLimitBinds(t *testing.T) {
	const runs, calls = 64, 60
	synctest.Test(t, func(t *testing.T) {
		service := amorsizetest.New(amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Constant(5 * ms), Congestion: 0.7}, 1)
		engine, err := amorsize.New(call(service))
		require.NoError(t, err)
		_, err = engine.Run(t.Context(), numbers(400)) // learns
		require.NoError(t, err)
		begun := service.Timeline().Until
		var all sync.WaitGroup
		var ends [runs]time.Duration
		for i := range runs {
			all.Go(func() {
				_, err := engine.Run(t.Context(), numbers(calls))
				require.NoError(t, err)
				ends[i] = service.Timeline().Until - begun
			})
		}
		all.Wait()
		tl := service.Timeline().Between(begun, time.Hour)
		best := 16.0 / 0.005
		t.Logf("goodput %.2f of the best, %.1f in flight on average, %d at most", tl.Goodput()/best, tl.MeanInFlight(), tl.MostInFlight())
		require.GreaterOrEqual(t, tl.Goodput()/best, 0.85)
		require.LessOrEqual(t, tl.MeanInFlight(), 24.0)
		for _, end := range ends {
			require.GreaterOrEqual(t, end.Seconds(), 0.4*(tl.Until-begun).Seconds(), "one run was served before the others")
		}
	})
}

// That each run has few items bounds that run, and not all of them together.
func TestEngineOfSmallRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := amorsize.New(func(_ context.Context, i int) (int, error) { time.Sleep(100 * ms); return i, nil })
		require.NoError(t, err)
		var took [2]time.Duration
		for round := range took {
			start := time.Now()
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					_, err := engine.Run(t.Context(), numbers(5))
					require.NoError(t, err)
				})
			}
			all.Wait()
			took[round] = time.Since(start)
		}
		t.Logf("64 runs of 5 calls: %v, and again %v", took[0], took[1])
		require.LessOrEqual(t, took[0], time.Second) // from 16 to 320 in flight, in some rounds
		require.LessOrEqual(t, took[1], 500*ms)
	})
}

// A function that runs its own engine does not wait for itself, whatever context it
// does so with.
func TestEngineWithinItself(t *testing.T) {
	for name, inner := range map[string]func(context.Context) context.Context{
		"the call's context": func(ctx context.Context) context.Context { return ctx },
		"a child of it":      func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, 1) },
		"another":            func(context.Context) context.Context { return context.Background() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var engine *amorsize.Engine[int, int]
				var leaves atomic.Int64
				engine, err := amorsize.New(func(ctx context.Context, depth int) (int, error) {
					if depth == 0 {
						time.Sleep(ms)
						leaves.Add(1)
						return 1, nil
					}
					sum := 0
					out, err := engine.Run(inner(ctx), []int{depth - 1, depth - 1, depth - 1, depth - 1})
					for _, v := range out {
						sum += v
					}
					return sum, err
				}, amorsize.WithMaxWorkers(3))
				require.NoError(t, err)
				for range 3 {
					out, err := engine.Run(t.Context(), []int{4, 4, 4})
					require.NoError(t, err)
					require.Equal(t, []int{256, 256, 256}, out)
				}
				require.EqualValues(t, 3*3*256, leaves.Load())
			})
		})
	}
}

// key is a key of a context's value.
type key struct{}

// Two engines whose functions run each other.
func TestEnginesWithinEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var engines [2]*amorsize.Engine[int, int]
		for i := range engines {
			var err error
			engines[i], err = amorsize.New(func(ctx context.Context, depth int) (int, error) {
				if time.Sleep(ms); depth == 0 {
					return 1, nil
				}
				out, err := engines[1-i].Run(ctx, []int{depth - 1, depth - 1, depth - 1})
				if err != nil {
					return 0, err
				}
				return out[0] + out[1] + out[2], nil
			}, amorsize.WithMaxWorkers(2))
			require.NoError(t, err)
		}
		start := time.Now()
		for range 2 {
			out, err := engines[0].Run(t.Context(), []int{4, 4})
			require.NoError(t, err)
			require.Equal(t, []int{81, 81}, out)
		}
		t.Log(time.Since(start))
	})
}

// A run that waits for its turn ends at once when its context does.
func TestCancelWhileWaitingForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := amorsize.New(func(_ context.Context, i int) (int, error) { time.Sleep(100 * ms); return i, nil }, amorsize.WithMaxWorkers(1))
		require.NoError(t, err)
		_, err = engine.Run(t.Context(), numbers(20)) // learns that calls wait
		require.NoError(t, err)
		var all sync.WaitGroup
		all.Go(func() { _, _ = engine.Run(t.Context(), numbers(20)) })
		for range 5 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 250*ms)
				defer cancel()
				start := time.Now()
				_, err := engine.Run(ctx, numbers(50))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.LessOrEqual(t, time.Since(start), 350*ms)
			})
		}
		all.Wait()
		require.Zero(t, engine.Stats().InFlight)
	})
}
