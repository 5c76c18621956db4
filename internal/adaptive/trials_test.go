package adaptive

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// steady is a controller at limit, of calls that take a tenth of a second unloaded, as is
// known from a hundred of them, and vary by noise.
func steady(limit int, mode mode, noise float64) *Controller {
	a := newAdaptive(limit, 1, 1000, 0)
	a.mode, a.cold, a.noise, a.level = mode, false, noise, float64(limit)
	a.base.reset(0.1, 100)
	a.rate = math.Log(float64(limit) / 0.1)
	return a
}

// seen is what a window of so many calls shows.
func seen(calls, inFlight, time float64) measurement {
	return measurement{calls: calls, time: time, inFlight: inFlight, mean: time, begun: inFlight, rate: inFlight / time}
}

// tried is a controller that has taken a step up from ten calls in flight.
func tried(noise float64) *Controller {
	a := steady(12, probing, noise)
	a.usual = measurement{calls: 40, inFlight: math.Log(10), time: math.Log(0.1)}
	return a
}

// A step up that costs no time speaks for calls that don't wait for each other, one that
// costs as much for calls that do.
func TestProbedOdds(t *testing.T) {
	step := math.Log(1.2)
	for _, c := range []struct {
		name        string
		noise, time float64
		variance    float64
	}{
		{"no noise", 0, 0.101, 0.02 * 0.02},
		{"noise", 0.5, 0.11, 0.25 * (1.0/20 + 1.0/40)},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := tried(c.noise)
			a.odds, a.worse = -1, -1
			a.probed(time.Second, seen(20, 12, c.time))
			longer := math.Log(c.time / 0.1)
			require.InDelta(t, max(-3, min(-0.8+step*(longer-1.35*step)/c.variance, 3)), a.worse, 1e-9)
			if odds := -0.7 + step*(step/2-longer)/c.variance; odds <= 1 {
				require.InDelta(t, max(-2, odds), a.odds, 1e-9)
				require.InDelta(t, 1, a.refine.windows, 0, "a window like any other")
				require.Equal(t, holding, a.mode)
				return
			}
			require.Zero(t, a.odds)
			require.Equal(t, growing, a.mode)
			require.InDelta(t, laterGrowth, a.growth, 0)
			require.InDelta(t, 12, a.level, 0)
			require.Equal(t, 21, a.limit)
			require.Equal(t, seen(20, 12, c.time), a.before)
			require.Equal(t, "a probe with more calls saw no added latency", a.reason)
		})
	}
}

// The odds have bounds, so that a service which changes is not doubted for long.
func TestProbedOddsAreBounded(t *testing.T) {
	a := tried(0)
	a.probed(0, seen(20, 12, 0.2))
	require.InDelta(t, -2, a.odds, 0)
	require.InDelta(t, 3, a.worse, 0)
	require.True(t, a.congested)
	a = tried(0)
	a.probed(0, seen(20, 12, 0.1))
	require.InDelta(t, -3, a.worse, 0)
	require.False(t, a.congested)
	few := tried(1)
	few.usual.calls = 0
	few.probed(0, seen(20, 12, 0.1))
	step := math.Log(1.2)
	require.InDelta(t, step*step/2/(1.0/20+1), few.odds, 1e-9, "what nothing is known of counts as one call")
}

// Steps that tell nothing: too small, not used, or of calls that got faster.
func TestProbedNothing(t *testing.T) {
	for name, m := range map[string]measurement{
		"too small":     seen(20, 10*math.Exp(0.019), 0.1),
		"not used":      seen(20, 9.6, 0.1),
		"faster":        seen(20, 12, 0.1*math.Exp(-0.11)),
		"within bounds": seen(20, 12, 0.1*math.Exp(-0.09)),
		"large enough":  seen(20, 10*math.Exp(0.021), 0.1),
	} {
		a := tried(0)
		if name == "not used" {
			a.usual.inFlight = math.Log(9)
		}
		a.odds = 0.5
		a.probed(0, m)
		if name == "within bounds" || name == "large enough" {
			require.NotEqual(t, 0.5, a.odds, name)
		} else {
			require.InDelta(t, 0.5, a.odds, 0, name)
		}
	}
	noisy := tried(0.5)
	spread := 3 * 0.5 * math.Sqrt(1.0/20+1.0/40)
	noisy.odds = 0.5
	noisy.probed(0, seen(20, 12, 0.1*math.Exp(-spread*1.01)))
	require.InDelta(t, 0.5, noisy.odds, 0, "faster, beyond noise")
	noisy = tried(0.5)
	noisy.probed(0, seen(20, 12, 0.1*math.Exp(-spread*0.99)))
	require.NotZero(t, noisy.worse)
}

