package adaptive

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnloadedMerges(t *testing.T) {
	u := unloaded{w: 3, x: 1}
	u.reset(2, 4)
	require.Equal(t, unloaded{mean: 2, weight: 4}, u)
	u.merge(5, 2)
	require.Equal(t, unloaded{mean: 3, weight: 6}, u)
	old := unloaded{mean: 1, weight: 1000}
	old.merge(3, 100)
	require.Equal(t, unloaded{mean: 1.4, weight: 500}, old, "older calls fade")

	require.InDelta(t, 0.5, (&unloaded{}).error(0.5), 0)
	require.InDelta(t, 0.5, (&unloaded{weight: 1.5}).error(0.5*math.Sqrt(1.5)), 1e-12)
	require.InDelta(t, 0.25, (&unloaded{weight: 4}).error(0.5), 0)
}

// relearnt is what comes of windows of ten calls each, at these calls in flight, whose
// time follows the calls in flight to the power of slope.
func relearnt(u unloaded, noise, slope float64, inFlight ...float64) unloaded {
	for _, n := range inFlight {
		u.relearn(measurement{calls: 10, inFlight: n, time: 0.1 * math.Pow(n, slope)}, noise)
	}
	return u
}

// Where the time of a call does not follow the calls in flight, it is its own.
func TestUnloadedRelearns(t *testing.T) {
	before := unloaded{mean: 0.05, weight: 100}
	u := relearnt(before, 0, 0, 8, 16)
	require.InDelta(t, 0.1, u.mean, 1e-12)
	require.InDelta(t, (10*fading+10)/2, u.weight, 1e-12, "half of what the windows weigh")
	require.InDelta(t, 0.05, relearnt(before, 0, 0, 8).mean, 0, "one window tells nothing")
	require.InDelta(t, 0.05, relearnt(before, 0, 1, 8, 16).mean, 0, "a line")
	require.InDelta(t, 0.05, relearnt(before, 0, 0.49, 8, 16).mean, 0, "perhaps one")
	require.Greater(t, relearnt(before, 0, 0.48, 8, 16).mean, 0.05)
	require.InDelta(t, 0.1, relearnt(before, 0, 0, 8, 9).mean, 1e-12, "next to each other")
	require.InDelta(t, 0.2, relearnt(unloaded{mean: 0.2, weight: 9}, 0, 0, 8, 16).mean, 0, "it is only raised")
	require.InDelta(t, 0.05, relearnt(before, 1, 0.3, 8, 16).mean, 0, "too uncertain")
	require.InDelta(t, 7, relearnt(unloaded{mean: 0.05, weight: 7}, 0, 0, 8, 16).weight, 0)
	require.InDelta(t, 5, relearnt(unloaded{mean: 0.05, weight: 1}, 0, 0, 8, 16).weight, 0, "but it is worth some calls")

	// What the line through the windows says of the least in flight.
	u = relearnt(before, 0, 0.3, 8, 16, 12)
	require.InDelta(t, 0.1*math.Exp(0.3*u.low), u.mean, 1e-9)
	falling := relearnt(unloaded{mean: 1e-9, weight: 100}, 0, -3, 8, 16, 8)
	require.InDelta(t, math.Exp(falling.y), falling.mean, 1e-12, "falling is not extrapolated")
	vague := relearnt(unloaded{mean: 1e-9, weight: 100}, 1.7*math.Sqrt(relearnt(before, 0, 0, 8, 16).xx), -3, 8, 16)
	require.InDelta(t, 1e-9, vague.mean, 0, "nor believed")

	same := unloaded{mean: 1, weight: 100}
	for _, n := range []float64{8, 16} {
		same.relearn(measurement{calls: 10, inFlight: n, time: 1}, 0)
	}
	require.InDelta(t, 100, same.weight, 0, "nothing new")
}

// The moments of the latest windows, and what is forgotten of those far from them.
func TestUnloadedMoments(t *testing.T) {
	u := relearnt(unloaded{mean: 9}, 0, 0.5, 8, 16)
	weight := 10*fading + 10
	x := math.Log(8) + math.Ln2*10/weight
	require.InDelta(t, weight, u.w, 1e-12)
	require.InDelta(t, x, u.x, 1e-12)
	require.InDelta(t, math.Log(0.1)+0.5*x, u.y, 1e-12)
	require.InDelta(t, 10*math.Ln2*(math.Log(16)-x), u.xx, 1e-12)
	require.InDelta(t, u.xx/2, u.xy, 1e-12)

	far := relearnt(u, 0, 0.5, 16*math.Exp(elsewhere+0.5))
	require.InDelta(t, 10, far.w, 0)
	require.Zero(t, far.xx)
	near := relearnt(u, 0, 0.5, math.Exp(x+elsewhere-0.01))
	require.InDelta(t, weight*fading+10, near.w, 1e-12)

	// The least in flight is followed at once downwards, and slowly upwards.
	u = relearnt(unloaded{mean: 9}, 0, 0.5, 8)
	require.InDelta(t, math.Log(8), u.low, 1e-12)
	u = relearnt(u, 0, 0.5, 6)
	require.InDelta(t, math.Log(6), u.low, 1e-12)
	x = u.x
	u = relearnt(u, 0, 0.5, 16)
	require.InDelta(t, math.Log(6)+(1-fading)*(x-math.Log(6)), u.low, 1e-12)
}
