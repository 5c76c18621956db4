package executor_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// bulk is a batch function that takes overhead + n × item of time, notes the
// sizes of its batches and doubles the items.
func bulk(overhead, item time.Duration, largest *atomic.Int64) func(context.Context, []int) ([]int, error) {
	return func(_ context.Context, batch []int) ([]int, error) {
		n := int64(len(batch))
		for old := largest.Load(); n > old && !largest.CompareAndSwap(old, n); old = largest.Load() {
		}
		time.Sleep(overhead + time.Duration(n)*item)
		out := make([]int, n)
		for i, v := range batch {
			out[i] = 2 * v
		}
		return out, nil
	}
}

// The size found reaches 95 % of the best goodput: 19 × overhead / item.
func TestBatchSizeIsFound(t *testing.T) {
	for _, c := range []struct {
		name           string
		overhead, item time.Duration
		cfg            executor.Config
		least, most    int64
	}{
		{"dear overhead", 10 * time.Millisecond, 100 * time.Microsecond, executor.Config{}, 800, 2500},
		{"no overhead", 0, time.Millisecond, executor.Config{}, 1, 16},
		{"bounded in size", 10 * time.Millisecond, 10 * time.Microsecond, executor.Config{MaxChunkSize: 500}, 500, 500},
		{"bounded in time", 10 * time.Millisecond, time.Millisecond, executor.Config{TargetChunk: 60 * time.Millisecond}, 30, 64},
		{"fixed", time.Millisecond, time.Millisecond, executor.Config{ChunkSize: 25}, 25, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var largest atomic.Int64
				c.cfg.Workers = 2
				items := sequence(100_000)
				out, err := executor.RunBatches(t.Context(), bulk(c.overhead, c.item, &largest), items, c.cfg)
				require.NoError(t, err)
				for i := range items {
					items[i] *= 2
				}
				require.True(t, slices.Equal(items, out))
				require.GreaterOrEqual(t, largest.Load(), c.least)
				require.LessOrEqual(t, largest.Load(), c.most)
			})
		})
	}
}

// The right number of results, and a batch cannot reach its neighbours.
func TestBatchResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, off := range []int{-1, 1} {
			_, err := executor.RunBatches(t.Context(), func(_ context.Context, batch []int) ([]int, error) {
				time.Sleep(time.Millisecond)
				if batch[0] >= 40 {
					return make([]int, len(batch)+off), nil
				}
				return batch, nil
			}, sequence(100), executor.Config{ChunkSize: 10, Workers: 1})
			require.ErrorIs(t, err, executor.ErrResultCount)
			batch, ok := errors.AsType[*executor.BatchError](err)
			require.True(t, ok)
			require.Equal(t, 40, batch.Index)
			require.Equal(t, 10, batch.Size)
			require.ErrorContains(t, err, "batch of items 40 to 49")
			require.ErrorContains(t, err, "results for 10 items")
		}
	})
	items := sequence(100)
	_, err := executor.RunBatches(t.Context(), func(_ context.Context, batch []int) ([]int, error) {
		_ = append(batch, -1)
		return batch, nil
	}, items, executor.Config{ChunkSize: 10})
	require.NoError(t, err)
	require.Equal(t, sequence(100), items)
}

// A service that takes one batch at a time is found to be one. Where it is called item by item nothing of that kind is
// looked for: there a line shows in the time of the calls.
func TestServiceOfOneBatchAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := make(chan struct{}, 1)
		inTurn := func(took time.Duration) {
			turn <- struct{}{}
			time.Sleep(took)
			<-turn
		}
		var report executor.Report
		_, err := executor.RunBatches(t.Context(), func(_ context.Context, batch []int) ([]int, error) {
			inTurn(10 * time.Millisecond)
			return batch, nil
		}, sequence(20_000), executor.Config{ChunkSize: 50, Report: &report})
		require.NoError(t, err)
		reason := "one call at a time reaches the same throughput"
		told := func() bool {
			return slices.ContainsFunc(report.Changes, func(c executor.Change) bool { return c.Workers == 1 && c.Reason == reason })
		}
		require.True(t, told(), "%v", report.Changes)
		_, err = executor.Run(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			inTurn(10 * time.Millisecond)
			return i, nil
		}), sequence(400), executor.Config{Report: &report})
		require.NoError(t, err)
		require.False(t, told(), "%v", report.Changes)
	})
}

// A function whose large batches are slower per item is given smaller ones.
func TestBatchesThatDegrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var items, calls atomic.Int64
		_, err := executor.RunBatches(t.Context(), func(_ context.Context, batch []int) ([]int, error) {
			n := time.Duration(len(batch))
			items.Add(int64(n))
			calls.Add(1)
			time.Sleep(5*time.Millisecond + n*50*time.Microsecond + n*n*10*time.Microsecond)
			return batch, nil
		}, sequence(50_000), executor.Config{Workers: 1})
		require.NoError(t, err)
		// The best size is √(5 ms / 10 µs) = 22; at 400, goodput is a tenth.
		mean := items.Load() / calls.Load()
		require.Less(t, mean, int64(100))
	})
}

// No items are done without a call, also where the size of a batch is given.
func TestBatchesOfNothing(t *testing.T) {
	for _, size := range []int{0, 3} {
		var report executor.Report
		out, err := executor.RunBatches(t.Context(), func(context.Context, []int) ([]int, error) {
			t.Error("called")
			return nil, nil
		}, nil, executor.Config{ChunkSize: size, Report: &report})
		require.NoError(t, err)
		require.Empty(t, out)
		require.Zero(t, report.Chunks)
	}
}
