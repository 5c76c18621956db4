package ratelimit_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

func rejecting(rate float64, burst int) *ratelimit.Limiter {
	return ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: rate, BurstSize: burst, OnLimit: ratelimit.Reject})
}

// What is never there is said to be never there.
func TestRejectedForEver(t *testing.T) {
	l := rejecting(10, 3)
	var exceeded *ratelimit.ExceededError
	require.ErrorAs(t, l.AcquireN(t.Context(), 4), &exceeded)
	require.Equal(t, time.Duration(math.MaxInt64), exceeded.Refused())
	require.ErrorAs(t, ratelimit.All(l).AcquireEach(t.Context(), 4), &exceeded)
	require.Equal(t, time.Duration(math.MaxInt64), exceeded.Refused())
}

// Calls that are refused together come back one by one.
func TestRefusedTogether(t *testing.T) {
	for jitter, most := range map[retry.Jitter]int64{retry.JitterNone: 450, retry.JitterFull: 700} {
		synctest.Test(t, func(t *testing.T) {
			l := rejecting(10, 1)
			var tries atomic.Int64
			r := retry.MustNew(retry.Policy{Jitter: jitter})
			start := time.Now()
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() {
					err := r.Do(t.Context(), func(ctx context.Context) error {
						tries.Add(1)
						if err := l.Acquire(ctx); err != nil {
							return refused(err.(*ratelimit.ExceededError).RetryAfter) //nolint:errorlint // it rejects
						}
						return nil
					})
					require.NoError(t, err)
				})
			}
			wg.Wait()
			require.Less(t, tries.Load(), most)
			if jitter == retry.JitterNone {
				require.Equal(t, 19900*time.Millisecond, time.Since(start))
			}
		})
	}
}

// Those who don't come back keep nobody from the tokens, and are forgotten.
func TestRefusedAndGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := rejecting(10, 1)
		require.NoError(t, l.Acquire(t.Context()))
		var exceeded *ratelimit.ExceededError
		for range 10_000 {
			require.ErrorAs(t, l.Acquire(t.Context()), &exceeded)
			require.LessOrEqual(t, exceeded.RetryAfter, time.Minute+100*time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, l.Acquire(t.Context()))
		time.Sleep(2 * time.Minute)
		require.NoError(t, l.Acquire(t.Context()))
		require.ErrorAs(t, l.Acquire(t.Context()), &exceeded)
		require.Equal(t, 100*time.Millisecond, exceeded.RetryAfter)
	})
}

// Those who are refused are told one after the other, for a minute at most.
func TestRefusedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := rejecting(1, 1)
		require.NoError(t, l.Acquire(t.Context()))
		for i := range 150 {
			var exceeded *ratelimit.ExceededError
			require.ErrorAs(t, l.Acquire(t.Context()), &exceeded)
			require.Equal(t, time.Duration(i%61+1)*time.Second, exceeded.RetryAfter, "call %d", i)
		}
	})
}

// A callback that panics changes nothing, but is seen.
func TestCallbackPanicsAreSeen(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1, OnWait: func(time.Duration) { panic("broken") }})
		for range 4 {
			require.NoError(t, l.Acquire(t.Context()))
		}
		require.EqualValues(t, 3, l.CallbackPanics())
		both := ratelimit.MustNew(ratelimit.Policy{
			RequestsPerSecond: 1, BurstSize: 1, OnWait: func(time.Duration) { panic("too") },
			Adapt: &ratelimit.Adapt{Throttled: func(error) bool { panic("too") }},
		})
		for range 2 {
			require.ErrorIs(t, both.Do(t.Context(), returns(context.Canceled)), context.Canceled)
		}
		require.EqualValues(t, 3, both.CallbackPanics(), "of one wait and two errors")
		require.Zero(t, limiter(t, 1, 1).CallbackPanics())
	})
	require.Equal(t, 1, strings.Count(log.String(), "broken"))
	require.Contains(t, log.String(), "Policy.OnWait")
}

// Nothing is an amount, too: a call may have cost what was estimated.
func TestNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := limiter(t, 1, 2), drained(t, 1, 2)
		require.NoError(t, a.Debit(0))
		require.NoError(t, a.Return(0))
		start := time.Now()
		require.NoError(t, ratelimit.All(a, b).AcquireEach(t.Context(), 1, 0))
		require.True(t, ratelimit.All(a, b).TryAcquireEach(1, 0))
		require.Zero(t, time.Since(start))
		require.Zero(t, a.AvailableTokens())
	})
}

// In a pause the bucket is told as it will be at the end.
func TestTokensInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 5)
		l.PauseFor(10 * time.Second)
		require.EqualValues(t, 1, l.AvailableTokens())
		time.Sleep(10 * time.Second)
		require.EqualValues(t, 1, l.AvailableTokens())
		l.PauseFor(time.Second)
		require.NoError(t, l.Debit(3))
		require.EqualValues(t, -2, l.AvailableTokens())
	})
}
