package adaptive

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzAdaptive has the controller told anything that can happen, and nothing
// that makes sense: its limit stays within its bounds and its figures are numbers.
func FuzzAdaptive(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 5))
		floor := 1 + random.IntN(4)
		a := newAdaptive(random.IntN(40), floor, floor+random.IntN(2000), 0)
		now := time.Duration(0)
		var open []Attempt
		spread := []time.Duration{0, 1, time.Microsecond, time.Second, 1000 * time.Hour}[random.IntN(5)]
		lost := []float64{0, 0.01, 0.5, 1}[random.IntN(4)]
		for range 3000 {
			for len(open) < a.limit && random.IntN(8) > 0 && len(open) < 50 {
				c := a.begin(now, len(open)+1)
				c.Items = random.IntN(3)
				open = append(open, c)
			}
			now += time.Duration(random.ExpFloat64() * float64(spread))
			a.saturated, a.held = random.IntN(20) == 0, random.IntN(20) == 0
			switch random.IntN(100) {
			case 0:
				a.ceiling = max(a.floor, random.IntN(3000))
			case 1:
				a.Silence(now)
			case 2:
				a.Alone(time.Duration(random.ExpFloat64() * float64(spread)))
			}
			if len(open) == 0 {
				continue
			}
			i := random.IntN(len(open))
			c := open[i]
			open = slices.Delete(open, i, i+1)
			if random.Float64() < lost {
				a.Lose(now, c, random.IntN(2) == 0)
			} else if a.Done(now, c) {
				a.Review(now, open)
			}
			require.GreaterOrEqual(t, a.limit, 1)
			require.False(t, math.IsNaN(a.base.mean) || math.IsInf(a.base.mean, 0) || a.base.mean < 0, "base %v", a.base)
			require.False(t, math.IsNaN(a.level) || math.IsNaN(a.rate) || math.IsNaN(a.noise) || math.IsNaN(a.losses.most))
		}
		a.set(now, float64(a.limit))
		require.GreaterOrEqual(t, a.limit, floor)
		require.LessOrEqual(t, a.limit, a.ceiling)
	})
}

func TestNewAdaptive(t *testing.T) {
	a := newAdaptive(16, 0, 100, time.Second)
	require.Equal(t, &Controller{
		limits: limits{floor: 1, ceiling: 100, first: 16, limit: 16}, cold: true, growth: FirstGrowth, steps: steps{pause: probeEvery},
		window: window{since: time.Second, limit: 16, raised: true, fresh: true},
	}, a)
	for _, c := range []struct{ first, floor, ceiling, limit int }{{16, 1, 8, 8}, {3, 5, 4, 5}, {3, 5, 9, 5}, {0, 0, 0, 1}} {
		a := newAdaptive(c.first, c.floor, c.ceiling, 0)
		require.Equal(t, c.limit, a.limit)
		require.Equal(t, max(1, c.floor, c.ceiling), a.ceiling)
	}
}

// The first calls become twice as many, twice, if none of them ends in time.
func TestSilence(t *testing.T) {
	const start = time.Second
	a := newAdaptive(16, 1, 1000, start)
	for _, c := range []struct {
		at    time.Duration
		limit int
	}{{Patience - 1, 16}, {Patience, 32}, {2*Patience - 1, 32}, {2 * Patience, 64}, {time.Hour, 64}} {
		a.Silence(start + c.at)
		require.Equal(t, c.limit, a.limit)
		require.Equal(t, start, a.window.since, "the first calls count too")
		require.True(t, a.window.fresh)
	}
	slow := newAdaptive(16, 1, 1000, start)
	slow.base.reset(0.1, 1)
	slow.Silence(start + 400*time.Millisecond - 1)
	require.Equal(t, 16, slow.limit, "one is known to take long")
	slow.Silence(start + 400*time.Millisecond)
	require.Equal(t, 32, slow.limit)
	for name, change := range map[string]func(a *Controller){
		"not the first":    func(a *Controller) { a.cold = false },
		"one has ended":    func(a *Controller) { a.window.calls = 0.5 },
		"no core is idle":  func(a *Controller) { a.saturated = true },
		"of a later limit": func(a *Controller) { a.epoch = 2 },
	} {
		a := newAdaptive(16, 1, 1000, start)
		change(a)
		a.Silence(time.Hour)
		require.Equal(t, 16, a.limit, name)
	}
}

