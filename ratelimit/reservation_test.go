package ratelimit_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Given up twice, in the line or with its tokens there, a reservation is given back once.
func TestCancelTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 1, 5)
		time.Sleep(3 * time.Second)
		there, err := l.Reserve(2)
		require.NoError(t, err)
		require.EqualValues(t, 1, l.AvailableTokens())
		later, err := l.Reserve(3)
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, later.Delay())
		for range 2 {
			later.Cancel()
			there.Cancel()
			require.Zero(t, there.Delay())
			require.Zero(t, later.Delay())
			require.EqualValues(t, 3, l.AvailableTokens())
		}
	})
}

// The longest that can be reserved comes within what a duration can hold.
func TestLongestReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 1e9, 1)
		_, err := l.Reserve(0x1p63)
		require.ErrorContains(t, err, "must be tokens that come within 292 years")
		r, err := l.Reserve(0x1p63 - 1024)
		require.NoError(t, err)
		require.Equal(t, time.Duration(math.MaxInt64-1024), r.Delay())
	})
}
