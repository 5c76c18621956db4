package executor_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// The largest chunk size that is valid overflows nothing.
func TestHugeChunk(t *testing.T) {
	for _, cfg := range []executor.Config{{ChunkSize: math.MaxInt}, {ChunkSize: math.MaxInt, Workers: 4}, {MaxChunkSize: math.MaxInt}} {
		out, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
			burn(1000)
			return i, nil
		}}, sequence(2000), cfg)
		require.NoError(t, err)
		require.Equal(t, sequence(2000), out)
	}
}

// everyOther is a policy that answers every other time without calling.
type everyOther struct{ calls atomic.Int32 }

func (e *everyOther) Do(ctx context.Context, call func(context.Context) error) error {
	if e.calls.Add(1)%2 == 0 {
		return nil
	}
	return call(ctx)
}

// A batch that was not called for is no success with an earlier batch's results.
func TestPolicyThatSkipsABatch(t *testing.T) {
	var report executor.Report
	out, err := executor.RunBatches(t.Context(), func(_ context.Context, batch []int) ([]int, error) {
		return append([]int(nil), batch...), errOdd // results and an error
	}, sequence(8), executor.Config{ChunkSize: 2, Workers: 1, Errors: executor.Collect, Report: &report,
		Policies: []executor.Policy{&everyOther{}}})
	require.ErrorIs(t, err, executor.ErrResultCount)
	require.ErrorIs(t, err, errOdd)
	require.Equal(t, make([]int, 8), out)
	require.Equal(t, 8, report.Failed)
}

// The bound on batches holds for the first ones too.
func TestMaxChunkBindsFromTheStart(t *testing.T) {
	largest := 0
	_, err := executor.RunBatches(t.Context(), func(_ context.Context, batch []int) ([]int, error) {
		largest = max(largest, len(batch))
		return batch, nil
	}, sequence(5000), executor.Config{MaxChunkSize: 10, MaxWorkers: 1})
	require.NoError(t, err)
	require.LessOrEqual(t, largest, 10)
}

// A failure is kept although an observer panics while the plan is told.
func TestObserverPanicKeepsTheFailure(t *testing.T) {
	for _, fail := range []func() error{func() error { return errOdd }, func() error { panic("fn") }} {
		var report executor.Report
		caught := catch(func() {
			_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(int) (int, error) { return 0, fail() }},
				sequence(3), executor.Config{Report: &report, Observers: []executor.Observer{executor.ObserverFunc(func(e executor.Event) {
					if e.Kind == executor.Planned {
						panic("observer")
					}
				})}})
			require.ErrorIs(t, err, errOdd)
		})
		if caught != nil {
			require.IsType(t, &executor.PanicError{}, caught)
			require.Equal(t, "fn", caught.(*executor.PanicError).Value)
		}
		require.False(t, report.Valid(0))
		require.Equal(t, 1, report.Failed)
		require.Zero(t, report.Succeeded)
	}
}

// All items that ended count as completed, however they ended.
func TestCompletedCountsFailures(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		for _, at := range []int{0, 5, 19} {
			var seen recorder
			_, err := f.run(t.Context(), func(_ context.Context, i int) (int, error) {
				time.Sleep(time.Microsecond)
				if i == at {
					return 0, errOdd
				}
				return i, nil
			}, sequence(20), executor.Config{Errors: executor.Collect, Observers: []executor.Observer{&seen}})
			require.ErrorIs(t, err, errOdd)
			require.Equal(t, 20, seen.of(executor.Finished)[0].Completed)
		}
	})
}

// Cancelled while a range is split: what was run is not run again.
func TestNoItemTwiceOnCancel(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var runs [3000]atomic.Int32
			var calls atomic.Int32
			_, err := executor.Run(ctx, executor.Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
				runs[i].Add(1)
				time.Sleep(10 * time.Microsecond)
				if calls.Add(1) == 1500 { // long enough for the rest of the claim to be called back
					time.Sleep(50 * time.Millisecond)
					cancel()
				}
				return i, ctx.Err()
			}}, sequence(3000), executor.Config{MaxWorkers: 2})
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
			}
			for i := range runs {
				require.LessOrEqual(t, runs[i].Load(), int32(1), "item %d", i)
			}
		})
	}
}

func TestMeasureFollowsRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := executor.Measure(ctx, executor.Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
		cancel()
		return 0, ctx.Err()
	}}, sequence(10), executor.Config{})
	_, stopped := errors.AsType[*executor.CanceledError](err)
	require.True(t, stopped)
	_, err = executor.Measure(t.Context(), executor.Func[int, int]{Context: milliseconds}, sequence(10), executor.Config{
		Observers: []executor.Observer{executor.ObserverFunc(func(executor.Event) { panic(errOdd) })}})
	require.NoError(t, err)
}