func TestAdaptiveAlone(t *testing.T) {
	a := newAdaptive(16, 1, 1000, 0)
	a.Alone(0)
	require.Equal(t, unloaded{mean: instant, weight: 1}, a.base)
	a.Alone(time.Second)
	require.Equal(t, unloaded{mean: instant, weight: 1}, a.base, "one is enough")
	a.base.mean = 0
	a.Alone(time.Second)
	require.Equal(t, unloaded{mean: 1, weight: 1}, a.base)
}

func TestDone(t *testing.T) {
	a := newAdaptive(16, 1, 1000, 0)
	c := a.begin(time.Second, 5)
	require.Equal(t, Attempt{Began: time.Second, InFlight: 5, Items: 1, Cost: 1}, c)
	for range 11 {
		require.False(t, a.Done(2*time.Second, c))
	}
	require.True(t, a.Done(2*time.Second, c), "three quarters of the limit")
	require.False(t, a.Done(2*time.Second, Attempt{InFlight: 5, Epoch: 7, Began: -time.Hour}), "it does not count")

	a = steady(2, holding, 0)
	a.losses.dead, a.losses.before, a.before.calls = true, 40, 5
	a.Done(0, a.begin(0, 1))
	require.Equal(t, growing, a.mode)
	require.InDelta(t, laterGrowth, a.growth, 0)
	require.Zero(t, a.before.calls)
	require.Equal(t, "the service answers again", a.reason)
	require.Equal(t, 2, a.limit)
	require.Zero(t, a.epoch)
	a = steady(2, dipping, 0)
	a.losses.dead, a.losses.before, a.losses.metered = true, 40, 0.5
	a.Done(time.Second, a.begin(0, 1))
	require.Equal(t, holding, a.mode, "at the rate of before")
	require.Equal(t, 1, a.limit)
	require.Equal(t, time.Second, a.window.since)
}

// A fresh window whose calls are overdue need not last until most have ended.
func TestReady(t *testing.T) {
	ready := func(mode mode, calls float64, now time.Duration) bool {
		a := steady(16, mode, 0)
		a.base.reset(0.5, 100)
		a.window = window{fresh: true, calls: calls, limit: 16, since: time.Second}
		return a.ready(time.Second + now)
	}
	require.False(t, ready(growing, 4, 1500*time.Millisecond))
	require.True(t, ready(growing, 4, 1500*time.Millisecond+1))
	require.False(t, ready(growing, 3.9, time.Hour), "a quarter")
	require.False(t, ready(holding, 4, time.Hour))
	require.False(t, ready(dipping, 11.9, time.Hour), "three quarters")
	require.True(t, ready(dipping, 12, 0))
	require.False(t, ready(growing, 0, time.Hour))

	few := steady(8, growing, 0)
	few.window.calls = 2.9
	require.False(t, few.ready(time.Hour))
	few.window.calls = 3
	require.True(t, few.ready(time.Hour))
	few.window.fresh = false
	require.False(t, few.ready(time.Hour))
	few.window.fresh, few.base.mean = true, 0
	require.False(t, few.ready(time.Hour))

	few = steady(6, dipping, 0) // three quarters of six
	few.window.calls = 4.5
	require.True(t, few.ready(time.Hour))

	noisy := steady(16, growing, 0.5) // an error of a twentieth, twice
	noisy.window.calls = 4
	require.False(t, noisy.ready(329*time.Millisecond))
	require.True(t, noisy.ready(331*time.Millisecond))
}

func TestNeed(t *testing.T) {
	need := func(limit int, mode mode, noise float64, fresh, batches bool) float64 {
		a := steady(limit, mode, noise)
		a.window.fresh, a.serial.watched = fresh, batches
		return a.need()
	}
	require.InDelta(t, 12, need(16, growing, 0, true, false), 0, "most of those in flight")
	require.InDelta(t, leastCalls, need(4, growing, 0, true, false), 0)
	require.InDelta(t, 12, need(16, growing, 0, true, true), 0)
	require.InDelta(t, leastBatchCalls, need(4, growing, 0, true, true), 0)
	require.InDelta(t, 10, need(10, refining, 0, true, true), 0)
	require.InDelta(t, 16, need(10, refining, 0.2, true, true), 1e-9)
	require.InDelta(t, 20, need(10, refining, 1, true, true), 0)
	require.InDelta(t, leastCalls, need(2, refining, 0, true, true), 0)
	require.InDelta(t, 16, need(16, holding, 0.5, false, true), 0)
	require.InDelta(t, 10, need(5, holding, 0.5, false, false), 0, "as calls vary")
	require.InDelta(t, 12, need(2, holding, 1, false, false), 0)
	require.InDelta(t, leastCalls, need(2, probing, 0, false, false), 0)
	second := steady(2, probing, 0)
	second.window.fresh, second.serial.pause = false, serialPause
	require.InDelta(t, leastBatchCalls, second.need(), 0)
	second.window.fresh, second.serial.watched = true, true
	second.limit = 8
	require.InDelta(t, 6, second.need(), 0)
}

