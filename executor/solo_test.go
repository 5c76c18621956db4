package executor_test

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// A giant first item keeps nobody else waiting: the alarm lets helpers join in.
func TestGiantFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		start := time.Now()
		var report executor.Report
		_, err := f.run(t.Context(), func(_ context.Context, i int) (int, error) {
			if i == 0 {
				time.Sleep(time.Second)
			} else {
				time.Sleep(time.Millisecond)
			}
			return i, nil
		}, sequence(200), executor.Config{Report: &report})
		require.NoError(t, err)
		require.Equal(t, 200, report.Succeeded)
		// Alone it would be 1.2 s.
		require.Less(t, time.Since(start), 1010*time.Millisecond)
	})
}

// Items that turn dear in the midst of a block are shared out, too.
func TestCheapHeadDearTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
			if i >= 3 { // time stands still for the ones before: they look free
				time.Sleep(20 * time.Millisecond)
			}
			return i, nil
		}}, sequence(100), executor.Config{})
		require.NoError(t, err)
		require.Less(t, time.Since(start), 600*time.Millisecond, "the loop takes 1.94 s")
	})
}

// What ends while the alarm's pool is being joined: every outcome of the first call.
func TestOutcomeOfAGiantFirst(t *testing.T) {
	for name, end := range map[string]func() error{
		"error":  func() error { return errOdd },
		"panic":  func() error { panic(errOdd) },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f form) {
				var running, ran atomic.Int32
				var report executor.Report
				done := make(chan error, 1)
				go func() {
					var err error
					defer func() {
						if v := recover(); v != nil {
							err = v.(error)
						}
						done <- err
					}()
					_, err = f.run(t.Context(), func(_ context.Context, i int) (int, error) {
						running.Add(1)
						defer running.Add(-1)
						ran.Add(1)
						if i == 0 {
							time.Sleep(50 * time.Millisecond)
							return 0, end()
						}
						time.Sleep(20 * time.Millisecond)
						return i, nil
					}, sequence(1000), executor.Config{MaxWorkers: 4, Report: &report})
				}()
				<-done
				require.Zero(t, running.Load())
				require.Less(t, ran.Load(), int32(1000))
				require.Equal(t, 1, report.Failed)
				require.False(t, report.Valid(0))
				if name == "Goexit" {
					require.ErrorIs(t, report.Err, executor.ErrGoexit)
				} else {
					require.ErrorIs(t, report.Err, errOdd)
				}
			})
		})
	}
}

// Small inputs start no goroutine.
func TestSmallInputsStayInTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where time stands still, no alarm goes off
		before := runtime.NumGoroutine()
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
			require.LessOrEqual(t, runtime.NumGoroutine(), before)
			return i, nil
		}}, sequence(50), executor.Config{})
		require.NoError(t, err)
	})
}

// No allocation per item, and few per run.
func TestAllocations(t *testing.T) {
	// The least of some: on a busy machine the alarm makes a pool of a run now and then.
	perRun := func(n int, cfg executor.Config, fn executor.Func[int, int]) float64 {
		items, least := sequence(n), math.Inf(1)
		for range 5 {
			least = min(least, testing.AllocsPerRun(3, func() {
				_, _ = executor.Run(context.Background(), fn, items, cfg)
			}))
		}
		return least
	}
	plain := executor.Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
	withContext := executor.Func[int, int]{Context: func(_ context.Context, i int) (int, error) { return i, nil }}
	// 2, and more under the race detector, which has pools drop what they keep.
	least := math.Inf(1)
	for tries := 0; tries < 50 && least > 8; tries++ {
		least = min(least, perRun(100, executor.Config{}, plain))
	}
	require.LessOrEqual(t, least, 8.0)
	// On a busy machine calls may look as if they waited: ComputeOnly makes sure.
	for _, cfg := range []executor.Config{
		{ComputeOnly: true}, {Workers: 2}, {ComputeOnly: true, Policies: []executor.Policy{through{}}}, {ComputeOnly: true, ChunkSize: 1000},
	} {
		for _, fn := range []executor.Func[int, int]{plain, withContext} {
			small, large := perRun(1000, cfg, fn), perRun(50_000, cfg, fn)
			require.Less(t, large-small, 50.0, "allocations grow with the items")
		}
	}
}
