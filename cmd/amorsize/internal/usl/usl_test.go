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

// An error of a rate counts the same at every point: the law that is fitted is the one
// with the least sum of squares of rates, nearly.
func TestFitWeighs(t *testing.T) {
	points := []usl.Point{{1, 100}, {2, 180}, {4, 320}, {8, 400}, {16, 420}}
	fit, ok := usl.New(points)
	require.True(t, ok)
	squares := func(f usl.Fit) (sum float64) {
		for _, p := range points {
			sum += (f.At(p.Workers) - p.Rate) * (f.At(p.Workers) - p.Rate)
		}
		return sum
	}
	best := fit
	for s := 0.0; s < 0.3; s += 0.002 {
		for k := 0.0; k < 0.02; k += 0.0002 {
			if other := (usl.Fit{Lambda: 100, Sigma: s, Kappa: k}); squares(other) < squares(best) {
				best = other
			}
		}
	}
	require.Less(t, squares(fit), 1.3*squares(best), "%+v beside %+v", fit, best)
	mean, all := 284.0, 0.0
	for _, p := range points {
		all += (p.Rate - mean) * (p.Rate - mean)
	}
	require.InDelta(t, 1-squares(fit)/all, fit.R2, 1e-12)
}

func TestFitOfFewPoints(t *testing.T) {
	_, ok := usl.New([]usl.Point{{1, 10}, {2, 15}})
	require.False(t, ok)
	_, ok = usl.New([]usl.Point{{1, 0}, {2, 15}, {4, 20}})
	require.False(t, ok)
	fit, ok := usl.New([]usl.Point{{1, 10}, {2, 10}, {4, 10}}) // one at a time
	require.True(t, ok)
	require.InDelta(t, 1, fit.Sigma, 1e-9)
	require.Equal(t, 1.0, fit.R2, "there is no variation to explain")
	require.Zero(t, usl.Fit{Lambda: 1, Sigma: 1, Kappa: 0.1}.Peak())
	fit, ok = usl.New([]usl.Point{{1, 10}, {2, 15}, {2, 16}}) // two numbers of workers don't tell σ from κ
	require.True(t, ok)
	require.Zero(t, fit.Sigma+fit.Kappa)
	fit, ok = usl.New([]usl.Point{{1, 10}, {2, 22}, {4, 30}, {8, 12}}) // falls fast, at first more than linear
	require.True(t, ok)
	require.Zero(t, fit.Sigma)
	require.InDelta(t, 0.0586, fit.Kappa, 1e-4, "Σwby ÷ Σwb², by hand")
}

// Where workers seem to help each other, only what is serial is left to fit.
func TestFitWithoutContention(t *testing.T) {
	points := []usl.Point{{1, 10}, {2, 15}, {4, 26}, {8, 50}}
	fit, ok := usl.New(points)
	require.True(t, ok)
	require.Zero(t, fit.Kappa)
	var aa, ay float64
	for _, p := range points {
		n := float64(p.Workers)
		y := n*10/p.Rate - 1
		aa, ay = aa+(n-1)*(n-1)/(1+y)/(1+y), ay+(n-1)*y/(1+y)/(1+y)
	}
	require.InDelta(t, ay/aa, fit.Sigma, 1e-12)
}
