package optimizer_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
)

// The reference formula, at the figures that users of the Python system know.
func TestModelReference(t *testing.T) {
	seconds := func(items int, each float64) time.Duration {
		return time.Duration(float64(items) * each * float64(time.Second))
	}
	for _, c := range []struct {
		id      string
		model   optimizer.Model
		workers int
		chunk   int
		want    float64
	}{
		{"OP-01", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: ms, SpawnCost: 10 * ms, ChunkCost: 500 * time.Microsecond}, 2, 10, 1.9704},
		{"OP-02", optimizer.Model{Work: time.Second, Items: 100, ResultCost: 0, SpawnCost: 500 * ms, ChunkCost: 500 * time.Microsecond}, 2, 10, 0.6645},
		{"OP-03, 2 workers", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: 100 * time.Microsecond, SpawnCost: 10 * ms, ChunkCost: 500 * time.Microsecond}, 2, 10, 1.9881},
		{"OP-03, 4 workers", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: 100 * time.Microsecond, SpawnCost: 10 * ms, ChunkCost: 500 * time.Microsecond}, 4, 10, 3.9216},
		{"OP-05, no work", optimizer.Model{}, 4, 10, 1},
		{"OP-05, no workers", optimizer.Model{Work: seconds(10, 1)}, 0, 10, 1},
		{"OP-06", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: 100 * time.Microsecond, SpawnCost: 10 * ms, ChunkCost: 500 * time.Microsecond}, 4, 25, 3.9262},
		{"OP-07", optimizer.Model{Work: 10 * time.Second, Items: 100}, 8, 10, 8},
		{"OP-08, cheap chunks", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: ms, ChunkCost: 100 * time.Microsecond}, 2, 10, 1.9897},
		{"OP-08, dear chunks", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: ms, ChunkCost: 10 * ms}, 2, 10, 1.9512},
	} {
		t.Run(c.id, func(t *testing.T) {
			require.InDelta(t, c.want, c.model.Speedup(c.workers, c.chunk), 0.02)
		})
	}
}

// The universal scalability law has a peak; without its terms it is linear.
func TestCapacity(t *testing.T) {
	require.InDelta(t, 64, optimizer.Model{}.Capacity(64), 1e-9)
	amdahl := optimizer.Model{Contention: 0.1}
	require.InDelta(t, 10, amdahl.Capacity(1_000_000), 0.01)
	usl := optimizer.Model{Contention: 0.05, Coherency: 0.001}
	require.InDelta(t, 9.03790087463557, usl.Capacity(31), 1e-9)
	require.Greater(t, usl.Capacity(31), usl.Capacity(10))
	require.Greater(t, usl.Capacity(31), usl.Capacity(100))
}

func TestChunkSize(t *testing.T) {
	for _, c := range []struct {
		id             string
		item, target   time.Duration
		cv             float64
		items, workers int
		want           int
	}{
		{"OP-11", 5 * ms, 200 * ms, 0.3, 1000, 4, 40},
		{"OP-13", 300 * ms, 200 * ms, 0, 1000, 4, 1},
		{"OP-14, many", 100 * time.Microsecond, 200 * ms, 0, 10_000, 1, 2000},
		{"OP-14, few", 100 * time.Microsecond, 200 * ms, 0, 50, 2, 6},
		{"OP-14, fewer than workers", 5 * ms, 200 * ms, 0, 9, 4, 1},
		{"OP-15, unknown cost", 0, 200 * ms, 0, 100, 4, 1},
		{"OP-15, unknown total", 5 * ms, 200 * ms, 0, -1, 4, 40},
		{"OP-16", ms, 500 * ms, 0, 4000, 2, 500},
		{"variation", 5 * ms, 200 * ms, 1, 1000, 4, 20},
		{"little variation", 5 * ms, 200 * ms, 0.5, 1000, 4, 40},
		{"one worker", 100 * time.Microsecond, 200 * ms, 0, 4000, 1, 1000},
		{"no workers", 100 * time.Microsecond, 200 * ms, 0, 4000, 0, 1000},
		{"no items", 5 * ms, 200 * ms, 0, 0, 4, 1},
		{"a nanosecond", 1, 100, 0, -1, 4, 100},
		{"endless", 1, math.MaxInt64, 0, -1, 4, math.MaxInt32},
	} {
		t.Run(c.id, func(t *testing.T) {
			require.Equal(t, c.want, optimizer.ChunkSize(float64(c.item), c.cv, c.target, c.items, c.workers))
		})
	}
}

func TestLoadAware(t *testing.T) {
	for _, c := range []struct {
		cpu, memory float64
		want        int
	}{
		{50, 50, 8}, {70, 50, 6}, {80, 50, 6}, {89.9, 50, 6}, {90, 50, 4}, {95, 50, 4},
		{69.9, 74.9, 8}, {50, 75, 6}, {69.9, 89.9, 6}, {50, 90, 4}, {95, 95, 4}, {100, 100, 4}, {-1, -1, 8},
	} {
		require.Equal(t, c.want, optimizer.LoadAware(8, c.cpu, c.memory), "OP-26, OP-27: %v", c)
	}
	require.Equal(t, 1, optimizer.LoadAware(1, 100, 100))
}

// Each part of a makespan, to the nanosecond.
func TestMakespan(t *testing.T) {
	m := optimizer.Model{
		Work: 10 * time.Second, Items: 100, JoinDelay: 2 * ms, SpawnCost: 10 * ms, ChunkCost: ms / 2,
		ResultCost: ms / 10, Tail: 3 * ms, Contention: 0.1, Coherency: 0.01,
	}
	for _, c := range []struct {
		workers, chunk int
		want           time.Duration
	}{
		{4, 30, 3601290 * time.Microsecond},
		{2, 100, 5629380 * time.Microsecond},
		{1, 30, 10020 * ms},
		{1, 1, 10068 * ms},
		{0, 0, 10068 * ms},
		{-1, -1, 10068 * ms},
	} {
		require.InDelta(t, c.want, m.Makespan(c.workers, c.chunk), 1, c)
	}
	require.InDelta(t, 10.0/10.02, m.Speedup(1, 30), 1e-9)
	m.Work = ms
	require.Equal(t, 51*ms, m.Makespan(4, 30), "all is done before helpers have started")
	require.Equal(t, time.Duration(math.MaxInt64), optimizer.Model{Work: math.MaxInt64}.Makespan(1, 1))
}
