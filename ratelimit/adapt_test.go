package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPeriodOfLooks(t *testing.T) {
	for perSecond, want := range map[float64]time.Duration{
		1: 4 * time.Second, 20: 200 * time.Millisecond, 40: 100 * time.Millisecond, 1000: 100 * time.Millisecond,
	} {
		require.Equal(t, want, period(perSecond), perSecond)
	}
}

// The bounds of an Adapt may be where it starts, and are a hundredth of that and MaxRate.
func TestBoundsOfAdapt(t *testing.T) {
	for _, c := range []struct{ given, want Adapt }{
		{Adapt{}, Adapt{Floor: 0.5, Ceiling: MaxRate, Decrease: 0.75}},
		{Adapt{Floor: 50, Ceiling: 50}, Adapt{Floor: 50, Ceiling: 50, Decrease: 0.75}},
		{Adapt{Floor: 2, Ceiling: 60, Increase: 0.5, Decrease: 0.5}, Adapt{Floor: 2, Ceiling: 60, Increase: 0.5, Decrease: 0.5}},
	} {
		got, err := c.given.validate(50)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	least, err := Adapt{}.validate(MinRate)
	require.NoError(t, err)
	require.EqualValues(t, MinRate, least.Floor)
}

// step is what an adapter is told after a time, and the rate then.
type step struct {
	after     time.Duration
	successes int // or a refusal, for 0
	want      float64
}

const ms = time.Millisecond

// seriesOfLooks are what limiters of 100 per second are told. Who has made half the calls that
// the rate allows since the latest look is pressed by it.
var seriesOfLooks = map[string]struct {
	increase float64
	steps    []step
}{
	"doubles every second": {0, []step{{0, 1, 100}, {50 * ms, 4, 100}, {50 * ms, 1, 107.2}, {50 * ms, 5, 107.2}, {50 * ms, 1, 114.9}}},
	"not pressed":          {0, []step{{0, 1, 100}, {50 * ms, 3, 100}, {50 * ms, 1, 100}, {50 * ms, 3, 100}, {50 * ms, 1, 100}}},
	"not pressed any more": {0, []step{{0, 1, 100}, {50 * ms, 4, 100}, {50 * ms, 1, 107.2}, {50 * ms, 4, 107.2}, {50 * ms, 1, 107.2}}},
	"not before its time":  {0, []step{{0, 1, 100}, {100*ms - 1, 50, 100}, {1, 1, 107.2}}},
	"two periods at most":  {0, []step{{0, 1, 100}, {50 * ms, 49, 100}, {950 * ms, 1, 114.9}}},
	"not pressed for long": {0, []step{{0, 1, 100}, {50 * ms, 48, 100}, {950 * ms, 1, 100}}},
	"a refusal":            {0, []step{{0, 0, 75}, {100*ms - 1, 50, 75}, {1, 1, 75.2}, {50 * ms, 50, 75.2}, {250 * ms, 1, 75.6}}},
	"two refusals":         {0, []step{{0, 0, 75}, {100*ms - 1, 0, 75}, {1, 0, 56.25}, {50 * ms, 4, 56.25}, {50 * ms, 1, 56.45}}},
	"after successes":      {0, []step{{0, 1, 100}, {50 * ms, 4, 100}, {0, 0, 75}, {50 * ms, 2, 75}, {50 * ms, 1, 75}}},
	"after growth":         {0, []step{{0, 1, 100}, {50 * ms, 4, 100}, {50 * ms, 1, 107.2}, {100 * ms, 0, 80.38}, {50 * ms, 15, 80.38}, {200 * ms, 1, 80.81}}},
	"an increase of 5":     {5, []step{{0, 0, 75}, {50 * ms, 4, 75}, {50 * ms, 1, 75.5}}},
}

// telling has a limiter be told of calls.
func telling(t *testing.T, l *Limiter, steps []step) {
	t.Helper()
	for i, s := range steps {
		time.Sleep(s.after)
		for range s.successes {
			l.Feedback(nil)
		}
		if s.successes == 0 {
			l.Feedback(errSlowDown)
		}
		require.InDelta(t, s.want, l.Rate(), 1e-6, "step %d", i)
	}
}

func TestLooksOfAdapt(t *testing.T) {
	for name, c := range seriesOfLooks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { telling(t, MustNew(adaptive(100, c.increase)), c.steps) })
		})
	}
}

// At a bound, it is from there that the rate changes.
func TestLooksAtABound(t *testing.T) {
	for bound, steps := range map[[2]float64][]step{
		{0, 110}: {{0, 1, 100}, {50 * ms, 9, 100}, {50 * ms, 1, 107.2}, {50 * ms, 9, 107.2}, {50 * ms, 1, 110}, {50 * ms, 9, 110}, {50 * ms, 1, 110}, {100 * ms, 0, 82.5}},
		{80, 0}:  {{0, 0, 80}, {50 * ms, 9, 80}, {50 * ms, 1, 80.2}, {time.Second, 0, 80}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := adaptive(100, 0)
			p.Adapt.Floor, p.Adapt.Ceiling = bound[0], bound[1]
			telling(t, MustNew(p), steps)
		})
	}
}

// A call that began at the instant of the latest decrease was at the rate after it.
func TestOneRefusalAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(adaptive(100, 0))
		require.NoError(t, l.SetBurst(2))
		time.Sleep(time.Second)
		for _, want := range []float64{75, 56.25} {
			require.ErrorIs(t, l.Do(t.Context(), call(errSlowDown)), errSlowDown)
			require.InDelta(t, want, l.Rate(), 1e-6)
		}
	})
}

// A rate that was set by hand is where it goes on from.
func TestAdaptAfterSetRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(adaptive(100, 0))
		l.Feedback(errSlowDown)
		require.NoError(t, l.SetRate(1000))
		time.Sleep(time.Second)
		l.Feedback(errSlowDown)
		require.InDelta(t, 750, l.Rate(), 1e-6)
	})
}
