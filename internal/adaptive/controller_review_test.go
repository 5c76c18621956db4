package adaptive

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Which of the judgements a window comes to.
func TestReview(t *testing.T) {
	reviewed := func(mode mode, time float64, inFlight float64, change func(a *Controller)) *Controller {
		a := steady(20, mode, 0)
		a.previous = 20
		a.window = window{
			limit: 20, calls: 20, ended: 20, seconds: 20 * time, squares: 20 * time * time,
			inFlight: 20 * inFlight, peak: inFlight, epoch: 0,
		}
		if change != nil {
			change(a)
		}
		a.Review(1e9, nil)
		require.InDelta(t, 20, a.latest.calls, 0)
		return a
	}
	batches := func(a *Controller) { a.serial.watched, a.window.ended = true, 10 }
	require.Equal(t, "one call at a time reaches the same throughput", reviewed(holding, 0.1, 20, batches).reason)
	require.True(t, reviewed(holding, 0.05, 20, nil).suspect)
	require.True(t, reviewed(probing, 0.05, 20, nil).suspect)
	unknown := func(a *Controller) { a.base.reset(0, 0) }
	require.False(t, reviewed(holding, 0.05, 20, unknown).suspect)
	require.Equal(t, "throughput rose with the limit", reviewed(growing, 0.1, 20, nil).reason)
	probed := reviewed(probing, 0.1, 20, func(a *Controller) { a.odds = 2; a.usual.inFlight = math.Log(20) })
	require.Equal(t, "a probe with more calls saw no added latency", probed.reason)
	dipped := reviewed(dipping, 0.1, 20, func(a *Controller) { a.before = seen(20, 40, 0.2) })
	require.Equal(t, "the service's capacity fell", dipped.reason)
	require.InDelta(t, 120, reviewed(refining, 0.1, 20, nil).base.weight, 1e-9)
	held := reviewed(holding, 0.1, 20, nil)
	require.InDelta(t, 1, held.refine.windows, 0)
	require.InDelta(t, 100, held.base.weight, 0)
	require.InDelta(t, 120, reviewed(holding, 0.1, 1.19, nil).base.weight, 0, "alone")
	require.InDelta(t, 100, reviewed(holding, 0.1, 1.2, nil).base.weight, 0)
	require.InDelta(t, 1, reviewed(holding, 0.1, 20, func(a *Controller) { a.window.squares *= 5 }).noise, 1e-9)
}

// Which calls count as bounded by policies.
func TestReviewPoliced(t *testing.T) {
	policed := func(mode mode, inFlight, begun float64, held bool) bool {
		a := steady(20, mode, 0)
		a.held, a.previous = held, 20
		a.window = window{
			limit: 20, fresh: inFlight > begun, calls: 20, ended: 20, seconds: 2, squares: 0.2,
			inFlight: 20 * begun, peak: inFlight,
		}
		a.Review(1e9, nil)
		return a.losses.metered > 0
	}
	require.True(t, policed(holding, 16, 16, true))
	require.False(t, policed(holding, 16, 16, false))
	require.True(t, policed(growing, 16, 16, true))
	require.True(t, policed(holding, 17.9, 17.9, true))
	require.False(t, policed(holding, 18, 18, true), "nine tenths")
	require.False(t, policed(growing, 17.9, 17.9, true))
	require.True(t, policed(refining, 20, 17.9, true), "many at times only")
}

func TestLearnNoise(t *testing.T) {
	m := func(calls, cv, time float64) measurement { return measurement{calls: calls, cv: cv, time: time} }
	var a Controller
	a.learnNoise(m(10, 0.5, 0.1), false)
	require.InDelta(t, math.Sqrt(0.25*10/9), a.noise, 1e-12)
	require.InDelta(t, 10, a.spread, 0)
	a.learnNoise(m(30, 0.2, 0.1), false)
	before, squared := 0.25*10/9, 0.04*30/29
	require.InDelta(t, math.Sqrt(before+(squared-before)*0.75), a.noise, 1e-12)
	require.InDelta(t, 40, a.spread, 0)
	a.learnNoise(m(200, 0.3, 0.1), false)
	require.InDelta(t, 100, a.spread, 0)
	require.InDelta(t, math.Sqrt(0.09*200/199), a.noise, 1e-12)
	a.learnNoise(m(100, 7, 0.1), false)
	require.InDelta(t, 1, a.noise, 1e-12, "no more than that")
	var one Controller
	one.learnNoise(m(1, 0.5, 0.1), false)
	require.InDelta(t, 0.5, one.noise, 1e-12)
	two := Controller{}
	two.learnNoise(m(2, 0.5, 0.1), false)
	require.InDelta(t, math.Sqrt(0.5), two.noise, 1e-12)
}

