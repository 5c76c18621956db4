package concurrency

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/adaptive"
)

// A call is one item of cost 1. Its place is free when it has ended, which it does once, and is taken again: there are as
// many as calls were in flight at once.
func TestPlacesAreTakenAgain(t *testing.T) {
	var f flight
	for range 3 {
		first, one := f.begin(time.Second, 7)
		second, two := f.begin(2*time.Second, 8)
		require.NotEqual(t, first, second)
		want := []adaptive.Attempt{{Began: time.Second, InFlight: 1, Epoch: 7, Items: 1, Cost: 1}, {Began: 2 * time.Second, InFlight: 2, Epoch: 8, Items: 1, Cost: 1}}
		require.ElementsMatch(t, want, f.list())
		a, ok := f.end(first, one)
		require.True(t, ok)
		require.Equal(t, want[0], a)
		_, ok = f.end(first, one)
		require.False(t, ok)
		require.Equal(t, want[1:], f.list())
		_, ok = f.end(second, two)
		require.True(t, ok)
		require.Empty(t, f.list())
		require.Zero(t, f.n)
		require.Len(t, f.places, 2)
	}
}
