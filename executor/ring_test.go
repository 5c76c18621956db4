package executor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRingSizes(t *testing.T) {
	for _, c := range []struct{ window, size, blocks int }{{1, 1, 1}, {2, 1, 2}, {4, 1, 4}, {5, 2, 4}, {8, 2, 4}, {9, 4, 4}, {256, 64, 4}, {257, 64, 8}} {
		r := newRing[int](c.window)
		require.Equal(t, c.size, r.size, "%+v", c)
		require.Equal(t, c.size, 1<<r.shift)
		require.Len(t, r.blocks, c.blocks)
	}
}

// Every item of a window has a place of its own.
func TestRingPlaces(t *testing.T) {
	r := newRing[int](32)
	for i := 40; i < 72; i++ {
		r.enter(i, false)
		*r.at(i) = i
	}
	for i := 40; i < 72; i++ {
		require.Equal(t, i, *r.at(i))
	}
	r.clear(43, 61)
	for i := 40; i < 72; i++ {
		if i >= 43 && i < 61 {
			require.Zero(t, *r.at(i))
		} else {
			require.Equal(t, i, *r.at(i))
		}
	}
	r.clear(71, 72)
	require.Zero(t, *r.at(71))
	require.Equal(t, 70, *r.at(70))
}

// A block that is counted is used again when all of it has been read.
func TestRingCounts(t *testing.T) {
	r := newRing[int](16)
	require.True(t, r.enter(0, true))
	b := r.block(3)
	require.Same(t, r.block(0), b)
	require.NotSame(t, r.block(4), b)
	require.Len(t, b.values, 4)
	require.EqualValues(t, 4, b.unread.Load())
	require.False(t, r.enter(16, true))
	b.unread.Store(1)
	require.False(t, r.enter(16, true))
	b.unread.Store(0)
	b.values[2] = 7
	require.True(t, r.enter(16, true))
	require.Equal(t, 7, b.values[2], "its memory is kept")
	require.True(t, r.enter(16, false), "where nobody counts")
	require.EqualValues(t, 4, b.unread.Load())
}
