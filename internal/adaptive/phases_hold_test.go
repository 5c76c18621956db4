package adaptive

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Too few items tell nothing: the limit stays.
func TestHoldUnused(t *testing.T) {
	a := steady(20, probing, 0)
	a.previous, a.level = 20, 15
	a.hold(time.Second, seen(20, 15.9, 0.05))
	require.Equal(t, holding, a.mode)
	require.Equal(t, 20, a.limit)
	require.InDelta(t, math.Log(200), a.rate, 1e-12)
	require.Equal(t, time.Second, a.window.since)
	a = steady(20, holding, 0)
	a.previous, a.level = 30, 25
	a.hold(0, seen(20, 15.9, 0.05))
	require.Equal(t, 25, a.limit)

	for name, change := range map[string]func(a *Controller){
		"held":                  func(a *Controller) { a.held = true },
		"a lower limit before":  func(a *Controller) { a.previous = 19 },
		"exactly what is asked": func(a *Controller) { a.previous, a.limit = 10, 20 },
	} {
		a = steady(20, holding, 0)
		a.previous = 20
		change(a)
		inFlight := 15.9
		if name == "exactly what is asked" {
			inFlight = 8
		}
		a.hold(0, seen(20, inFlight, 0.1))
		require.NotZero(t, a.usual.calls, name)
	}
}

// holdAt is a controller that holds at a level where calls take no longer than unloaded ones.
func holdAt(limit int, noise float64) *Controller {
	a := steady(limit, holding, noise)
	a.previous = limit
	return a
}

func TestHold(t *testing.T) {
	a := holdAt(20, 0)
	a.hold(time.Second, seen(30, 20, 0.101))
	rate := math.Log(200) + math.Log(1/1.01)
	require.InDelta(t, rate, a.rate, 1e-9)
	require.InDelta(t, 30, a.usual.calls, 0)
	require.InDelta(t, 1.5, a.rounds, 0)
	require.InDelta(t, 1, a.refine.windows, 0)
	require.Equal(t, holding, a.mode)
	require.InDelta(t, math.Exp(rate)*0.1*(1+headroom), a.level, 1e-9)
	require.Equal(t, 20, a.limit)
	require.InDelta(t, a.level-20, a.carry, 1e-6)

	a = holdAt(20, 0)
	a.base.reset(0, 0)
	a.hold(0, seen(30, 20, 0.1))
	require.Equal(t, 0.1, a.base.mean) //nolint:testifylint // it is set to it
	require.InDelta(t, 1, a.base.weight, 0)

	a = holdAt(20, 0)
	a.hold(0, seen(30, 20, 0.05)) // the throughput has doubled
	require.InDelta(t, 30, a.level, 1e-9, "it rises by half")
	a = holdAt(20, 0)
	a.level = 30
	a.hold(0, seen(30, 20, 0.05))
	require.InDelta(t, 40*(1+headroom), a.level, 1e-9)
	a = holdAt(20, 0)
	a.base.relearn(seen(30, 8, 0.12), 0)
	a.hold(0, seen(30, 20, 0.12))
	require.InDelta(t, 0.12, a.base.mean, 1e-9)
}

func TestHoldDips(t *testing.T) {
	for time, mode := range map[float64]mode{0.1 * 1.03 * math.Exp(0.49): holding, 0.1 * 1.03 * math.Exp(0.51): dipping} {
		a := holdAt(100, 0)
		a.hold(0, seen(30, 100, time))
		require.Equal(t, mode, a.mode)
	}
	doubt := math.Hypot(1/math.Sqrt(9), 0.1)
	room := 1 + headroom + noiseRoom
	for factor, mode := range map[float64]mode{2.95: holding, 3.05: dipping} {
		a := holdAt(100, 1)
		a.congested = true // the base without its error
		a.hold(0, seen(9, 100, 0.1*room*math.Exp(factor*doubt)))
		require.Equal(t, mode, a.mode, "by noise")
	}
}

