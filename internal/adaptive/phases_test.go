package adaptive

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// young is a controller at limit that has done nothing but grow.
func young(limit int) *Controller {
	a := steady(limit, growing, 0)
	a.cold, a.level, a.rate = true, 0, 0
	return a
}

// Without a line the limit is multiplied, and what calls take is merged.
func TestGrow(t *testing.T) {
	a := young(16)
	a.base.reset(0, 0)
	a.grow(time.Second, seen(10, 16, 0.1))
	require.Equal(t, 40, a.limit)
	require.Equal(t, unloaded{mean: 0.1, weight: 10}, a.base)
	require.InDelta(t, 16, a.level, 0)
	require.Equal(t, seen(10, 16, 0.1), a.before)
	require.Equal(t, "throughput rose with the limit", a.reason)
	require.InDelta(t, FirstGrowth, a.growth, 0)
	require.Equal(t, time.Second, a.window.since)

	a = young(16)
	a.saturated = true
	a.grow(0, seen(10, 14, 0.1))
	require.Equal(t, 16, a.limit, "no core is idle")
	require.InDelta(t, 16, a.level, 0)
	require.Empty(t, a.reason)
	a = young(16)
	a.grow(0, seen(10, 11.5, 0.1))
	require.Equal(t, 11, a.limit, "too few items")
	require.InDelta(t, 11.5, a.level, 0)
	require.Empty(t, a.reason)

	for time, growth := range map[float64]float64{0.11: FirstGrowth, 0.112: laterGrowth} { // a tenth longer
		a = young(16)
		a.grow(0, seen(1, 16, time))
		require.InDelta(t, growth, a.growth, 0)
		require.Equal(t, int(16*growth), a.limit)
	}
}

// What of the base a round of growth changes.
func TestGrowBase(t *testing.T) {
	a := young(16)
	a.grow(0, seen(10, 16, 0.09))
	require.InDelta(t, 0.09, a.base.mean, 1e-12, "the first ones were slow")
	require.InDelta(t, 20, a.base.weight, 0)
	a = young(16)
	a.noise = 0.5 // within three errors
	a.grow(0, seen(10, 16, 0.09))
	require.InDelta(t, (0.1*100+0.09*10)/110, a.base.mean, 1e-12)
	a = young(16)
	a.noise = 0.5
	a.grow(0, seen(10, 16, 0.1*math.Exp(-3.05*0.5*math.Hypot(1/math.Sqrt(10), 0.1))))
	require.InDelta(t, 20, a.base.weight, 0)
	for weight, merged := range map[float64]float64{9: 19, 10: 10} {
		a = steady(16, growing, 0)
		a.level, a.base.weight = 0, weight
		a.grow(0, seen(10, 16, 0.1))
		require.InDelta(t, merged, a.base.weight, 0, "later, only while little is known")
	}
	a = steady(16, growing, 0)
	a.grow(0, seen(10, 16, 0.08))
	require.True(t, a.suspect, "a service that got faster is looked at first")
	require.Equal(t, holding, a.mode)
	a = steady(16, growing, 0)
	a.level = 0.5
	a.grow(0, seen(10, 16, 0.08))
	require.True(t, a.suspect)
	a = steady(16, growing, 0)
	a.level = 0
	a.grow(0, seen(10, 16, 0.08))
	require.False(t, a.suspect)
	a = young(16)
	a.level = 5
	a.grow(0, seen(10, 16, 0.08))
	require.False(t, a.suspect)
}

