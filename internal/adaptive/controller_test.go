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
		a := New(0, Start{First: random.IntN(40), Floor: floor, Ceiling: floor + random.IntN(2000)})
		now := time.Duration(0)
		var open []Attempt
		spread := []time.Duration{0, 1, time.Microsecond, time.Second, 1000 * time.Hour}[random.IntN(5)]
		lost := []float64{0, 0.01, 0.5, 1}[random.IntN(4)]
		for range 3000 {
			for len(open) < a.limit && random.IntN(8) > 0 && len(open) < 50 {
				c := Attempt{Began: now, InFlight: len(open) + 1, Epoch: a.epoch, Cost: 1}
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

// What must not count: attempts of another limit, and too few of them.
func TestWindow(t *testing.T) {
	w := window{since: time.Second, epoch: 3, limit: 10, fresh: true}
	require.False(t, w.add(2*time.Second, Attempt{Began: 0, InFlight: 5, Epoch: 2}, 1), "it began under another limit")
	require.False(t, w.add(2*time.Second, Attempt{Began: time.Second, InFlight: 40, Epoch: 3}, 1), "too many were still in flight")
	require.True(t, w.add(2*time.Second, Attempt{Began: time.Second, InFlight: 10, Epoch: 3}, 1))
	w.raised = true
	require.True(t, w.add(2*time.Second, Attempt{Began: 950 * time.Millisecond, InFlight: 5, Epoch: 2}, 1), "just before a raise")
	m := w.measure(2*time.Second, 1, nil)
	require.InDelta(t, 1.025, m.time, 1e-9)
	require.InDelta(t, 10, m.inFlight, 0)

	// Ten calls at once that all take a second: those that have not ended count
	// as far as they have come. Memoryless ones count as time spent only.
	alike := window{fresh: true, calls: 5, seconds: 5, squares: 5, peak: 10}
	open := slices.Repeat([]Attempt{{}}, 5)
	require.InDelta(t, 1, alike.measure(time.Second, 1, open).time, 1e-9)
	memoryless := window{fresh: true, calls: 5, seconds: 5, squares: 10, peak: 10}
	require.InDelta(t, 2, memoryless.measure(time.Second, 1, open).time, 1e-9)
}

func TestLossCap(t *testing.T) {
	var l lossCap
	require.InDelta(t, 100, l.bound(100), 0, "no cap before a loss")
	l.success(10)
	for n := 40; n > 20; n-- { // a burst: 20 were tolerated
		l.loss(time.Second, Attempt{Began: 0, InFlight: n}, 40, false, true, true)
	}
	require.InDelta(t, 20, l.most, 0)
	l.loss(3*time.Second, Attempt{Began: 2 * time.Second, InFlight: 18}, 18, false, false, false)
	require.InDelta(t, 18*(1-lossCut), l.most, 1e-9)
	before := l.most
	for range 1000 {
		l.success(17)
	}
	require.Greater(t, l.most, before)
	for i := range 100 { // an outage
		l.loss(time.Duration(10+i)*time.Second, Attempt{Began: time.Duration(9+i)*time.Second + 1, InFlight: 4}, 4, false, false, false)
	}
	require.LessOrEqual(t, l.most, 4.0)
	require.True(t, l.success(2), "the service is back")
	require.Greater(t, l.most, before, "as before the outage")
}

// Where policies meter the calls, a few losses do not lower the cap below what
// comes through; many do.
func TestLossesOfMeteredCalls(t *testing.T) {
	lost := func(every int) float64 {
		l := lossCap{metered: 12}
		for i := range 4000 {
			now := time.Duration(i) * time.Second
			if l.success(12); i%every == 0 {
				l.loss(now, Attempt{Began: now - 1, InFlight: 3}, 12, true, false, false)
			}
		}
		return l.most
	}
	require.GreaterOrEqual(t, lost(40), 11.0)
	require.Less(t, lost(3), 6.0)
}
