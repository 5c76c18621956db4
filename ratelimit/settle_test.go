package ratelimit_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

// What a call has cost beyond its estimate is a debt, and what it has not is given back.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ estimated, actual, left float64 }{
			{40, 40, 60}, {40, 0, 100}, {0, 30, 70}, {40, 10.5, 89.5}, {40, 140, -40}, {0, 0, 100},
		} {
			l := limiter(t, 10, 100)
			require.True(t, c.estimated == 0 || l.TryAcquireN(c.estimated))
			require.NoError(t, l.Settle(c.estimated, c.actual))
			require.Equal(t, c.left, l.AvailableTokens(), c)
		}
		l := limiter(t, 10, 100)
		require.NoError(t, l.Settle(0, 140))
		start := time.Now()
		require.NoError(t, l.Acquire(t.Context()))
		require.Equal(t, 4100*time.Millisecond, time.Since(start), "a debt is paid first")
		for _, wrong := range []float64{-1, math.NaN(), math.Inf(1)} {
			require.ErrorIs(t, l.Settle(wrong, 1), ratelimit.ErrInvalid)
			require.ErrorIs(t, l.Settle(1, wrong), ratelimit.ErrInvalid)
		}
	})
}

// How long a wait would be is known beforehand, and changes nothing.
func TestWouldTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 20)
		for n, want := range map[float64]time.Duration{0.5: 0, 20: 0, 21: 100 * time.Millisecond, 120: 10 * time.Second} {
			for range 2 {
				got, err := l.WouldTake(n)
				require.NoError(t, err)
				require.Equal(t, want, got, n)
			}
		}
		never, err := l.WouldTake(1e300)
		require.NoError(t, err)
		require.Equal(t, time.Duration(math.MaxInt64), never)
		_, err = l.WouldTake(0)
		require.ErrorIs(t, err, ratelimit.ErrInvalid)

		require.True(t, l.TryAcquireN(20))
		first, err := l.Reserve(5)
		require.NoError(t, err)
		got, err := l.WouldTake(1)
		require.NoError(t, err)
		require.Equal(t, 600*time.Millisecond, got, "behind those who wait")
		first.Cancel()
		l.PauseFor(time.Minute)
		got, err = l.WouldTake(1)
		require.NoError(t, err)
		require.Equal(t, time.Minute, got)
	})
}
