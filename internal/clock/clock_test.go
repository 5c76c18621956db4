package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

func TestNow(t *testing.T) {
	before := clock.Now()
	require.Positive(t, before)
	require.GreaterOrEqual(t, clock.Now(), before)
	require.False(t, clock.Virtual(before))
	synctest.Test(t, func(t *testing.T) {
		before := clock.Now()
		time.Sleep(time.Hour)
		require.Equal(t, time.Hour, clock.Now()-before)
		require.True(t, clock.Virtual(clock.Now()))
	})
	const decade = 10 * 365 * 24 * time.Hour
	require.False(t, clock.Virtual(decade))
	require.True(t, clock.Virtual(decade+1))
	require.False(t, clock.Virtual(-decade))
	require.True(t, clock.Virtual(-decade-1))
}

// A bubble has a number of its own, which all of its goroutines know.
func TestBubble(t *testing.T) {
	require.Empty(t, clock.Bubble())
	var first, second string
	synctest.Test(t, func(*testing.T) {
		first = clock.Bubble()
		inner := make(chan string)
		go func() { inner <- clock.Bubble() }()
		require.Equal(t, first, <-inner)
	})
	synctest.Test(t, func(*testing.T) { second = clock.Bubble() })
	require.NotEmpty(t, first)
	require.NotEmpty(t, second)
	require.NotEqual(t, first, second)
}
