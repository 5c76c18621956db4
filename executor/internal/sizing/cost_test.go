package sizing

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCostModel(t *testing.T) {
	var m costModel
	for _, n := range []int{1, 4, 16, 64} {
		m.add(n, time.Duration(5000+100*n))
	}
	require.InDelta(t, 5000, m.overhead, 50)
	require.InDelta(t, 100, m.item, 5)
	for range 1000 { // one size only: the fit stays
		m.add(64, 5000+6400)
	}
	require.InDelta(t, 5000, m.overhead, 500)
}

// The fit is that of least squares over the relative error, of which older ones count less.
func TestCostModelFits(t *testing.T) {
	var m costModel
	sizes, took := []int{1, 4, 9, 2}, []time.Duration{110, 150, 230, 100}
	for i, n := range sizes {
		m.add(n, took[i])
	}
	off, tilted, fade := 0.0, 0.0, 1.0
	for i := range slices.Backward(sizes) {
		x, y := float64(sizes[i]), float64(took[i])
		residual := fade / (y * y) * (y - m.overhead - x*m.item)
		off, tilted, fade = off+residual, tilted+residual*x, fade*(1-1.0/batchMemory)
	}
	require.InDelta(t, 0, off, 1e-12)
	require.InDelta(t, 0, tilted, 1e-12)
	require.True(t, m.fitted)
	require.Equal(t, time.Duration(m.overhead+7*m.item), m.time(7))
}

// fit is the model of two batches.
func fit(n1 int, took1 time.Duration, n2 int, took2 time.Duration) (m costModel) {
	m.add(n1, took1)
	m.add(n2, took2)
	return m
}

func TestCostModelBounds(t *testing.T) {
	var m costModel
	require.Zero(t, m.time(3))
	m.add(4, 200)
	require.False(t, m.fitted, "one size tells nothing apart")
	require.Equal(t, 200*time.Nanosecond, m.time(1))
	m.add(4, 200)
	require.False(t, m.fitted)
	m = costModel{}
	m.add(1, 0)
	require.Equal(t, time.Nanosecond, m.time(1))
	m = costModel{}
	m.add(1, 1)
	require.Equal(t, time.Nanosecond, m.time(1))

	m = fit(1, 100, 3, 200)
	require.InDelta(t, 50, m.overhead, 1e-6)
	require.InDelta(t, 50, m.item, 1e-6)
	m = fit(1, 1000, 1001, 1500)
	require.InDelta(t, 0.5, m.item, 1e-6)
	m = fit(2, 1, 10, 3)
	require.InDelta(t, 0.5, m.overhead, 1e-6)
	require.InDelta(t, 0.25, m.item, 1e-6)

	m = fit(1, 200, 3, 100) // falling
	require.Zero(t, m.item)
	require.InDelta(t, m.t/m.weight, m.overhead, 1e-9)
	m = fit(1, 50, 3, 250) // it would cost less than nothing
	require.Zero(t, m.overhead)
	require.InDelta(t, m.nt/m.nn, m.item, 1e-9)
}