func TestLose(t *testing.T) {
	a := newAdaptive(16, 1, 1000, 0)
	a.base.reset(0.1, 10)
	a.Lose(time.Second, Attempt{InFlight: 16}, false)
	require.Equal(t, holding, a.mode)
	require.False(t, a.cold)
	require.InDelta(t, 15, a.losses.most, 0, "what was in flight before it")
	require.True(t, a.losses.regrow)
	require.InDelta(t, overloadShare, a.losses.share, 0)
	require.InDelta(t, math.Log(150), a.rate, 1e-12)
	require.Equal(t, 15, a.limit)
	require.Equal(t, "the service refused calls", a.reason)
	require.Equal(t, time.Second, a.window.since)

	a = newAdaptive(16, 1, 1000, 0)
	a.Lose(0, Attempt{InFlight: 16}, true)
	require.Zero(t, a.rate, "nothing is known")
	require.InDelta(t, throttleShare, a.losses.share, 0)
	a = steady(16, holding, 0)
	a.Lose(0, Attempt{InFlight: 20}, false)
	require.InDelta(t, 20*(1-lossCut), a.losses.most, 1e-12)
	require.InDelta(t, math.Log(160), a.rate, 1e-12)
	require.Zero(t, a.epoch)
	require.Empty(t, a.reason)
	a = steady(10, growing, 0)
	a.Lose(0, Attempt{InFlight: 11}, false)
	require.InDelta(t, 10, a.losses.most, 0)
	require.False(t, a.losses.regrow)
	require.Zero(t, a.epoch, "it is at the cap already")
}

// Where policies bound the calls in flight, what is lost has to be looked at in their light.
func TestLoseMetered(t *testing.T) {
	metered := func(inFlight int, held bool, before float64) float64 {
		a := steady(10, holding, 0)
		a.held, a.losses.metered = held, before
		a.Lose(0, Attempt{InFlight: inFlight}, false)
		return a.losses.metered
	}
	require.InDelta(t, roomFor(7), metered(7, true, 0), 0)
	require.InDelta(t, 30, metered(7, true, 30), 0)
	require.Zero(t, metered(8, true, 0))
	require.Zero(t, metered(7, false, 0))
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		before        int
		n             float64
		limit         int
		raised, fresh bool
	}{
		{10, 11, 11, true, false}, {10, 12, 12, true, true}, {20, 22, 22, true, false}, {20, 23, 23, true, true},
		{18, 20, 20, true, false}, {19, 21, 21, true, false}, {5, 6, 6, true, false}, {4, 6, 6, true, true},
		{12, 10, 10, false, true}, {10, 10, 10, false, false}, {10, 1, 3, false, true}, {10, 900, 50, true, true},
	} {
		a := newAdaptive(c.before, 3, 50, 0)
		a.set(time.Second, c.n)
		require.Equal(t, c.limit, a.limit)
		require.Equal(t, c.before, a.previous)
		require.Equal(t, window{since: time.Second, epoch: 1, limit: c.limit, raised: c.raised, fresh: c.fresh}, a.window)
	}
	a := newAdaptive(2, 1, 50, 0)
	for _, limit := range []int{2, 3, 2, 3} { // a fraction is met on average
		a.set(0, 2.5)
		require.Equal(t, limit, a.limit)
	}
	require.Zero(t, a.carry)
	a.set(0, 2.5)
	a.set(0, 2.75)
	require.Equal(t, 3, a.limit)
	require.InDelta(t, 0.25, a.carry, 1e-12)
	a.carry = 0
	a.set(0, 3-1e-10)
	require.Equal(t, 3, a.limit, "next to a whole number")
	require.Zero(t, a.carry)
	a.losses.most = 1.5
	a.set(0, 20)
	require.Equal(t, 1, a.limit, "the cap")
	require.InDelta(t, 0.5, a.carry, 0)
}
