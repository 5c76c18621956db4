package executor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A line through what was live, once units in flight have varied.
func TestLine(t *testing.T) {
	var a line
	a.add(0, 100, 100)
	require.Equal(t, line{unit: 100, weight: 1, l: 100}, a)
	a.add(2, 300, 300)
	require.Equal(t, line{base: 100, unit: 100, known: true, varied: true, weight: 1.75, n: 2, l: 375, nn: 4, nl: 600}, a)
	a.add(2, 200, 200)
	require.InDelta(t, 2.3125, a.weight, 1e-12)
	require.InDelta(t, 481.25, a.l, 1e-12)
	require.InDelta(t, 3.5, a.n, 1e-12)
	require.InDelta(t, 7, a.nn, 1e-12)
	require.InDelta(t, 850, a.nl, 1e-12)
	unit := (2.3125*850 - 3.5*481.25) / (2.3125*7 - 3.5*3.5)
	require.InDelta(t, unit, a.unit, 1e-9)
	require.InDelta(t, (481.25-3.5*unit)/2.3125, a.base, 1e-9)
	a.add(2, 1000, 1000)
	require.InDelta(t, (1000-a.base)/2, a.unit, 1e-9, "units that hold more are believed at once")

	falling := line{}
	falling.add(1, 300, 300)
	falling.add(3, 100, 100)
	require.Zero(t, falling.unit)
	require.InDelta(t, 100, falling.base, 0, "no more than was live")
	steep := line{}
	steep.add(1, 10, 10)
	steep.add(3, 300, 300)
	require.Zero(t, steep.base)
	require.InDelta(t, (1.75*907.5-3.75*307.5)/(1.75*9.75-3.75*3.75), steep.unit, 1e-9)
}

// As long as as many units are in flight, what is not theirs for sure is.
func TestLineOfOneNumber(t *testing.T) {
	var a line
	a.add(2, 300, 200)
	require.InDelta(t, 100, a.base, 0)
	require.InDelta(t, 100, a.unit, 0)
	require.True(t, a.known)
	require.False(t, a.varied)
	a.add(2, 500, 250)
	require.InDelta(t, 250, a.base, 0)
	require.InDelta(t, 125, a.unit, 1e-12)
	a.add(2, 500, 500)
	require.InDelta(t, 250, a.base, 0, "as was found before")
	require.InDelta(t, 125, a.unit, 1e-12)
	a.add(2, 200, 200)
	require.InDelta(t, 200, a.base, 0)
	a.varied = true
	a.add(2, 900, 100)
	require.InDelta(t, 200, a.base, 0, "a line is known")

	one := line{}
	one.add(1, 10, 10)
	require.True(t, one.known)
	require.InDelta(t, 10, one.unit, 0)
	one.add(1, 40, 5)
	require.InDelta(t, 5, one.unit, 0)
	similar := line{}
	similar.add(10, 100, 100)
	similar.add(11.4, 200, 200)
	require.False(t, similar.varied, "not by enough to tell")
	less := line{}
	less.add(2, 300, 200)
	less.add(2, 100, 100)
	require.InDelta(t, (0.75*300+100-100*1.75)/3.5, less.unit, 1e-12)
	none := line{base: 50}
	none.add(0, 20, 20)
	require.Zero(t, none.unit)
	require.InDelta(t, 20, none.base, 0)
}
