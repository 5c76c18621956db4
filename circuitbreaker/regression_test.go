package circuitbreaker

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each of these was a defect once.

func failing(context.Context) error { return errors.New("out of order") }
func working(context.Context) error { return nil }

// A newcomer may take the lock when the breaker has become half-open, before the
// timer of the first who waits.
func TestNewcomerBeforeTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: 1, OpenFor: time.Second, SuccessThreshold: 1, WhenOpen: Wait})
		require.Error(t, b.Do(t.Context(), failing))
		now := b.lock()
		first := b.line.Push(waiter{passed: make(chan pass, 1), timer: time.NewTimer(time.Hour)})
		b.unlock(now)
		first.Value.timer.Stop()
		time.Sleep(time.Second)
		done := make(chan error)
		go func() { done <- b.Do(t.Context(), working) }()
		synctest.Wait()
		p := <-first.Value.passed // it goes first
		assert.Equal(t, 1, b.Counts().Waiting)
		b.settle(t.Context(), p, nil)
		require.NoError(t, <-done)
	})
}

func TestForEver(t *testing.T) {
	b := MustNew(Policy{FailureThreshold: 1, OpenFor: math.MaxInt64})
	require.Error(t, b.Do(t.Context(), failing))
	assert.Equal(t, Open, b.State())
	b = MustNew(Policy{FailureThreshold: 1, OpenFor: 1, ProbeTimeout: math.MaxInt64, SuccessThreshold: 1})
	require.Error(t, b.Do(t.Context(), failing))
	_, err := b.Allow(t.Context())
	require.NoError(t, err)
	_, err = b.Allow(t.Context())
	require.ErrorIs(t, err, ErrOpen, "one probe at a time")
}

func TestResetCallsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: 1, OpenFor: time.Second, OnHalfOpen: func() { t.Error("called") }})
		require.Error(t, b.Do(t.Context(), failing))
		time.Sleep(2 * time.Second)
		b.Reset()
		assert.Equal(t, Closed, b.State())
	})
}

func TestRefusalIsOfTheEndOfTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: 1, OpenFor: time.Minute, WhenOpen: Wait})
		require.Error(t, b.Do(t.Context(), failing))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Second, cancel)
		var open *OpenError
		require.ErrorAs(t, b.Do(ctx, working), &open)
		assert.Equal(t, 10*time.Second, open.RetryAfter)
	})
}

func TestRateCountsAfterSuccessesToo(t *testing.T) {
	var last error
	b := MustNew(Policy{FailureThreshold: math.MaxInt, FailureRate: 0.5, MinimumCalls: 4, OnOpen: func(_ int, err error) { last = err }})
	for range 3 {
		require.Error(t, b.Do(t.Context(), failing))
	}
	require.NoError(t, b.Do(t.Context(), working))
	assert.Equal(t, Open, b.State(), "three of four failed")
	require.EqualError(t, last, "out of order", "the latest failure, since the latest call was none")

	// Also if it isn't the first in a row.
	b = MustNew(Policy{FailureThreshold: math.MaxInt, FailureRate: 0.5, MinimumCalls: 4})
	for _, call := range []func(context.Context) error{failing, failing, working, working} {
		assert.Equal(t, Closed, b.State())
		_ = b.Do(t.Context(), call)
	}
	assert.Equal(t, Open, b.State(), "two of four failed")

	// Nor is an error told that is no failure.
	other := errors.New("not found")
	b = MustNew(Policy{
		FailureThreshold: math.MaxInt, FailureRate: 0.5, MinimumCalls: 4, OnOpen: func(_ int, err error) { last = err },
		IsFailure: func(err error) bool { return !errors.Is(err, other) },
	})
	for range 3 {
		require.Error(t, b.Do(t.Context(), failing))
	}
	require.ErrorIs(t, b.Do(t.Context(), func(context.Context) error { return other }), other)
	assert.Equal(t, Open, b.State())
	require.EqualError(t, last, "out of order")
}

// A breaker that was made outside a testing/synctest bubble forgets in it, too.
func TestWindowOfAnotherClock(t *testing.T) {
	b := MustNew(Policy{FailureThreshold: math.MaxInt, FailureRate: 1, MinimumCalls: 2, Window: time.Second})
	synctest.Test(t, func(t *testing.T) {
		for range 5 {
			require.Error(t, b.Do(t.Context(), failing))
			time.Sleep(2 * time.Second)
		}
		assert.Equal(t, Closed, b.State())
	})
}

// Cancelled as it is let through: the place of the probe is free again.
func TestCancelAtTheInstantOfPassing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: 1, OpenFor: time.Second, WhenOpen: Wait})
		require.Error(t, b.Do(t.Context(), failing))
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 { // whichever of the two is seen first
			w := &place{Value: waiter{passed: make(chan pass, 1), timer: time.NewTimer(time.Hour)}}
			now := b.lock()
			p, ok := b.pass(now)
			refusal := b.refusal(now)
			b.unlock(now)
			require.True(t, ok)
			w.Value.passed <- p
			_, err := b.await(ctx, w, refusal)
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, b.Counts().Probes)
		}
	})
}

// A rate of slow calls alone: fast calls that succeed do not open it, whatever the other
// bounds are.
func TestSlowCallRateAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{
			FailureThreshold: 1000, SlowCall: time.Second, SlowCallRate: 0.5, MinimumCalls: 4, Window: time.Minute,
		})
		call := func(takes time.Duration) error {
			return b.Do(t.Context(), func(context.Context) error { time.Sleep(takes); return nil })
		}
		for range 20 {
			require.NoError(t, call(0))
		}
		for range 19 {
			require.NoError(t, call(time.Second))
		}
		require.Equal(t, Closed, b.State())   // 19 of 39
		require.NoError(t, call(time.Second)) // 20 of 40
		require.ErrorIs(t, call(0), ErrOpen)
	})
}

// Peek says what the breaker would be now, and changes nothing.
func TestPeek(t *testing.T) {
	state, _ := MustNew(Policy{}).Peek()
	require.Equal(t, Closed, state)
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: 1, OpenFor: time.Second})
		peeked := func() State { state, _ := b.Peek(); return state }
		require.Equal(t, Closed, peeked())
		require.Error(t, b.Do(t.Context(), failing))
		time.Sleep(time.Second - 1)
		require.Equal(t, Open, peeked())
		time.Sleep(time.Nanosecond)
		require.Equal(t, HalfOpen, peeked())
	})
}

// One slow call among too few is remembered: a fast one may make them enough.
func TestFewSlowCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: 1000, SlowCall: time.Second, SlowCallRate: 0.5, MinimumCalls: 2, Window: time.Minute})
		require.NoError(t, b.Do(t.Context(), func(context.Context) error { time.Sleep(time.Second); return nil }))
		require.NoError(t, b.Do(t.Context(), func(context.Context) error { return nil }))
		require.ErrorIs(t, b.Do(t.Context(), func(context.Context) error { return nil }), ErrOpen) // 1 of 2
	})
}

// So is one failure among too few.
func TestFewFailures(t *testing.T) {
	b := MustNew(Policy{FailureThreshold: 1000, FailureRate: 0.3, MinimumCalls: 3})
	require.Error(t, b.Do(t.Context(), failing))
	for range 2 {
		require.NoError(t, b.Do(t.Context(), func(context.Context) error { return nil }))
	}
	require.ErrorIs(t, b.Do(t.Context(), func(context.Context) error { return nil }), ErrOpen) // 1 of 3
}
