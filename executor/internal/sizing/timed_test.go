package sizing

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const target = 100 * time.Microsecond

func TestTimed(t *testing.T) {
	sizer := NewTimed(target, 0, 7, 1000)
	require.Equal(t, 100, sizer.Size(0, 1_000_000, 2), "the target over what the sample had it")
	require.Equal(t, 1000, sizer.Size(100, 1_000_000, 2), "the worker's own figures count more")
	require.Equal(t, 250, sizer.Size(100, 1000, 2), "half of an even share towards the end")
	require.Equal(t, 50, sizer.Size(100, 10, 2), "but nothing shorter than the least chunk")
	require.Equal(t, 1, sizer.Size(1e9, 1000, 2))
	sizer.Record(10, 10*time.Microsecond)
	require.Equal(t, 100, sizer.Size(0, 1_000_000, 2))
	require.Equal(t, time.Millisecond, sizer.Late())

	require.Equal(t, 20, NewTimed(target, 20, 7, 1000).Size(0, 1_000_000, 2))
	require.Equal(t, 7, NewTimed(target, 0, 7, 0).Size(0, 1_000_000, 2), "nothing is known")
}

func TestTimedBounds(t *testing.T) {
	require.Equal(t, &Timed{target: target, most: math.MaxInt32, first: 7}, NewTimed(target, 0, 7, 0))
	size := NewTimed(9, 5, 7, 0.5)
	require.EqualValues(t, 9, size.target)
	require.Equal(t, 5, size.most)
	require.Equal(t, 1, size.first)
	require.InDelta(t, 0.5, math.Float64frombits(size.hint.Load()), 0)

	size = NewTimed(10*time.Millisecond, 5, 7, 0)
	require.Equal(t, 5, size.Size(0, 100, 1))
	size.first = 0
	require.Equal(t, 1, size.Size(0, 100, 1))
	size.Record(4, 2)
	size.most = 1000
	require.Equal(t, 1000, size.Size(0, 10_000_000, 2), "what cheap items cost is known, too")
	require.Equal(t, 40*time.Millisecond, size.Late())
	require.Equal(t, time.Millisecond, (&Timed{target: 1}).Late())
}

func TestFixed(t *testing.T) {
	require.Equal(t, 3, Fixed(3).Size(9, 1_000_000, 2))
	require.Zero(t, Fixed(3).Late())
	Fixed(3).Record(1, 1)
}
