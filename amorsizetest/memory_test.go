package amorsizetest_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
)

const mib = 1 << 20

// keep holds bytes for as long as a call takes.
func keep(bytes int, took time.Duration) {
	held := make([]byte, bytes)
	time.Sleep(took)
	runtime.KeepAlive(held)
}

// Every way of running keeps a limit from the first call on.
func TestMemoryLimitIsKept(t *testing.T) {
	const each, limit = 32 * mib, 40 * mib
	for name, run := range memoryRuns {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls flying
				var report amorsize.Report
				run(t, func(context.Context, int) (int, error) {
					defer calls.begin()()
					keep(each, 20*ms)
					return 0, nil
				}, 40, amorsize.WithMemoryLimit(limit), amorsize.WithReport(&report))
				require.Equal(t, int64(1), calls.most.Load(), report.Explain())
				require.Equal(t, amorsize.BoundByMemory, report.Bound, report.Explain())
			})
		})
	}
}

// memoryRuns run fn over n items in the ways that there are.
var memoryRuns = map[string]func(t *testing.T, fn func(context.Context, int) (int, error), n int, opts ...amorsize.Option){
	"execute": func(t *testing.T, fn func(context.Context, int) (int, error), n int, opts ...amorsize.Option) {
		_, err := amorsize.ExecuteContext(t.Context(), fn, indexes(n), opts...)
		require.NoError(t, err)
	},
	"batches": func(t *testing.T, fn func(context.Context, int) (int, error), n int, opts ...amorsize.Option) {
		_, err := amorsize.ExecuteBatches(t.Context(), func(ctx context.Context, in []int) ([]int, error) {
			_, err := fn(ctx, in[0])
			return in, err
		}, indexes(n), append(opts, amorsize.WithChunkSize(1))...)
		require.NoError(t, err)
	},
	"stream": func(t *testing.T, fn func(context.Context, int) (int, error), n int, opts ...amorsize.Option) {
		for r := range amorsize.Stream(t.Context(), fn, func(yield func(int) bool) {
			for i := 0; i < n && yield(i); i++ {
			}
		}, opts...) {
			require.NoError(t, r.Err)
		}
	},
	"engine": func(t *testing.T, fn func(context.Context, int) (int, error), n int, opts ...amorsize.Option) {
		engine, err := amorsize.New(fn, opts...)
		require.NoError(t, err)
		for range 2 { // the second one has learned
			_, err = engine.Run(t.Context(), indexes(n))
			require.NoError(t, err)
		}
	},
}