// Unloaded calls are measured anew, ever more rarely, as long as they are not well known.
func TestHoldRefines(t *testing.T) {
	held := func(windows, times, noise float64) *Controller {
		a := holdAt(20, noise)
		a.refine.windows, a.refine.times = windows-1, times
		a.hold(0, seen(30, 20, 0.1))
		return a
	}
	a := held(9, 0, 0.4)
	require.Equal(t, refining, a.mode)
	require.Zero(t, a.refine.windows)
	require.InDelta(t, 1, a.refine.times, 0)
	require.Equal(t, 16, a.limit, "four fifths of what Little's law asks for")
	require.Equal(t, holding, held(8, 0, 0.4).mode)
	require.Equal(t, refining, held(25, 2, 0.4).mode)
	require.Equal(t, holding, held(24, 2, 0.4).mode)
	require.Equal(t, refining, held(201, 90, 0.4).mode)
	require.Equal(t, holding, held(200, 90, 0.4).mode)
	require.Equal(t, holding, held(9, 0, 0.29).mode, "well known")
	require.Equal(t, refining, held(9, 0, 0.31).mode)

	one := holdAt(1, 0.4)
	one.refine.windows, one.congested, one.saturated = 50, true, true
	one.hold(0, seen(30, 1, 0.1))
	require.Equal(t, holding, one.mode, "there is no fewer")
	low := holdAt(20, 0.4)
	low.refine.windows, low.level = 50, 1
	low.hold(0, seen(30, 20, 0.1))
	require.Equal(t, refining, low.mode)
	require.Equal(t, 16, low.limit)
	few := holdAt(20, 0.4) // no more than is bounded
	few.refine.windows, few.level = 50, 1
	few.hold(0, seen(30, 20, 0.05))
	require.Equal(t, 24, few.limit)
}

// Steps up are made after some rounds, by as much as can be told from noise.
func TestHoldProbes(t *testing.T) {
	held := func(change func(a *Controller)) *Controller {
		a := holdAt(20, 0)
		a.rounds = probeEvery - 1
		change(a)
		a.hold(0, seen(20, 20, 0.1))
		return a
	}
	a := held(func(*Controller) {})
	require.Equal(t, probing, a.mode)
	require.Zero(t, a.rounds)
	require.InDelta(t, 20*(1+headroom), a.level, 1e-9)
	require.Equal(t, 21, a.limit)
	require.InDelta(t, 20*(1+headroom)*1.05-21, a.carry, 1e-6)
	a = held(func(a *Controller) { a.noise, a.congested = 0.5, true })
	level := 20 * (1 + headroom + noiseRoom*0.5)
	require.Equal(t, int(level*(1+0.75*0.5/math.Sqrt(20))), a.limit)
	a = held(func(a *Controller) { a.rounds -= 0.01 })
	require.Equal(t, holding, a.mode)
	require.InDelta(t, probeEvery-0.01, a.rounds, 1e-9)
	a = held(func(a *Controller) { a.saturated = true })
	require.Equal(t, holding, a.mode)
	require.InDelta(t, 20, a.level, 0, "nor does it rise")
	a = held(func(a *Controller) { a.limit, a.held = 30, true })
	require.Equal(t, holding, a.mode, "it is not the limit that bounds")
	require.InDelta(t, 20*(1+headroom), a.level, 1e-9)
	a = held(func(a *Controller) { a.limit, a.held, a.level = 30, true, 30; a.base.mean = 0.2 })
	require.InDelta(t, 30, a.level, 0)

	small := holdAt(4, 0) // by one at the least
	small.rounds = probeEvery
	small.hold(0, seen(20, 4, 0.1))
	require.Equal(t, 5, small.limit)
}

func TestStride(t *testing.T) {
	a := steady(10, holding, 0.5)
	require.InDelta(t, 1.5*0.1, a.stride(seen(25, 10, 1)), 1e-12)
	a.congested = true
	require.InDelta(t, 0.75*0.1, a.stride(seen(25, 10, 1)), 1e-12)
	require.InDelta(t, 0.05, a.stride(seen(2500, 10, 1)), 0)
}

func TestFollowRate(t *testing.T) {
	follow := func(noise, change float64) float64 {
		a := steady(10, holding, noise)
		a.rate = 0
		a.followRate(seen(25, 10, 10*math.Exp(-change)))
		return a.rate
	}
	require.InDelta(t, 0.11, follow(0, 0.11), 1e-12, "a jump at once")
	require.InDelta(t, -0.11, follow(0, -0.11), 1e-12)
	require.InDelta(t, 0.09, follow(0, 0.09), 1e-12)
	require.InDelta(t, 0.09/(1+60*0.01), follow(0.5, 0.09), 1e-12, "what may be noise slowly")
	require.InDelta(t, 0.29/(1+60*0.01), follow(0.5, 0.29), 1e-12)
	require.InDelta(t, 0.31, follow(0.5, 0.31), 1e-12)
	a := steady(10, holding, 0.5)
	a.rate = 2
	a.followRate(seen(25, 10, 10*math.Exp(-2.1)))
	require.InDelta(t, 2+0.1/1.6, a.rate, 1e-12)
}

