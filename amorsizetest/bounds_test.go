package amorsizetest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
)

// bounded runs calls in every form and returns the most in flight at once.
type bounded func(ctx context.Context, calls int, call func(int), opts ...amorsize.Option) error

var boundedForms = map[string]bounded{
	"Execute": func(ctx context.Context, calls int, call func(int), opts ...amorsize.Option) error {
		_, err := amorsize.ExecuteContext(ctx, func(_ context.Context, i int) (int, error) { call(i); return i, nil }, numbers(calls), opts...)
		return err
	},
	"batches": func(ctx context.Context, calls int, call func(int), opts ...amorsize.Option) error {
		_, err := amorsize.ExecuteBatches(ctx, func(_ context.Context, b []int) ([]int, error) { call(b[0]); return b, nil },
			numbers(calls), append(opts, amorsize.WithChunkSize(1))...)
		return err
	},
	"stream": func(ctx context.Context, calls int, call func(int), opts ...amorsize.Option) error {
		for r := range amorsize.Stream(ctx, func(_ context.Context, i int) (int, error) { call(i); return i, nil }, slices.Values(numbers(calls)), opts...) {
			if r.Err != nil {
				return r.Err
			}
		}
		return nil
	},
	"engine": func(ctx context.Context, calls int, call func(int), opts ...amorsize.Option) error {
		engine, err := amorsize.New(func(_ context.Context, i int) (int, error) { call(i); return i, nil }, opts...)
		for range 2 { // cold, and learned
			if err == nil {
				_, err = engine.Run(ctx, numbers(calls))
			}
		}
		return err
	},
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// The bounds given on workers hold whatever the calls do, and in every form: never
// more, and no fewer than demanded.
func TestBoundsOnWorkers(t *testing.T) {
	const calls = 300
	kinds := map[string]func(i int, _ func() bool){
		"waits": func(int, func() bool) { time.Sleep(10 * ms) },
		"mixed": func(i int, _ func() bool) { time.Sleep(time.Duration(i%2) * 10 * ms) },
	}
	for form, run := range boundedForms {
		for kind, work := range kinds {
			for _, b := range [][2]int{{1, 1}, {2, 2}, {3, 3}, {8, 8}, {30, 30}, {0, 1}, {0, 3}, {0, 8}, {3, 0}, {8, 0}, {3, 8}, {1, 30}} {
				t.Run(fmt.Sprintf("%s/%s/%d to %d", form, kind, b[0], b[1]), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { withinBounds(t, run, work, calls, b[0], b[1]) })
				})
			}
		}
	}
}

// The same for calls that compute, in real time: a call goes on until as many are in
// flight as are demanded, or have been.
func TestBoundsOnComputingWorkers(t *testing.T) {
	for form, run := range boundedForms {
		for _, b := range [][2]int{{1, 1}, {2, 2}, {6, 6}, {0, 1}, {5, 0}, {3, 8}} {
			t.Run(fmt.Sprintf("%s/%d to %d", form, b[0], b[1]), func(t *testing.T) {
				withinBounds(t, run, func(_ int, enough func() bool) {
					for spins := 0; spins < 1000 || spins < 1_000_000 && !enough(); spins++ {
						runtime.Gosched()
					}
				}, 60, b[0], b[1])
			})
		}
	}
}

func withinBounds(t *testing.T, run bounded, work func(int, func() bool), calls, least, most int) {
	var inFlight, peak atomic.Int64
	var opts []amorsize.Option
	if least > 0 {
		opts = append(opts, amorsize.WithMinWorkers(least))
	}
	if most > 0 {
		opts = append(opts, amorsize.WithMaxWorkers(most))
	}
	require.NoError(t, run(t.Context(), calls, func(i int) {
		n := inFlight.Add(1)
		for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		work(i, func() bool { return peak.Load() >= int64(least) })
		inFlight.Add(-1)
	}, opts...))
	require.GreaterOrEqual(t, peak.Load(), int64(least), "fewer in flight than demanded")
	if most > 0 {
		require.LessOrEqual(t, peak.Load(), int64(most), "more in flight than allowed")
	}
}
