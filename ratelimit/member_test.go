package ratelimit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

// A bucket that was full for long while another limit was waited for has grown for nobody.
func TestGroupGrowsFromItsTurnOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle, paused := limiter(t, 1, 2), limiter(t, 100, 100)
		time.Sleep(time.Hour)
		paused.PauseFor(time.Minute)
		took := waiters(t, 1, func(ctx context.Context) error { return ratelimit.All(idle, paused).AcquireEach(ctx, 10) })
		require.Equal(t, []time.Duration{time.Minute + 8*time.Second}, took())
		require.Zero(t, idle.AvailableTokens())
	})
}

// When a call goes for its tokens, those behind it know at once whether they come in time.
func TestBehindAGroupWhoseTurnHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		empty, paused := drained(t, 1, 1), limiter(t, 100, 100)
		paused.PauseFor(500 * time.Millisecond)
		group := waiters(t, 1, ratelimit.All(empty, paused).Acquire)
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		start := time.Now()
		var late *ratelimit.DeadlineError
		require.ErrorAs(t, empty.Acquire(ctx), &late)
		require.Equal(t, ratelimit.DeadlineError{Wait: 1500 * time.Millisecond, Left: 700 * time.Millisecond}, *late)
		require.Equal(t, 500*time.Millisecond, time.Since(start))
		require.Equal(t, []time.Duration{time.Second}, group())
	})
}
