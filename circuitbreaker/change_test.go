package circuitbreaker_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/retry"
)

func TestOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []circuitbreaker.Change
		var order []string
		b := circuitbreaker.MustNew(circuitbreaker.Policy{
			FailureThreshold: 2, SuccessThreshold: 2, OpenFor: time.Second,
			OnOpen:     func(int, error) { order = append(order, "open") },
			OnHalfOpen: func() { order = append(order, "half-open") },
			OnClose:    func() { order = append(order, "closed") },
			OnChange: func(c circuitbreaker.Change) {
				told, order = append(told, c), append(order, "to "+c.To.String())
			},
		})
		fail(t, b, 2)
		opened := time.Now()
		time.Sleep(time.Second)
		for range 2 {
			require.NoError(t, b.Do(t.Context(), returns(nil)))
		}
		assert.Equal(t, []circuitbreaker.Change{
			{circuitbreaker.Closed, circuitbreaker.Open, circuitbreaker.Counts{Failures: 2}, errTest},
			{circuitbreaker.Open, circuitbreaker.HalfOpen, circuitbreaker.Counts{Failures: 2, OpenedAt: opened}, errTest},
			{circuitbreaker.HalfOpen, circuitbreaker.Closed, circuitbreaker.Counts{Failures: 2, Successes: 2, OpenedAt: opened}, errTest},
		}, told)
		assert.Equal(t, []string{"open", "to open", "half-open", "to half-open", "closed", "to closed"}, order)
	})
}

func TestIsolate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callbacks := 0
		b := circuitbreaker.MustNew(circuitbreaker.Policy{OpenFor: time.Second, OnChange: func(circuitbreaker.Change) { callbacks++ }})
		late, err := b.Allow(t.Context())
		require.NoError(t, err)
		b.Isolate()
		late.Done(nil)
		time.Sleep(1000 * time.Hour)
		assert.Equal(t, circuitbreaker.Open, b.State())
		state, _ := b.Peek()
		assert.Equal(t, circuitbreaker.Open, state)

		calls := 0
		call := circuitbreaker.Wrap(b, func(context.Context, int) (int, error) { calls++; return 0, nil })
		_, err = retry.Wrap(retry.MustNew(retry.Policy{MaxDelay: math.MaxInt64}), call)(t.Context(), 1)
		var open *circuitbreaker.OpenError
		require.ErrorAs(t, err, &open)
		assert.Equal(t, time.Duration(math.MaxInt64), open.RetryAfter, "never: a retrier gives up")
		assert.Zero(t, calls)
		b.Reset()
		require.NoError(t, b.Do(t.Context(), returns(nil)))
		assert.Zero(t, callbacks)
	})
}

// While half-open, a share of the probes may fail.
func TestProbeFailureRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, SuccessThreshold: 10, ProbeFailureRate: 0.5, OpenFor: time.Second})
		probe := func(failures, successes int) {
			fail(t, b, failures)
			for range successes {
				require.NoError(t, b.Do(t.Context(), returns(nil)))
			}
		}
		fail(t, b, 1)
		time.Sleep(time.Second)
		probe(4, 9)
		require.Equal(t, circuitbreaker.Counts{Failures: 5, Successes: 9, OpenedAt: b.Counts().OpenedAt}, b.Counts())
		fail(t, b, 1)
		require.Equal(t, circuitbreaker.Open, b.State(), "half of them")
		time.Sleep(time.Second)
		probe(4, 10)
		require.Equal(t, circuitbreaker.Closed, b.State())
		require.Zero(t, b.Counts())
	})
}

// What fails under a breaker that is bypassed is let through, and not counted.
func TestBypass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callbacks := 0
		b := circuitbreaker.MustNew(circuitbreaker.Policy{
			FailureThreshold: 1, FailureRate: 0.1, MinimumCalls: 1, WhenOpen: circuitbreaker.Wait,
			OnChange: func(circuitbreaker.Change) { callbacks++ },
		})
		fail(t, b, 1)
		require.Equal(t, 1, callbacks)
		waited := make(chan error)
		go func() { waited <- b.Do(t.Context(), returns(nil)) }()
		synctest.Wait()
		b.Bypass()
		require.NoError(t, <-waited, "those who wait pass")
		fail(t, b, 20)
		require.Equal(t, circuitbreaker.Closed, b.State())
		require.Zero(t, b.Counts())
		require.Equal(t, 1, callbacks)
		b.Reset()
		fail(t, b, 1)
		require.Equal(t, circuitbreaker.Open, b.State())
		b.Bypass()
		b.Isolate()
		require.Equal(t, circuitbreaker.Open, b.State())
	})
}

// Those who wait for a breaker that is isolated wait until it is reset.
func TestIsolateAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{WhenOpen: circuitbreaker.Wait})
		b.Isolate()
		start := time.Now()
		time.AfterFunc(1000*time.Hour, b.Reset)
		require.NoError(t, b.Do(t.Context(), returns(nil)))
		assert.Equal(t, 1000*time.Hour, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		b.Isolate()
		require.ErrorIs(t, b.Do(ctx, returns(nil)), context.DeadlineExceeded)
		assert.Equal(t, 1000*time.Hour, time.Since(start), "in vain, so not begun")
	})
}

func TestIsNeutral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := errors.New("bad request")
		b := circuitbreaker.MustNew(circuitbreaker.Policy{
			FailureThreshold: 2, SuccessThreshold: 1, OpenFor: time.Second,
			IsNeutral: func(err error) bool { return errors.Is(err, other) },
			IsFailure: func(err error) bool { assert.NotErrorIs(t, err, other); return true },
		})
		fail(t, b, 1)
		for range 5 {
			require.ErrorIs(t, b.Do(t.Context(), returns(other)), other)
		}
		assert.Equal(t, 1, b.Counts().Failures, "neither more nor none")
		fail(t, b, 1)
		time.Sleep(time.Second)
		require.ErrorIs(t, b.Do(t.Context(), returns(other)), other)
		assert.Equal(t, circuitbreaker.HalfOpen, b.State())
		assert.Zero(t, b.Counts().Probes)

		panics := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, IsNeutral: func(error) bool { panic("dropped") }})
		fail(t, panics, 1)
		assert.Equal(t, circuitbreaker.Open, panics.State())
	})
}

// A callback that panics changes nothing, and is seen.
func TestPanicsOfCallbacks(t *testing.T) {
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		boom := func() { panic("boom") }
		b := circuitbreaker.MustNew(circuitbreaker.Policy{
			FailureThreshold: 1, SuccessThreshold: 1, OpenFor: time.Second,
			IsNeutral: func(error) bool { panic("boom") }, IsFailure: func(error) bool { panic("boom") },
			OnOpen: func(int, error) { panic("boom") }, OnHalfOpen: boom, OnClose: boom,
			OnChange: func(circuitbreaker.Change) { panic(nil) },
		})
		fail(t, b, 1)
		assert.EqualValues(t, 4, b.Panics())
		time.Sleep(time.Second)
		require.NoError(t, b.Do(t.Context(), returns(nil)))
		assert.Equal(t, circuitbreaker.Closed, b.State())
		assert.EqualValues(t, 8, b.Panics())
	})
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), "the first one only")
	assert.Contains(t, log.String(), "callback=circuitbreaker.Policy.IsNeutral panic=boom")
	assert.Contains(t, log.String(), "change_test.go", "where it was")
}
