package ratelimit_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

// A wait is told of when it begins, with how long it will be, and no lock held.
func TestOnWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var told []time.Duration
		var l *ratelimit.Limiter
		l = ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1, OnWaiting: func(d time.Duration) {
			told = append(told, time.Since(start), d)
			l.AvailableTokens()
			panic("dropped")
		}})
		require.NoError(t, l.Acquire(t.Context()))
		require.Empty(t, told)
		require.NoError(t, l.AcquireN(t.Context(), 2.5))
		require.Equal(t, []time.Duration{0, 2500 * time.Millisecond}, told)
		require.EqualValues(t, 1, l.CallbackPanics())
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, l.Acquire(ctx), context.DeadlineExceeded)
		require.Len(t, told, 2, "there was no wait")
	})
}

// Under several limits, those are told that have no tokens.
func TestOnWaitingOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := map[string]time.Duration{}
		var limiters []*ratelimit.Limiter
		for name, tokens := range map[string]float64{"full": 30, "half": 1.5, "empty": 0} {
			l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 30, OnWaiting: func(d time.Duration) { told[name] = d }})
			require.NoError(t, l.Debit(30-tokens))
			limiters = append(limiters, l)
		}
		require.NoError(t, ratelimit.All(limiters...).AcquireEach(t.Context(), 2, 2, 2))
		require.Equal(t, map[string]time.Duration{"half": 500 * time.Millisecond, "empty": 2 * time.Second}, told)
	})
}

// Who leaves within the callback leaves the line, too.
func TestGoexitInOnWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaving := true
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1, OnWaiting: func(time.Duration) {
			if leaving {
				runtime.Goexit()
			}
		}})
		other := limiter(t, 1, 1)
		for _, acquire := range []func(context.Context) error{l.Acquire, ratelimit.All(l, other).Acquire} {
			l.Reset()
			other.Reset()
			require.True(t, l.TryAcquire())
			leaving = true
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = acquire(t.Context())
			}()
			<-done
			leaving = false
			start := time.Now()
			require.NoError(t, l.Acquire(t.Context()))
			require.Equal(t, time.Second, time.Since(start), "nobody is ahead")
		}
	})
}

// A pause is told of when it begins, and when it becomes longer.
func TestOnPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []time.Duration
		var l *ratelimit.Limiter
		l = ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, OnPause: func(d time.Duration) {
			told = append(told, d)
			l.AvailableTokens() // no lock is held
		}})
		l.PauseFor(time.Minute)
		l.PauseFor(time.Second)
		time.Sleep(30 * time.Second)
		l.PauseFor(30 * time.Second)
		l.PauseFor(time.Minute)
		l.PauseFor(0)
		require.Equal(t, []time.Duration{time.Minute, time.Minute}, told)
		l.Remaining(0, 2*time.Minute)
		require.Len(t, told, 3)
		require.GreaterOrEqual(t, told[2], 2*time.Minute, "a service can ask for one")
	})
}
