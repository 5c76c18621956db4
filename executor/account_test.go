package executor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/hillclimb"
)

// What a worker notes of its chunks, in all and in the epoch.
func TestAccount(t *testing.T) {
	var a account
	a.begin(1, 4, 100)
	require.EqualValues(t, 100, a.began.Load())
	require.EqualValues(t, 4, a.size.Load())
	require.True(t, a.end(1, 4, 80, 0))
	require.Zero(t, a.size.Load())
	require.InDelta(t, 20, a.itemNanos, 0, "dearer items are believed at once")
	a.begin(1, 2, 200)
	require.True(t, a.end(1, 2, 20, 8))
	require.InDelta(t, 15, a.itemNanos, 0, "cheaper ones by and by")
	require.Equal(t, []int{2, 6, 100}, []int{a.chunks, a.items, int(a.busy)})
	var o hillclimb.Observation
	a.observe(1, &o)
	a.observe(2, &o)
	want := hillclimb.Observation{Reporting: 1, Chunks: 2, Items: 6, Busy: 92, Squares: 20*80 + 6*12}
	require.Equal(t, want, o)
	a.observe(1, &o)
	require.Equal(t, hillclimb.Observation{Reporting: 2, Chunks: 4, Items: 12, Busy: 184, Squares: 2 * (20*80 + 6*12)}, o)

	a.begin(1, 3, 300)
	require.False(t, a.end(2, 3, 30, 0), "it began in another epoch")
	a.begin(1, 3, 300)
	require.False(t, a.end(1, 0, 30, 0), "nothing was run")
	require.Equal(t, []int{4, 9, 160}, []int{a.chunks, a.items, int(a.busy)})
	o = hillclimb.Observation{}
	a.observe(1, &o)
	require.Equal(t, want, o)

	a.begin(2, 1, 400) // another epoch
	o = hillclimb.Observation{}
	a.observe(2, &o)
	require.Equal(t, hillclimb.Observation{}, o)
	require.EqualValues(t, 2, a.epoch.number.Load())
	require.Zero(t, a.epoch.items.Load())
	require.Zero(t, a.epoch.busy.Load())
	require.Zero(t, math.Float64frombits(a.epoch.squares.Load()))
	require.True(t, a.end(2, 1, 12, 0))
	a.observe(2, &o)
	require.Equal(t, hillclimb.Observation{Reporting: 1, Chunks: 1, Items: 1, Busy: 12, Squares: 144}, o)
}
