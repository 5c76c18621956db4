package concurrency

import (
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
)

// dial is a law whose limit a test sets, and which keeps what it is told.
type dial struct {
	limit               int
	done, lost, refused int
	silent              int // the limit once nothing ends, if it is not 0
	due                 bool
	latency             time.Duration
	conditions          adaptive.Conditions
	open                int // attempts at the latest review
}

func (d *dial) Limit() int                                { return d.limit }
func (d *dial) Epoch() int64                              { return int64(d.limit) } // another for each limit
func (d *dial) Bound(time.Duration, int, int)             {}
func (d *dial) Observe(c adaptive.Conditions)             { d.conditions = c }
func (d *dial) State() adaptive.State                     { return adaptive.State{Latency: d.latency} }
func (d *dial) Reason() string                            { return "by hand" }
func (d *dial) Done(time.Duration, adaptive.Attempt) bool { d.done++; return d.due }

func (d *dial) Lose(_ time.Duration, _ adaptive.Attempt, throttled bool) {
	if d.lost++; throttled {
		d.refused++
	}
}

func (d *dial) Review(_ time.Duration, open []adaptive.Attempt) bool {
	d.open = len(open)
	return true
}

func (d *dial) Silence(time.Duration) {
	if d.silent > 0 {
		d.limit = d.silent
	}
}

func dialled(p Policy, limit int) (*Limiter, *dial) {
	d := &dial{limit: limit}
	return newLimiter(p, d), d
}
