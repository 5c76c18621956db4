package usl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
)

func TestFitFindsTheLaw(t *testing.T) {
	for _, law := range []usl.Fit{
		{Lambda: 10, Sigma: 0.05, Kappa: 0.001}, {Lambda: 1000, Sigma: 0, Kappa: 0.01}, {Lambda: 3, Sigma: 0.2, Kappa: 0},
	} {
		var points []usl.Point
		for _, w := range []int{1, 2, 4, 8, 16, 32} {
			points = append(points, usl.Point{Workers: w, Rate: law.At(w)})
		}
		fit, ok := usl.New(points)
		require.True(t, ok)
		require.InDelta(t, law.Sigma, fit.Sigma, 1e-6)
		require.InDelta(t, law.Kappa, fit.Kappa, 1e-6)
		require.InDelta(t, 1, fit.R2, 1e-9)
	}
	require.Equal(t, 31, usl.Fit{Lambda: 1, Sigma: 0.05, Kappa: 0.001}.Peak())
	require.Zero(t, usl.Fit{Lambda: 1, Sigma: 0.05}.Peak(), "without contention there is no peak")
}

func TestFitStaysAboveZero(t *testing.T) {
	fit, ok := usl.New([]usl.Point{{1, 10}, {2, 25}, {4, 60}}) // more than linear
	require.True(t, ok)
	require.GreaterOrEqual(t, fit.Sigma, 0.0)
	require.GreaterOrEqual(t, fit.Kappa, 0.0)
	_, ok = usl.New([]usl.Point{{2, 10}, {4, 20}, {8, 40}})
	require.False(t, ok, "nothing is known of one worker")
}