// A line adds to the time and not to its variation, and what is short counts where much is known.
func TestLearnNoiseOfLongCalls(t *testing.T) {
	noise := func(weight, time float64, fresh bool) float64 {
		a := steady(20, holding, 0)
		a.base.weight = weight
		a.learnNoise(measurement{calls: 1, cv: 0.1, time: time}, fresh)
		return a.noise
	}
	require.InDelta(t, 0.1, noise(4, 0.15, false), 1e-12)
	require.InDelta(t, 0.15, noise(5, 0.15, false), 1e-12)
	require.InDelta(t, 0.2, noise(5, 0.9, false), 1e-12)
	require.InDelta(t, 0.1, noise(5, 0.05, false), 1e-12)
	require.InDelta(t, 0.1, noise(4, 0.15, true), 1e-12)
	require.Zero(t, noise(5, 0.15, true), "a line that builds up would pass for variation")
	require.Zero(t, noise(5, 0.05, true))
	require.InDelta(t, 0.12, noise(5, 0.12, true), 1e-12)
	for factor, known := range map[float64]bool{0.99: true, 1.01: false} { // beyond two errors
		a := steady(20, holding, 0.5)
		a.learnNoise(measurement{calls: 25, cv: 0.9, time: 0.1 * math.Exp(factor*(0.25+2*0.1))}, true)
		require.Equal(t, known, a.noise > 0.5)
	}
	a := Controller{times: times{noise: 0.5, spread: 40}}
	a.learnNoise(measurement{calls: 10, cv: 0.4, time: 0.1}, true)
	require.InDelta(t, 0.5, a.noise, 0, "the long ones of a fresh window have not ended")
	a.learnNoise(measurement{calls: 10, cv: 0.5, time: 0.1}, true)
	require.Greater(t, a.noise, 0.5)
	same := Controller{times: times{noise: 0.5, spread: 40}}
	same.learnNoise(measurement{calls: 1, cv: 0.5, time: 0.1}, true)
	require.InDelta(t, 40, same.spread, 0, "they vary as before")
	constant := Controller{times: times{noise: 2e-8, spread: 12}}
	for _, cv := range []float64{1e-8, 2e-8, 2.001e-8, 3e-8} {
		constant.learnNoise(measurement{calls: 10, cv: cv, time: 0.1}, true)
		require.InDelta(t, 12, constant.spread, 0, "nothing hangs on rounding")
	}
	first := Controller{times: times{noise: 0.5}}
	first.learnNoise(measurement{calls: 10, cv: 0.3, time: 0.1}, true)
	require.InDelta(t, math.Sqrt(0.1), first.noise, 1e-12)
	refined := Controller{times: times{noise: 0.5, spread: 40}, mode: refining}
	refined.learnNoise(measurement{calls: 10, cv: 0.3, time: 0.1}, true)
	require.InDelta(t, 20, refined.spread, 0)
	require.InDelta(t, math.Sqrt((0.25+0.1)/2), refined.noise, 1e-12, "there is no line that could add to it")
}

func TestLearnAlone(t *testing.T) {
	learnt := func(weight, noise, time float64) unloaded {
		a := steady(20, holding, noise)
		a.base.weight = weight
		a.learnAlone(seen(25, 1, time))
		return a.base
	}
	require.Equal(t, unloaded{mean: 0.11, weight: 25}, learnt(4, 1, 0.11))
	require.InDelta(t, 30, learnt(5, 1, 0.11).weight, 0)
	require.InDelta(t, 125, learnt(100, 0.5, 0.1*math.Exp(0.29)).weight, 0)
	require.Equal(t, unloaded{mean: 0.1 * math.Exp(0.31), weight: 25}, learnt(100, 0.5, 0.1*math.Exp(0.31)))
	require.InDelta(t, 25, learnt(100, 0.5, 0.1*math.Exp(-0.31)).weight, 0)
	a := steady(20, holding, 0.5)
	require.InDelta(t, 0.1, a.error(seen(25, 1, 1)), 1e-12)
	require.InDelta(t, math.Hypot(0.1, 0.05), a.doubt(seen(25, 1, 1)), 1e-12)
	require.False(t, a.used(seen(1, 16, 1)))
	require.True(t, a.used(seen(1, 16.1, 1)))
}