func TestLineFormed(t *testing.T) {
	formed := func(a *Controller, m measurement, longer, doubt float64) bool {
		ok := a.lineFormed(m, longer, doubt)
		require.Equal(t, m, a.before)
		return ok
	}
	require.False(t, formed(young(16), seen(10, 16, 0.1), slack+0.09, 0.1))
	require.True(t, formed(young(16), seen(10, 16, 0.1), slack+0.11, 0.1))
	require.True(t, formed(young(16), seen(10, 16, 0.1), slack, 0))

	grown := func(inFlight, time float64) *Controller {
		a := young(32)
		a.before = seen(10, inFlight, time)
		return a
	}
	require.True(t, formed(grown(16, 0.1), seen(10, 32, 0.1*math.Pow(2, 0.61)), 0, 0))
	require.False(t, formed(grown(16, 0.1), seen(10, 32, 0.1*math.Pow(2, 0.59)), 0, 0))
	require.True(t, formed(grown(16, 0.1), seen(10, 19.3, 0.2), 0, 0))
	require.False(t, formed(grown(16, 0.1), seen(10, 16*1.2, 0.2), 0, 0), "hardly more")
	a := grown(16, 0.1)
	a.before.calls = 0
	require.False(t, formed(a, seen(10, 32, 0.2), 0, 0), "nothing to compare with")
	a = grown(1, 1)
	a.before.calls = 0.5
	require.True(t, formed(a, seen(10, math.E, math.Exp(0.61)), 0, 0))

	// From a level on, half of the step is what may be tolerated.
	later := steady(16, growing, 0)
	require.True(t, formed(later, seen(10, 16*math.Exp(0.2), 0.1), 0.101, 0))
	require.False(t, formed(steady(16, growing, 0), seen(10, 16*math.Exp(0.2), 0.1), 0.099, 0))
	require.False(t, formed(steady(16, growing, 0), seen(10, 16*math.Exp(2), 0.1), slack-0.01, 0))
	require.True(t, formed(steady(16, growing, 0), seen(10, 16*math.Exp(2), 0.1), slack, 0))
	require.False(t, formed(steady(16, growing, 0), seen(10, 15, 0.1), slack-0.01, 0), "no step")
	require.False(t, formed(steady(16, growing, 0), seen(10, 16, 0.1), 0.01, 0), "none at all")
	cold := steady(16, growing, 0)
	cold.cold = true
	require.False(t, formed(cold, seen(10, 16*math.Exp(0.2), 0.1), 0.15, 0))
}

// A line ends growth, with the doubt about a base of which nothing is known being that
// of the window.
func TestGrowEnds(t *testing.T) {
	a := young(32)
	a.grow(time.Second, seen(40, 32, 0.2))
	require.Equal(t, holding, a.mode)
	require.False(t, a.cold)
	require.InDelta(t, math.Log(160), a.rate, 1e-9)
	require.Equal(t, "latency rose with the limit: calls queue", a.reason)
	require.InDelta(t, 16*(1+headroom), a.level, 1e-9)
	require.Equal(t, 16, a.limit)
	require.InDelta(t, 100, a.base.weight, 0, "which is not of the base")

	for weight, line := range map[float64]bool{0: true, 1: false} {
		a = young(32)
		a.noise = 0.5
		a.base.reset(0.1, weight)
		a.grow(0, seen(25, 32, 0.1*math.Exp(0.31)))
		require.Equal(t, line, a.mode != growing, "weight %v", weight)
	}
}

func TestLeaveGrowth(t *testing.T) {
	left := func(change func(a *Controller)) *Controller {
		a := steady(32, growing, 0)
		a.cold, a.before.calls, a.rounds, a.refine.times, a.refine.windows = true, 7, 7, 7, 7
		a.level = 0
		change(a)
		a.leaveGrowth(time.Second, seen(40, 32, 0.2), 0.01)
		require.False(t, a.cold)
		require.Zero(t, a.rounds)
		require.Zero(t, a.refine.times)
		require.InDelta(t, refineAfter-3, a.refine.windows, 0)
		return a
	}
	a := left(func(*Controller) {})
	require.Zero(t, a.before.calls)
	require.False(t, a.congested)
	a = left(func(a *Controller) { a.level = 20 }) // 200 a second, and 160 now
	require.True(t, a.congested)
	require.InDelta(t, math.Log(200), a.rate, 1e-9)
	for level, congested := range map[float64]bool{17.5: false, 17.8: true, 25.5: true, 25.7: false, 0.5: false} {
		a = left(func(a *Controller) { a.level = level })
		require.Equal(t, congested, a.congested, "level %v", level)
		require.Equal(t, congested, a.rate > math.Log(161), "level %v", level)
	}
	a = steady(32, growing, 0)
	a.level = 20
	a.leaveGrowth(0, seen(40, 32, 0.2), 0.12) // 0.22 less: within twice the doubt
	require.False(t, a.congested)
	a = steady(32, growing, 0)
	a.level = 20
	a.leaveGrowth(0, seen(40, 32, 0.2), 0.11)
	require.True(t, a.congested)

	a = left(func(a *Controller) { a.base.weight = 4 }) // what it takes unloaded is hardly known
	require.Equal(t, dipping, a.mode)
	require.Equal(t, 16, a.limit)
	require.InDelta(t, 40, a.before.calls, 0)
	a = left(func(a *Controller) { a.base.weight = 4.5 })
	require.Equal(t, holding, a.mode)
}

