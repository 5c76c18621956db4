package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestObservationRate(t *testing.T) {
	o := observation{age: time.Millisecond - 1, running: 3, reporting: 2, chunks: 10, items: 100, busy: time.Millisecond}
	require.InDelta(t, 200_000, o.rate(), 1e-6, "workers over the mean time in the call")
	o.age = time.Millisecond
	require.InDelta(t, 130_000, o.rate(), 1e-6, "no more than can have been done in the time, with three open chunks of ten")
	o.age = 10 * time.Second
	require.InDelta(t, 13, o.rate(), 1e-9)
	o.busy = 1
	o.age = 0
	require.Positive(t, o.rate())

	require.Equal(t, 10*time.Microsecond, observation{items: 100, busy: time.Millisecond}.mean())
	require.Equal(t, time.Duration(7), observation{items: 1, busy: 7}.mean())
}

func TestObservationError(t *testing.T) {
	// Two chunks of two items each, that took 10 and 30 ns.
	o := observation{chunks: 2, items: 4, busy: 40, squares: 10.0*10/2 + 30*30/2}
	require.InDelta(t, 0.5, o.error(), 1e-12)
	o.squares = 400
	require.Zero(t, o.error())
	o.squares = 399
	require.Zero(t, o.error(), "by rounding")
	// Three chunks of an item each: 10, 20 and 30 ns.
	require.InDelta(t, math.Sqrt(100.0/3)/20, observation{chunks: 3, items: 3, busy: 60, squares: 1400}.error(), 1e-12)
	require.True(t, math.IsInf(observation{chunks: 1, items: 4, busy: 40}.error(), 1))
	require.True(t, math.IsInf(observation{chunks: 2, items: 4}.error(), 1))
	require.Zero(t, observation{chunks: 2, items: 2, busy: 1}.error())
}

func TestObservationSettled(t *testing.T) {
	alike := observation{age: minEpoch, items: minItems, running: 4, reporting: 3, chunks: 8, busy: 80, squares: 800}
	varied := observation{age: longEpoch, items: 64, running: 4, reporting: 3, chunks: manyChunks, busy: 640, squares: 1e6}
	require.True(t, alike.settled(0))
	require.True(t, varied.settled(0))
	require.True(t, varied.settled(varied.error()))
	for name, change := range map[string]func(o *observation){
		"too short":       func(o *observation) { o.age = minEpoch - 1 },
		"too few":         func(o *observation) { o.items = minItems - 1 },
		"too few workers": func(o *observation) { o.reporting = 2 },
	} {
		for _, o := range []observation{alike, varied} {
			change(&o)
			require.False(t, o.settled(0), name)
		}
	}
	require.False(t, observation{age: minEpoch, items: minItems, running: 5, reporting: 3, chunks: 8, busy: 80, squares: 800}.settled(0))
	varied.age--
	require.False(t, varied.settled(0))
	require.True(t, varied.settled(varied.error()), "as well as is asked for")
	varied.age, varied.chunks = longEpoch, manyChunks-1
	require.False(t, varied.settled(0))
}

func TestObservationIdle(t *testing.T) {
	for _, c := range []struct {
		o    observation
		idle float64
	}{
		{observation{running: 4, procs: 2, cores: 0.5}, 0.75},
		{observation{running: 2, procs: 4, cores: 0.5}, 0.75},
		{observation{running: 1, procs: 4, cores: 0.25}, 0.75},
		{observation{running: 4, procs: 4, cores: 0.25, occupied: 0.5}, 0.5},
		{observation{running: 4, procs: 4, cores: 1, occupied: 9}, 0.75},
		{observation{running: 4, procs: 4, cores: 5}, 0},
		{observation{running: 4, procs: 4, cores: 0}, 1},
		{observation{running: 4, procs: 4, cores: -0.5}, 0},
		{observation{running: 0, procs: 4, cores: 0}, 0},
	} {
		require.InDelta(t, c.idle, c.o.idle(), 1e-12, "%+v", c.o)
	}
}
