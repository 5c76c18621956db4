// Package usl fits the universal scalability law to measured throughputs.
package usl

import "math"

// Point is the throughput of a number of workers.
type Point struct {
	Workers int
	Rate    float64 // items per second
}

// Fit is the law X(N) = λN / (1 + σ(N−1) + κN(N−1)). λ is the throughput of one worker, σ the serial share of the
// work, and κ what workers cost each other (Gunther, "Guerrilla Capacity Planning", 2007).
type Fit struct {
	Lambda float64 `json:"lambda_per_s"`
	Sigma  float64 `json:"sigma"`
	Kappa  float64 `json:"kappa"`
	R2     float64 `json:"r2"` // share of the variation that the fit explains
}

// New fits the law by least squares on N·λ/X − 1 = σ(N−1) + κN(N−1), linear in σ
// and κ, neither below 0. It needs a point of one worker and two of more.
func New(points []Point) (f Fit, ok bool) {
	for _, p := range points {
		if p.Workers == 1 {
			f.Lambda = p.Rate
		}
	}
	if f.Lambda <= 0 || len(points) < 3 {
		return f, false
	}
	var aa, ab, bb, ay, by float64
	for _, p := range points {
		n := float64(p.Workers)
		a, b, y := n-1, n*(n-1), n*f.Lambda/p.Rate-1
		// An error of the rate counts equally at every point: y is larger by that factor.
		w := 1 / ((y + 1) * (y + 1))
		aa, ab, bb, ay, by = aa+w*a*a, ab+w*a*b, bb+w*b*b, ay+w*a*y, by+w*b*y
	}
	if d := aa*bb - ab*ab; d > 0 {
		f.Sigma, f.Kappa = (ay*bb-by*ab)/d, (by*aa-ay*ab)/d
	}
	switch {
	case f.Kappa < 0:
		f.Sigma, f.Kappa = max(0, ay/aa), 0
	case f.Sigma < 0:
		f.Sigma, f.Kappa = 0, max(0, by/bb)
	}
	f.R2 = f.explained(points)
	return f, true
}

// At returns the rate of that number of workers.
func (f Fit) At(workers int) float64 {
	n := float64(workers)
	return f.Lambda * n / (1 + f.Sigma*(n-1) + f.Kappa*n*(n-1))
}

// Peak returns the number of workers beyond which more achieve less; 0 if there is none.
func (f Fit) Peak() int {
	if f.Kappa <= 0 || f.Sigma >= 1 {
		return 0
	}
	return int(math.Round(math.Sqrt((1 - f.Sigma) / f.Kappa)))
}

func (f Fit) explained(points []Point) float64 {
	mean := 0.0
	for _, p := range points {
		mean += p.Rate / float64(len(points))
	}
	var left, all float64
	for _, p := range points {
		left += (p.Rate - f.At(p.Workers)) * (p.Rate - f.At(p.Workers))
		all += (p.Rate - mean) * (p.Rate - mean)
	}
	if all == 0 {
		return 1
	}
	return 1 - left/all
}