func TestLawful(t *testing.T) {
	a := steady(10, holding, 0.4)
	a.rate = math.Log(200)
	room := 1 + headroom + noiseRoom*0.4
	require.InDelta(t, 20*1.04*room, a.lawful(), 1e-9, "as long as it may well be")
	a.congested = true
	require.InDelta(t, 20*room, a.lawful(), 1e-9)
	a.congested, a.base.weight, a.noise = false, 1, 0.8
	require.InDelta(t, 20*1.5*(1+headroom+noiseRoom*0.8), a.lawful(), 1e-9)
	a.settle(time.Second)
	require.InDelta(t, a.lawful(), a.level, 1e-9)
	require.Equal(t, int(a.level), a.limit)
}

func TestPoliced(t *testing.T) {
	a := steady(100, probing, 0.5)
	a.policed(time.Second, seen(20, 9, 0.12))
	require.Equal(t, holding, a.mode)
	require.InDelta(t, (0.1*100+0.12*20)/120, a.base.mean, 1e-12)
	require.InDelta(t, math.Log(9/0.12), a.rate, 1e-12)
	require.InDelta(t, 19, a.level, 1e-12, "three standard deviations")
	require.InDelta(t, 19, a.losses.metered, 1e-12)
	require.Equal(t, 19, a.limit)
	a = steady(12, growing, 0)
	a.policed(0, seen(20, 9, 0.12))
	require.Equal(t, growing, a.mode)
	require.Equal(t, 12, a.limit, "no more than before")
	require.InDelta(t, 0.1, a.base.mean, 0, "another time than an unloaded call's")

	doubt := 0.5 * math.Hypot(1/math.Sqrt(20), 1/math.Sqrt(100))
	for factor, weight := range map[float64]float64{2.95: 120, 3.05: 100} {
		a = steady(100, holding, 0.5)
		a.policed(0, seen(20, 9, 0.1*math.Exp(factor*doubt)))
		require.InDelta(t, weight, a.base.weight, 0)
	}
	for before, weight := range map[float64]float64{19: 39, 20: 20} { // little is known
		a = steady(100, holding, 0)
		a.base.weight = before
		a.policed(0, seen(20, 9, 0.12))
		require.InDelta(t, weight, a.base.weight, 0)
	}
	require.InDelta(t, 41, roomFor(25), 0)
}

// After an outage one call at a time has asked whether it is over. Two calls that end and
// begin together are two, though one of them sees itself alone: the limit goes on growing.
func TestGrowsFromOneInLockstep(t *testing.T) {
	a := newAdaptive(1, 1, 100, 0)
	a.cold, a.mode, a.growth = false, growing, laterGrowth
	a.base.reset(0.02, 100)
	for now, round := time.Duration(0), 0; round < 60; round++ {
		var open []Attempt
		for len(open) < a.limit {
			open = append(open, a.begin(now, len(open)+1))
		}
		now += 20 * time.Millisecond
		for len(open) > 0 {
			if c := open[0]; a.Done(now, c) {
				a.Review(now, open[1:])
			}
			open = open[1:]
		}
	}
	require.Greater(t, a.limit, 50)
}
