package executor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// As long as nothing is watched, nothing is told, and no call has a time.
func TestNothingIsWatched(t *testing.T) {
	w := &watched{tally: new(tally)}
	w.enterAttempt(0, 1, 1)
	w.leaveAttempt(time.Second, 1, nil)
	w.dropAttempt()
	w.forget()
	require.Zero(t, w.tally.latency.Count())
	require.False(t, w.watching.Load())
}

// An attempt is in flight until it ends, is dropped, or its worker is forgotten. It has a time where it has ended, but
// not where it only says that the run has.
func TestAttemptsAreWatched(t *testing.T) {
	odd := errors.New("odd")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		run   context.Context
		end   func(w *watched)
		times int64
	}{
		"it succeeds":                  {t.Context(), func(w *watched) { w.leaveAttempt(time.Second, 1, nil) }, 1},
		"it succeeds, at last":         {over, func(w *watched) { w.leaveAttempt(time.Second, 1, nil) }, 1},
		"it fails":                     {t.Context(), func(w *watched) { w.leaveAttempt(time.Second, 1, odd) }, 1},
		"it fails, at last":            {over, func(w *watched) { w.leaveAttempt(time.Second, 1, odd) }, 1},
		"it is cut off":                {over, func(w *watched) { w.leaveAttempt(time.Second, 1, context.Canceled) }, 0},
		"it says so while the run is":  {t.Context(), func(w *watched) { w.leaveAttempt(time.Second, 1, context.Canceled) }, 1},
		"it was not made":              {t.Context(), func(w *watched) { w.leaveAttempt(time.Second, 1, withdrawn{}) }, 0},
		"it panics":                    {t.Context(), func(w *watched) { w.dropAttempt() }, 0},
		"its worker leaves":            {t.Context(), func(w *watched) { w.forget() }, 0},
		"its worker leaves, and again": {t.Context(), func(w *watched) { w.forget(); w.forget() }, 0},
	} {
		tracker, w := opened(), &watched{tally: new(tally)}
		w.watch(tracker, c.run)
		require.True(t, w.watching.Load(), name)
		w.enterAttempt(0, 1, 1)
		require.Equal(t, 1, tracker.InFlight(), name)
		c.end(w)
		require.Zero(t, tracker.InFlight(), name)
		require.Equal(t, c.times, w.tally.latency.Count(), name)
	}
}

// A worker that comes back is watched anew, by whoever decides then.
func TestWatchedAgain(t *testing.T) {
	first, second, w := opened(), opened(), &watched{}
	w.watch(first, t.Context())
	w.forget()
	require.Nil(t, w.tracker)
	require.False(t, w.watching.Load())
	w.watch(second, t.Context())
	w.enterAttempt(0, 1, 1)
	require.Zero(t, first.InFlight())
	require.Equal(t, 1, second.InFlight())
	w.forget()
	require.Zero(t, second.InFlight())
}
