package hillclimb

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestObservationRate(t *testing.T) {
	o := Observation{Age: time.Millisecond - 1, Running: 3, Reporting: 2, Chunks: 10, Items: 100, Busy: time.Millisecond}
	require.InDelta(t, 200_000, o.rate(), 1e-6, "workers over the mean time in the call")
	o.Age = time.Millisecond
	require.InDelta(t, 130_000, o.rate(), 1e-6, "no more than can have been done in the time, with three open chunks of ten")
	o.Age = 10 * time.Second
	require.InDelta(t, 13, o.rate(), 1e-9)
	o.Busy = 1
	o.Age = 0
	require.Positive(t, o.rate())

	require.Equal(t, 10*time.Microsecond, Observation{Items: 100, Busy: time.Millisecond}.Mean())
	require.Equal(t, time.Duration(7), Observation{Items: 1, Busy: 7}.Mean())
}

func TestObservationError(t *testing.T) {
	// Two chunks of two items each, that took 10 and 30 ns.
	o := Observation{Chunks: 2, Items: 4, Busy: 40, Squares: 10.0*10/2 + 30*30/2}
	require.InDelta(t, 0.5, o.error(), 1e-12)
	o.Squares = 400
	require.Zero(t, o.error())
	o.Squares = 399
	require.Zero(t, o.error(), "by rounding")
	// Three chunks of an item each: 10, 20 and 30 ns.
	require.InDelta(t, math.Sqrt(100.0/3)/20, Observation{Chunks: 3, Items: 3, Busy: 60, Squares: 1400}.error(), 1e-12)
	require.True(t, math.IsInf(Observation{Chunks: 1, Items: 4, Busy: 40}.error(), 1))
	require.True(t, math.IsInf(Observation{Chunks: 2, Items: 4}.error(), 1))
	require.Zero(t, Observation{Chunks: 2, Items: 2, Busy: 1}.error())
}

func TestObservationSettled(t *testing.T) {
	alike := Observation{Age: minEpoch, Items: minItems, Running: 4, Reporting: 3, Chunks: 8, Busy: 80, Squares: 800}
	varied := Observation{Age: longEpoch, Items: 64, Running: 4, Reporting: 3, Chunks: manyChunks, Busy: 640, Squares: 1e6}
	require.True(t, alike.settled(0))
	require.True(t, varied.settled(0))
	require.True(t, varied.settled(varied.error()))
	for name, change := range map[string]func(o *Observation){
		"too short":       func(o *Observation) { o.Age = minEpoch - 1 },
		"too few":         func(o *Observation) { o.Items = minItems - 1 },
		"too few workers": func(o *Observation) { o.Reporting = 2 },
	} {
		for _, o := range []Observation{alike, varied} {
			change(&o)
			require.False(t, o.settled(0), name)
		}
	}
	require.False(t, Observation{Age: minEpoch, Items: minItems, Running: 5, Reporting: 3, Chunks: 8, Busy: 80, Squares: 800}.settled(0))
	varied.Age--
	require.False(t, varied.settled(0))
	require.True(t, varied.settled(varied.error()), "as well as is asked for")
	varied.Age, varied.Chunks = longEpoch, manyChunks-1
	require.False(t, varied.settled(0))
}

func TestObservationIdle(t *testing.T) {
	for _, c := range []struct {
		o    Observation
		idle float64
	}{
		{Observation{Running: 4, Procs: 2, Cores: 0.5}, 0.75},
		{Observation{Running: 2, Procs: 4, Cores: 0.5}, 0.75},
		{Observation{Running: 1, Procs: 4, Cores: 0.25}, 0.75},
		{Observation{Running: 4, Procs: 4, Cores: 0.25, Occupied: 0.5}, 0.5},
		{Observation{Running: 4, Procs: 4, Cores: 1, Occupied: 9}, 0.75},
		{Observation{Running: 4, Procs: 4, Cores: 5}, 0},
		{Observation{Running: 4, Procs: 4, Cores: 0}, 1},
		{Observation{Running: 4, Procs: 4, Cores: -0.5}, 0},
		{Observation{Running: 0, Procs: 4, Cores: 0}, 0},
	} {
		require.InDelta(t, c.idle, c.o.idle(), 1e-12, "%+v", c.o)
	}
}
