package executor

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
)

// A tracker waits by the clock of its bubble, so it must not leave it: each bubble has one of its own for a function.
func TestATrackerStaysInItsBubble(t *testing.T) {
	var g registry
	fn := functionOf(func(context.Context, int) (int, error) { return 0, nil })
	outside, outsideKey := g.join(fn, false)
	seen := map[*flight.Tracker]bool{outside: true}
	keys := []trackerKey{outsideKey}
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			first, key := g.join(fn, true)
			second, again := g.join(fn, true)
			require.Same(t, first, second, "runs of one bubble share it")
			require.Equal(t, key, again)
			require.False(t, seen[first], "it is not that of another bubble, or of none")
			seen[first] = true
			keys = append(keys, key, again)
		})
	}
	for i, key := range keys {
		require.NotEmpty(t, g.of, "%d of %d runs have left", i, len(keys))
		g.leave(key)
	}
	require.Empty(t, g.of)
	g.leave(outsideKey) // there is nothing left to leave
	require.Empty(t, g.of)
}

// A function is known by its value: of two closures of the same code each has a tracker of its own, which stays as long
// as a run of it does.
func TestEachFunctionHasATracker(t *testing.T) {
	var g registry
	closure := func(n int) function {
		return functionOf(func(context.Context, int) (int, error) { return n, nil })
	}
	a, b := closure(1), closure(2)
	ofA, keyA := g.join(a, false)
	ofB, keyB := g.join(b, false)
	require.NotSame(t, ofA, ofB)
	again, _ := g.join(a, false)
	require.Same(t, ofA, again)
	g.leave(keyA)
	again, _ = g.join(a, false)
	require.Same(t, ofA, again, "one of two runs has left")
	g.leave(keyB)
	require.Len(t, g.of, 1)
	again, _ = g.join(b, false)
	require.NotSame(t, ofB, again, "the last run took it along")
}
