package flight

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/adaptive"
)

// A review asks the law, and says what bounds the calls.
func TestTrackerReview(t *testing.T) {
	state := adaptive.State{Baseline: 100 * time.Millisecond, Latency: 120 * time.Millisecond, Rate: 200, Settled: true}
	reviewed := func(saturated, held bool, change func(*Tracker, *spy)) (*Tracker, *spy, Verdict) {
		g, s := spied(20, runOf(0, 100))
		s.state, s.ready, s.reason = state, true, "it pays"
		g.inFlight.Store(7)
		g.due.Store(true)
		if change != nil {
			change(g, s)
		}
		return g, s, g.Review(time.Second, adaptive.Conditions{Saturated: saturated, Batches: 9, Held: held})
	}
	g, s, v := reviewed(false, false, func(g *Tracker, s *spy) {
		var w Attempt
		g.Watch(&w)
		g.Enter(&w, 1, 3, 2)
		s.limit, s.epoch = 25, 1
	})
	require.Equal(t, Verdict{
		Limit: 25, InFlight: 8, Latency: state.Latency, Rate: 200, Base: state.Baseline, Settled: true, Reason: "it pays",
	}, v)
	require.Equal(t, state.Baseline, g.Base())
	require.Len(t, s.open, 1)
	require.Equal(t, adaptive.Conditions{Batches: 9}, s.conditions)
	require.EqualValues(t, state.Baseline, g.base.Load())
	require.Equal(t, []int64{25, 1}, []int64{g.limit.Load(), g.epoch.Load()})
	require.False(t, g.due.Load())
	require.Equal(t, []int{1, 0}, []int{s.reviews, s.silences})

	for name, change := range map[string]func(*Tracker, *spy){
		"not due":    func(g *Tracker, _ *spy) { g.due.Store(false) },
		"not enough": func(_ *Tracker, s *spy) { s.ready = false },
	} {
		_, s, v = reviewed(false, false, change)
		require.Zero(t, v.Rate, name)
		require.Equal(t, []int{0, 1}, []int{s.reviews, s.silences}, name)
		require.Equal(t, 20, v.Limit, name)
	}
	_, _, v = reviewed(false, false, func(_ *Tracker, s *spy) { s.state.Settled = false })
	require.False(t, v.Settled)
	require.False(t, v.AtCeiling)
	_, _, v = reviewed(false, false, func(_ *Tracker, s *spy) { s.ceiling = 20 })
	require.True(t, v.AtCeiling)
	_, s, v = reviewed(true, true, func(_ *Tracker, s *spy) { s.ceiling = 20 })
	require.Equal(t, adaptive.Conditions{Saturated: true, Held: true, Batches: 9}, s.conditions)
	_, s, _ = reviewed(false, false, func(g *Tracker, _ *spy) { g.Turns.taken = 21 })
	require.True(t, s.conditions.Saturated, "there are more than the limit")
}
