package sizing

import "time"

// batchMemory is how many observations count; older ones fade.
const batchMemory = 64

// costModel fits time = overhead + n × item to batches that were run, by least
// squares over the relative error, the recent ones counting more. A small batch
// tells the overhead, a large one the items; weighting by 1/time² lets neither
// drown the other.
type costModel struct {
	weight, n, t, nn, nt float64

	// The latest fit: once all batches are of one size, they say nothing new
	// about overhead and items apart.
	overhead, item float64
	fitted         bool
}

func (m *costModel) add(n int, took time.Duration) {
	if took <= 0 {
		took = 1
	}
	const fade = 1 - 1.0/batchMemory
	x, y := float64(n), float64(took)
	w := 1 / (y * y)
	m.weight = m.weight*fade + w
	m.n = m.n*fade + w*x
	m.t = m.t*fade + w*y
	m.nn = m.nn*fade + w*x*x
	m.nt = m.nt*fade + w*x*y
	m.refit()
}

// refit solves for overhead and cost per item in nanoseconds, both at least 0,
// if batches of different sizes have been seen lately.
func (m *costModel) refit() {
	det := m.weight*m.nn - m.n*m.n
	if det <= 1e-6*m.weight*m.nn {
		return
	}
	m.fitted = true
	m.item = (m.weight*m.nt - m.n*m.t) / det
	m.overhead = (m.t - m.item*m.n) / m.weight
	switch {
	case m.item < 0:
		m.overhead, m.item = m.t/m.weight, 0
	case m.overhead < 0:
		m.overhead, m.item = 0, m.nt/m.nn
	}
}

// time returns what a batch of n items takes, 0 if that is not known.
func (m *costModel) time(n int) time.Duration {
	switch {
	case m.fitted:
		return time.Duration(m.overhead + float64(n)*m.item)
	case m.weight > 0:
		return time.Duration(m.t / m.weight) // all were of one size
	}
	return 0
}