// Congestion is found, and given up, by the odds for it, and makes steps rarer.
func TestProbedCongestion(t *testing.T) {
	after := func(worse float64, before bool) *Controller {
		a := tried(1)
		a.usual.calls = 20
		a.worse, a.congested = worse/0.8, before
		a.probed(0, seen(20, 12, 0.1*math.Pow(1.2, 1.35))) // which adds nothing
		require.InDelta(t, worse, a.worse, 1e-9)
		return a
	}
	require.True(t, after(1.6, false).congested)
	require.False(t, after(1.4, false).congested)
	require.True(t, after(-1.4, true).congested)
	require.False(t, after(-1.6, true).congested)
	require.InDelta(t, probeEvery, after(1.4, false).pause, 0)
	require.InDelta(t, probeRarely, after(1.6, false).pause, 0)
	a := tried(1)
	a.congested, a.serial.pause = true, 64
	a.probed(0, seen(20, 12, 0.1))
	require.InDelta(t, 64, a.pause, 0)
}

// Where a few more calls are not kept waiting, the time at the level was the calls' own.
func TestProbedBase(t *testing.T) {
	a := tried(0)
	a.usual.time = math.Log(0.12)
	a.probed(0, seen(20, 12, 0.12))
	require.Equal(t, growing, a.mode)
	require.InDelta(t, 0.12, a.base.mean, 1e-12)
	require.InDelta(t, 40, a.base.weight, 0)
	a = tried(0)
	a.usual.time = math.Log(0.09)
	a.probed(0, seen(20, 12, 0.09))
	require.InDelta(t, 0.1, a.base.mean, 0, "never less")
	require.InDelta(t, 100, a.base.weight, 0)
	a = tried(0)
	a.base.mean = math.Exp(a.usual.time)
	a.probed(0, seen(20, 12, 0.1))
	require.InDelta(t, 100, a.base.weight, 0, "nor for the same")
}

func TestRefined(t *testing.T) {
	a := steady(10, refining, 0)
	a.refined(time.Second, seen(20, 8, 0.097))
	require.Equal(t, holding, a.mode)
	require.InDelta(t, (0.1*100+0.097*20)/120, a.base.mean, 1e-12)
	require.InDelta(t, math.Exp(a.rate)*a.base.mean*(1+headroom), a.level, 1e-9)
	require.Equal(t, time.Second, a.window.since)

	a = steady(10, refining, 0) // there was a line to leave
	a.refined(0, seen(20, 8, 0.09))
	require.Equal(t, refining, a.mode)
	require.InDelta(t, 0.09, a.base.mean, 0)
	require.InDelta(t, 20, a.base.weight, 0)
	require.Equal(t, 5, a.limit)
	require.InDelta(t, 0.6, a.carry, 1e-9)
	require.Empty(t, a.reason)

	a = steady(10, refining, 0)
	a.refined(0, seen(20, 8, 0.06))
	require.Equal(t, holding, a.mode)
	require.Equal(t, "calls became faster", a.reason)
	require.InDelta(t, math.Log(10/0.06), a.rate, 1e-9, "as many as before")
	require.Equal(t, 10, a.limit)
	require.InDelta(t, 10*(1+headroom), a.level, 1e-9)

	a = steady(2, refining, 0)
	a.refined(0, seen(20, 1.5, 0.09))
	require.Equal(t, holding, a.mode, "there is no fewer")
	require.InDelta(t, 120, a.base.weight, 0)
	a = steady(10, refining, 0.5) // within three errors
	doubt := 0.5 * math.Hypot(1/math.Sqrt(20), 1/math.Sqrt(100))
	a.refined(0, seen(20, 8, 0.1*math.Exp(-2.95*doubt)))
	require.InDelta(t, 120, a.base.weight, 0)
	a = steady(10, refining, 0.5)
	a.refined(0, seen(20, 8, 0.1*math.Exp(-3.05*doubt)))
	require.InDelta(t, 20, a.base.weight, 0)
	a = steady(10, refining, 0)
	a.base.relearn(seen(10, 4, 0.12), 0)
	a.refined(0, seen(20, 8, 0.12))
	require.InDelta(t, 0.12, a.base.mean, 1e-9, "the windows are kept in mind")
}

func TestDip(t *testing.T) {
	a := steady(40, holding, 0)
	m := seen(20, 40, 0.2)
	a.dip(time.Second, m)
	require.Equal(t, dipping, a.mode)
	require.Equal(t, m, a.before)
	require.Equal(t, 20, a.limit)
	a = steady(40, holding, 0)
	a.dip(0, seen(20, 40, 1))
	require.Equal(t, 10, a.limit, "a quarter, where it is known what a call takes")
	a = steady(40, holding, 0)
	a.base.weight = 4.5
	a.dip(0, seen(20, 40, 1))
	require.Equal(t, 10, a.limit)
	a = steady(40, holding, 0)
	a.base.weight = 4
	a.dip(0, seen(20, 40, 1))
	require.Equal(t, 4, a.limit)
}

