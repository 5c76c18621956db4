package circuitbreaker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
)

// takes is a call that takes that long, or as long as its context lets it.
func takes(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func within(t *testing.T, b *circuitbreaker.Breaker, limit time.Duration, call func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return b.Do(ctx, call)
}

// A caller who gives the service less time than it takes learns nothing about it.
func TestOwnDeadline(t *testing.T) {
	for name, p := range map[string]circuitbreaker.Policy{
		"plain": {FailureThreshold: 3}, "rate": {FailureThreshold: 3, FailureRate: 0.9}, "slow": {FailureThreshold: 3, SlowCall: time.Minute, SlowCallRate: 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := circuitbreaker.MustNew(p)
				require.NoError(t, b.Do(t.Context(), takes(50*time.Millisecond)))
				for range 10 {
					require.ErrorIs(t, within(t, b, time.Millisecond, takes(50*time.Millisecond)), context.DeadlineExceeded)
				}
				assert.Zero(t, b.Counts().Failures)
				assert.Equal(t, circuitbreaker.Closed, b.State())

				// Nor if the call was let through by hand.
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				permit, err := b.Allow(ctx)
				require.NoError(t, err)
				<-ctx.Done()
				permit.Done(ctx.Err())
				cancel()
				assert.Zero(t, b.Counts().Failures)

				// One that gives it the time it takes does.
				for range 3 {
					require.ErrorIs(t, within(t, b, time.Second, takes(time.Hour)), context.DeadlineExceeded)
				}
				assert.Equal(t, circuitbreaker.Open, b.State())
			})
		})
	}
}

// As long as nothing is known, a deadline is a failure: a service that is down from
// the beginning opens the breaker.
func TestDeadlineBeforeAnySuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 3})
		for range 3 {
			require.Error(t, within(t, b, time.Second, takes(time.Hour)))
		}
		assert.Equal(t, circuitbreaker.Open, b.State())
	})
}

// What is usual follows the service: one slow call at first is soon forgotten.
func TestUsualFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1})
		require.NoError(t, b.Do(t.Context(), takes(5*time.Second)))
		calls := 0
		for ; b.State() == circuitbreaker.Closed; calls++ {
			require.Less(t, calls, 50)
			require.Error(t, within(t, b, time.Second, takes(time.Hour)))
			if b.State() == circuitbreaker.Closed {
				require.NoError(t, b.Do(t.Context(), takes(50*time.Millisecond)), "the one after is measured")
			}
		}
		assert.Greater(t, calls, 5)
	})
}

// A probe that its caller gave no time frees its place and decides nothing.
func TestProbeWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, SuccessThreshold: 1, OpenFor: time.Second})
		require.NoError(t, b.Do(t.Context(), takes(50*time.Millisecond)))
		fail(t, b, 1)
		time.Sleep(time.Second)
		require.Error(t, within(t, b, time.Millisecond, takes(50*time.Millisecond)))
		assert.Equal(t, circuitbreaker.HalfOpen, b.State())
		assert.Zero(t, b.Counts().Probes)
		require.NoError(t, b.Do(t.Context(), takes(50*time.Millisecond)))
		assert.Equal(t, circuitbreaker.Closed, b.State())
	})
}

// What is usual is a mean of the calls that succeeded, and follows by an eighth.
func TestUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{})
		measured := func(d time.Duration, err error) {
			permit, allowed := b.Allow(t.Context())
			require.NoError(t, allowed)
			time.Sleep(d)
			permit.Done(err)
		}
		require.Zero(t, b.Usual())
		measured(time.Hour, errTest)
		require.Zero(t, b.Usual())
		measured(80*time.Second, nil)
		require.Equal(t, 80*time.Second, b.Usual())
		measured(160*time.Second, nil)
		require.Equal(t, 90*time.Second, b.Usual())
		measured(10*time.Second, nil)
		require.Equal(t, 80*time.Second, b.Usual())
		measured(time.Hour, errTest)
		require.Equal(t, 80*time.Second, b.Usual())
		require.NoError(t, b.Do(t.Context(), takes(time.Hour)))
		require.Equal(t, 80*time.Second, b.Usual(), "without a deadline, it is not measured")
		require.NoError(t, within(t, b, time.Hour, takes(8*time.Second)))
		require.Equal(t, 71*time.Second, b.Usual())
	})
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{})
		for range 3 {
			require.NoError(t, within(t, b, time.Hour, takes(0)))
			require.Equal(t, time.Duration(1), b.Usual(), "known, so not 0")
		}
	})
}

// A deadline that is what calls usually take gives them enough time, and one that is less doesn't.
func TestDeadlineOfTheUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for had, failures := range map[time.Duration]int{50 * time.Millisecond: 1, 50*time.Millisecond - 1: 0, 50*time.Millisecond + 1: 1} {
			b := circuitbreaker.MustNew(circuitbreaker.Policy{})
			require.NoError(t, b.Do(t.Context(), takes(50*time.Millisecond)))
			require.ErrorIs(t, within(t, b, had, takes(time.Hour)), context.DeadlineExceeded)
			require.Equal(t, failures, b.Counts().Failures, had)
		}
	})
}
