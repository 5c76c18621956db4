package circuitbreaker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// Instants beyond what a duration can hold are never, and those just before are not.
func TestNever(t *testing.T) {
	for _, c := range []struct{ now, d, at time.Duration }{
		{5, 3, 8}, {0, 3, 3}, {-5, 3, -2},
		{5, never, never}, {0, never, never}, {-5, never, never},
		{5, never - 4, never}, {5, never - 5, never}, {5, never - 6, never - 1},
		{1, never - 1, never}, {1, never - 2, never - 1}, {0, never - 1, never - 1}, {-5, never - 1, never - 6},
	} {
		require.Equal(t, c.at, after(c.now, c.d), c)
	}
	require.Equal(t, time.Duration(3), until(5, 8))
	require.Equal(t, time.Duration(8), until(-5, 3))
	require.Equal(t, never, until(5, never))
}

// While it is half-open, a refusal names a tenth of OpenFor, the end of the first probe,
// or a nanosecond, for it is not 0.
func TestRefusalOfHalfOpen(t *testing.T) {
	for _, c := range []struct{ openFor, probe, want time.Duration }{
		{time.Minute, time.Minute, 6 * time.Second},
		{time.Minute, time.Second, time.Second},
		{9, time.Minute, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := MustNew(Policy{FailureThreshold: 1, OpenFor: c.openFor, ProbeTimeout: c.probe, HalfOpenProbes: 2})
			require.Error(t, b.Do(t.Context(), failing))
			time.Sleep(c.openFor)
			for range 2 {
				_, err := b.Allow(t.Context())
				require.NoError(t, err)
			}
			_, err := b.Allow(t.Context())
			var open *OpenError
			require.ErrorAs(t, err, &open)
			require.Equal(t, c.want, open.RetryAfter)
		})
	}
}

// Probes, and how many of them succeeded, are of the time that the breaker is half-open.
func TestProbesOfAnotherTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureThreshold: 1, SuccessThreshold: 3, OpenFor: time.Second, ProbeTimeout: time.Hour, HalfOpenProbes: 2})
		trip := func() {
			require.Error(t, b.Do(t.Context(), failing))
			require.Zero(t, b.Counts().Successes)
			require.Zero(t, b.Counts().Probes)
			time.Sleep(time.Second)
			_, err := b.Allow(t.Context()) // never done
			require.NoError(t, err)
			require.NoError(t, b.Do(t.Context(), working))
			require.Equal(t, 1, b.Counts().Successes)
			require.Equal(t, 1, b.Counts().Probes)
		}
		trip()
		trip()
		b.Isolate()
		require.Zero(t, b.Counts().Successes)
		require.Zero(t, b.Counts().Probes)
		b.Reset()
		trip()
		b.Reset()
		require.Zero(t, b.Counts())
	})
}

// What a success needs no lock for: it is none of a probe, ends no row of failures, is not
// slow, and is not the first of its part of a window.
func TestSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{FailureRate: 0.5, SlowCall: time.Second, SlowCallRate: 0.5, MinimumCalls: 3})
		term := b.term.Load()
		now := clock.Now()
		require.True(t, b.succeeded(&pass{term: term}))
		require.False(t, b.succeeded(&pass{term: term, probe: &probe{}}))
		require.True(t, b.succeeded(&pass{term: term, timed: true, begun: now - time.Second + 1}))
		require.False(t, b.succeeded(&pass{term: term, timed: true, begun: now - time.Second}))
		require.Equal(t, 2, b.Counts().WindowCalls)
		time.Sleep(b.p.Window / windowSteps)
		require.False(t, b.succeeded(&pass{term: term}), "of another part")

		b.Reset()
		require.NoError(t, b.Do(t.Context(), working))
		term = b.term.Load()
		require.True(t, b.succeeded(&pass{term: term}))
		require.Error(t, b.Do(t.Context(), failing))
		require.False(t, term.window.watched.Load(), "there are enough")
		require.False(t, b.succeeded(&pass{term: term}), "ends a row of failures")
		require.NoError(t, b.Do(t.Context(), working))
		require.Zero(t, b.Counts().Failures)
		require.True(t, b.succeeded(&pass{term: term}))
	})
	for _, p := range []Policy{{}, {FailureRate: 0.5}} { // no call is slow
		b := MustNew(p)
		require.NoError(t, b.Do(t.Context(), working))
		for _, timed := range []bool{false, true} {
			require.True(t, b.succeeded(&pass{term: b.term.Load(), timed: timed, begun: clock.Now() - time.Hour}), "%+v", p)
		}
	}
}

// A window is watched while there are too few calls, and one of them failed or was slow.
func TestWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) error { time.Sleep(time.Second); return nil }
		for _, c := range []struct {
			name  string
			calls []func(context.Context) error
			want  bool
		}{
			{"a success", []func(context.Context) error{working}, false},
			{"a failure", []func(context.Context) error{failing}, true},
			{"a slow call", []func(context.Context) error{slow}, true},
			{"one of two", []func(context.Context) error{working, failing}, true},
			{"enough", []func(context.Context) error{working, working, failing}, false},
		} {
			b := MustNew(Policy{FailureRate: 0.9, SlowCall: time.Second, SlowCallRate: 0.9, MinimumCalls: 3})
			for _, call := range c.calls {
				_ = b.Do(t.Context(), call)
			}
			require.Equal(t, c.want, b.term.Load().window.watched.Load(), c.name)
		}
	})
}
