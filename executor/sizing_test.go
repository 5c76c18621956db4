package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

func TestTimedSize(t *testing.T) {
	plan := &optimizer.Plan{Sample: sampling.Sample{Items: 10, ItemNanos: 1000}, ChunkSize: 7}
	sizer := newSizer(&Config{}, plan, nil)
	w := &worker{}
	require.Equal(t, 100, sizer.size(w, 1_000_000, 2), "the target over what the sample had it")
	w.itemNanos = 100
	require.Equal(t, 1000, sizer.size(w, 1_000_000, 2), "the worker's own figures count more")
	require.Equal(t, 250, sizer.size(w, 1000, 2), "half of an even share towards the end")
	require.Equal(t, 50, sizer.size(w, 10, 2), "but nothing shorter than the least chunk")
	w.itemNanos = 1e9
	require.Equal(t, 1, sizer.size(w, 1000, 2))
	sizer.record(10, 10*time.Microsecond)
	require.Equal(t, 100, sizer.size(&worker{}, 1_000_000, 2))
	require.GreaterOrEqual(t, sizer.late(), time.Millisecond)

	bounded := newSizer(&Config{MaxChunkSize: 20}, plan, nil)
	require.Equal(t, 20, bounded.size(&worker{}, 1_000_000, 2))
	unknown := newSizer(&Config{}, &optimizer.Plan{ChunkSize: 7}, nil)
	require.Equal(t, 7, unknown.size(&worker{}, 1_000_000, 2))
	fixed := newSizer(&Config{ChunkSize: 3}, plan, nil)
	require.Equal(t, 3, fixed.size(w, 1_000_000, 2))
	require.Zero(t, fixed.late())
}

func TestTimedSizeBounds(t *testing.T) {
	size := newTimedSize(&Config{}, &optimizer.Plan{ChunkSize: 7})
	require.Equal(t, &timedSize{target: optimizer.DefaultTargetChunk, most: math.MaxInt32, first: 7}, size)
	size = newTimedSize(&Config{TargetChunk: 9, MaxChunkSize: 5}, &optimizer.Plan{ChunkSize: 7, Sample: sampling.Sample{ItemNanos: 0.5}})
	require.EqualValues(t, 9, size.target)
	require.Equal(t, 5, size.most)
	require.Equal(t, 1, size.first)
	require.InDelta(t, 0.5, math.Float64frombits(size.hint.Load()), 0)

	size = &timedSize{target: 10 * time.Millisecond, most: 5, first: 7}
	require.Equal(t, 5, size.size(&worker{}, 100, 1))
	size.first = 0
	require.Equal(t, 1, size.size(&worker{}, 100, 1))
	size.record(4, 2)
	size.most = 1000
	require.Equal(t, 1000, size.size(&worker{}, 10_000_000, 2), "what cheap items cost is known, too")
	require.Equal(t, 40*time.Millisecond, size.late())
	require.Equal(t, time.Millisecond, (&timedSize{target: 1}).late())

	sizer := newSizer(&Config{}, &optimizer.Plan{}, &batching{newBatchSizer(&Config{})})
	require.IsType(t, &batchSizer{}, sizer)
	sizer = newSizer(&Config{ChunkSize: 1}, &optimizer.Plan{}, &batching{})
	require.Equal(t, fixedSize(1), sizer)
}
