package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A limiter says what it is called, and how long it pauses yet.
func TestTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := func(l *Limiter) (string, time.Duration) { return l.inLine().By.State() }
		l := MustNew(Policy{Name: "search", RequestsPerSecond: 1})
		require.Equal(t, "ratelimit search", l.inLine().By.Kind()+" "+l.inLine().By.Name())
		said, left := state(l)
		require.Empty(t, said)
		require.Zero(t, left)
		l.PauseFor(time.Minute)
		time.Sleep(time.Second)
		said, left = state(l)
		require.Equal(t, "paused", said)
		require.Equal(t, 59*time.Second, left)
		time.Sleep(time.Minute)
		said, left = state(l)
		require.Empty(t, said)
		require.Zero(t, left)
	})
	require.Empty(t, MustNew(Policy{RequestsPerSecond: 1}).inLine().By.Name())
	require.Equal(t, "ratelimit", otherMake{}.Kind()+otherMake{}.Name())
}