// Calls that take less are looked at twice.
func TestGotFaster(t *testing.T) {
	a := holdAt(20, 0)
	require.False(t, a.gotFaster(0, seen(20, 20, 0.0955)))
	require.True(t, a.gotFaster(time.Second, seen(20, 20, 0.0945)))
	require.True(t, a.suspect)
	require.True(t, a.window.fresh)
	require.Equal(t, time.Second, a.window.since)
	require.Equal(t, 20, a.limit)
	require.InDelta(t, 0.1, a.base.mean, 0)
	again := *a
	require.False(t, again.gotFaster(0, seen(20, 20, 0.1)))
	require.False(t, again.suspect, "chance was kind")
	again = *a
	require.False(t, again.gotFaster(0, seen(20, 20, 0.08)), "a little, which is known now")
	require.False(t, again.suspect)
	require.Equal(t, unloaded{mean: 0.08, weight: 20}, again.base)
	require.Empty(t, again.reason)
	require.True(t, a.gotFaster(0, seen(20, 20, 0.05)))
	require.False(t, a.suspect)
	require.Equal(t, unloaded{mean: 0.05, weight: 20}, a.base)
	require.Equal(t, "calls became faster", a.reason)
	require.InDelta(t, math.Log(20/0.05), a.rate, 1e-12)
	require.InDelta(t, 20*(1+headroom), a.level, 1e-9)

	low := holdAt(1, 0)
	low.level = 0.5
	low.mode = probing
	require.True(t, low.gotFaster(0, seen(20, 1, 0.05)))
	require.Equal(t, holding, low.mode)
	require.Equal(t, 1, low.limit)
	require.True(t, low.gotFaster(0, seen(20, 1, 0.05)))
	require.InDelta(t, math.Log(1/0.05), low.rate, 1e-12)

	doubt := 0.5 * math.Hypot(1/math.Sqrt(20), 0.1)
	noisy := holdAt(20, 0.5)
	require.False(t, noisy.gotFaster(0, seen(20, 20, 0.1*math.Exp(-2.95*doubt))))
	require.True(t, noisy.gotFaster(0, seen(20, 20, 0.1*math.Exp(-3.05*doubt))))
}

func TestAnew(t *testing.T) {
	a := steady(20, probing, 0)
	a.usual.calls, a.odds, a.refine.times, a.refine.windows, a.pause, a.rounds = 5, 1, 3, 1, 9, 0
	a.anew(30)
	require.InDelta(t, math.Log(300), a.rate, 1e-12)
	require.Equal(t, holding, a.mode)
	require.Zero(t, a.usual.calls)
	require.Zero(t, a.odds)
	require.Zero(t, a.refine.times)
	require.InDelta(t, refineAfter, a.refine.windows, 0)
	require.InDelta(t, probeEvery, a.pause, 0)
	require.InDelta(t, probeEvery, a.rounds, 0)
}

func TestRemember(t *testing.T) {
	a := steady(20, holding, 0)
	a.remember(seen(10, 20, 0.1))
	require.InDelta(t, 10, a.usual.calls, 0)
	require.InDelta(t, math.Log(20), a.usual.inFlight, 1e-12)
	require.InDelta(t, math.Log(0.1), a.usual.time, 1e-12)
	a.remember(seen(13, 20*math.Exp(0.19), 0.1*math.Exp(0.4)))
	require.InDelta(t, 20, a.usual.calls, 1e-12)
	require.InDelta(t, math.Log(20)+0.19*0.65, a.usual.inFlight, 1e-12)
	require.InDelta(t, math.Log(0.1)+0.4*0.65, a.usual.time, 1e-12)
	a.remember(seen(5, math.Exp(a.usual.inFlight-0.21), 0.3))
	require.InDelta(t, 5, a.usual.calls, 0, "another level")
	require.InDelta(t, math.Log(0.3), a.usual.time, 1e-12)
}
