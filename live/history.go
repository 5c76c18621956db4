package live

import (
	"time"

	"github.com/amorsize/amorsize"
)

// history is a run over time, in evenly spread points: when it is full, every other point is
// dropped, and points are added half as often. The run's lock guards it.
type history struct {
	points []point
	every  time.Duration // least time between two points
	before amorsize.Progress
}

// point is the state of a run at one time.
type point struct {
	At       float64 `json:"t"` // seconds since the run began
	Limit    int     `json:"limit"`
	InFlight int     `json:"in_flight"`
	Goodput  float64 `json:"goodput"` // successful calls a second, since the point before
	P50      float64 `json:"p50"`     // seconds, of the calls since the point before
	P99      float64 `json:"p99"`
}

// maxPoints is how many points there are at most, and firstEvery how close they are at first.
const (
	maxPoints  = 240
	firstEvery = 200 * time.Millisecond
)

// add adds a point, if one is due.
func (h *history) add(p amorsize.Progress) {
	took := p.Elapsed - h.before.Elapsed
	if took < max(h.every, firstEvery) {
		return
	}
	next := point{At: p.Elapsed.Seconds(), Limit: p.Now.Limit, InFlight: p.Now.InFlight}
	calls, earlier := p.Calls, h.before.Calls
	if earlier == nil {
		earlier = &amorsize.Calls{}
	}
	next.Goodput = max(0, float64(calls.OK()-earlier.OK())/took.Seconds())
	recent := calls.Latency.Since(&earlier.Latency)
	next.P50, next.P99 = recent.Quantile(0.5).Seconds(), recent.Quantile(0.99).Seconds()
	h.before = p
	if h.points = append(h.points, next); len(h.points) < maxPoints {
		return
	}
	for i := range maxPoints / 2 {
		h.points[i] = h.points[2*i+1]
	}
	h.points = h.points[:maxPoints/2]
	h.every = 2 * max(h.every, firstEvery)
}