// dipped is a controller that has left forty calls in flight of 0.2 s.
func dipped() *Controller {
	a := steady(20, dipping, 0)
	a.before, a.level = seen(20, 40, 0.2), 40
	a.rate, a.refine.times, a.refine.windows = 0, 3, 3
	return a
}

func TestDipped(t *testing.T) {
	held := math.Log(40 / 0.2)
	for _, c := range []struct {
		name   string
		m      measurement
		weight float64 // of the base before
		level  float64 // before
		rate   float64
		mode   mode
		limit  int
		reason string
		base   float64
	}{
		{"down to one", seen(20, 1.4, 0.1), 100, 40, held, holding, 20, "", 0.1},
		{"down to one, which achieves more", seen(20, 1.4, 0.001), 100, 40, math.Log(1400), holding, 144, "", 0.1},
		{"the floor is in the way", seen(20, 37, 0.15), 100, 40, math.Log(37 / 0.15), holding, 38, "", 0.15},
		{"less room", seen(20, 20, 0.12), 100, 40, held, holding, 20, "the service's capacity fell", 0.1},
		{"less room, and more than that", seen(20, 20, 0.08), 100, 40, math.Log(250), holding, 25, "the service's capacity fell", 0.1},
		{"slower", seen(20, 20, 0.2), 100, 40, held, holding, 41, "calls became slower at every limit", 0.2},
		{"slower, of an unknown base", seen(20, 20, 0.15), 4, 40, math.Log(40 / 0.15), holding, 41, "calls became slower at every limit", 0.15},
		{"slower, at less than one", seen(20, 20, 0.2), 100, 0.5, math.Log(0.5 / 0.2), holding, 1, "calls became slower at every limit", 0.2},
		{"slower, without a level", seen(20, 20, 0.2), 100, 0, held, growing, 40, "calls became slower at every limit", 0.2},
		{"still a line", seen(20, 20, 0.1), 4, 40, 0, dipping, 20, "", 0.1},
		{"still a line, of less than the base", seen(20, 20, 0.09), 4, 40, 0, dipping, 20, "", 0.09},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := dipped()
			a.base.weight, a.level = c.weight, c.level
			a.dipped(time.Second, c.m)
			require.Equal(t, c.mode, a.mode)
			require.InDelta(t, c.rate, a.rate, 1e-9)
			require.Equal(t, c.limit, a.limit)
			require.Equal(t, c.reason, a.reason)
			require.InDelta(t, c.base, a.base.mean, 1e-9)
			require.Equal(t, int64(1), a.epoch)
			if c.mode != dipping {
				require.Zero(t, a.before.calls)
			}
		})
	}
}

// The bounds between what a dip may have shown.
func TestDippedBounds(t *testing.T) {
	reason := func(noise, weight float64, m measurement) string {
		a := dipped()
		a.noise, a.base.weight = noise, weight
		a.dipped(0, m)
		return a.reason
	}
	const less, slower = "the service's capacity fell", "calls became slower at every limit"
	require.Empty(t, reason(0, 100, seen(20, 1.49, 0.2)))
	require.Equal(t, slower, reason(0, 100, seen(20, 1.5, 0.2)), "more than one")
	require.Equal(t, slower, reason(0, 100, seen(20, 36, 0.19)), "nine tenths")
	require.Empty(t, reason(0, 100, seen(20, 36.1, 0.19)))
	require.Equal(t, less, reason(0, 100, seen(20, 20, 0.124)))
	require.NotEqual(t, less, reason(0, 100, seen(20, 20, 0.126)))
	doubt := 0.5 * math.Hypot(1/math.Sqrt(20), 1/math.Sqrt(100))
	require.Equal(t, less, reason(0.5, 100, seen(20, 20, 0.1*(1.24+2*doubt))))
	require.NotEqual(t, less, reason(0.5, 100, seen(20, 20, 0.1*(1.26+2*doubt))))
	require.NotEqual(t, less, reason(0, 4, seen(20, 20, 0.11)), "little is known of the base")
	require.Equal(t, less, reason(0, 4.5, seen(20, 20, 0.11)))
	require.Equal(t, slower, reason(0, 4, seen(20, 20, 0.2*math.Pow(0.5, 0.69))))
	require.Empty(t, reason(0, 4, seen(20, 20, 0.2*math.Pow(0.5, 0.71))))

	a := dipped() // less room
	a.dipped(0, seen(20, 20, 0.1))
	require.Zero(t, a.refine.times)
	require.Zero(t, a.refine.windows)
	a = dipped() // slower, without a level: it grows from what was achieved
	a.level = 0
	a.dipped(0, seen(20, 20, 0.2))
	require.InDelta(t, laterGrowth, a.growth, 0)
	require.InDelta(t, 40, a.level, 1e-9)
	a = dipped()
	a.dipped(0, seen(20, 20, 0.2))
	require.InDelta(t, 20, a.base.weight, 0)
	require.InDelta(t, probeEvery, a.rounds, 0, "more are tried soon")
}
