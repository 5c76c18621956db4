package adaptive

import "time"

// Start is what a [Controller] begins with.
type Start struct {
	First          int           // calls in flight, within the bounds
	Floor, Ceiling int           // bounds of the limit; at least 1
	Batches        bool          // each call is many items' worth
	Together       bool          // no call is made alone first, to know what one takes
	More           bool          // there are more calls in flight than First: they don't count
	Known          time.Duration // what one call takes alone, as far as is known from
	Calls          int           // so many calls; 0 if nothing is
}

// New returns a controller. Its first window begins now.
func New(now time.Duration, s Start) *Controller {
	a := &Controller{cold: true, growth: FirstGrowth}
	a.floor, a.first, a.loaded, a.pause = max(1, s.Floor), s.First, s.Together, probeEvery
	a.ceiling = max(a.floor, s.Ceiling)
	a.limit = max(a.floor, min(s.First, a.ceiling))
	a.serial.watched = s.Batches
	a.window = window{since: now, limit: a.limit, raised: !s.More, fresh: true}
	if s.Calls > 0 {
		a.base.reset(max(instant, s.Known.Seconds()), float64(s.Calls))
	}
	return a
}

// Limit is the number of calls that may be in flight.
func (a *Controller) Limit() int { return a.limit }

// Epoch counts the changes of the limit.
func (a *Controller) Epoch() int64 { return a.epoch }

// Bound sets the bounds of the limit. Where the former were what kept the first calls from
// being more, they become more.
func (a *Controller) Bound(now time.Duration, floor, ceiling int) {
	a.floor = max(1, floor)
	a.ceiling = max(a.floor, ceiling)
	if a.cold && a.limit < min(a.first, a.ceiling) {
		a.set(now, float64(a.first))
	}
}

// Bounds returns what was set.
func (a *Controller) Bounds() (floor, ceiling int) { return a.floor, a.ceiling }

// Observe takes note of how the calls are made.
func (a *Controller) Observe(c Conditions) {
	a.saturated, a.held, a.open = c.Saturated || a.serial.watched && a.ending(c.Batches), c.Held, c.Open
}

// State is how things stand.
func (a *Controller) State() State {
	s := State{
		Baseline: seconds(a.base.mean), Latency: seconds(a.latest.time),
		Exploring: a.cold && a.limit < a.ceiling,
		Settled:   !a.cold && a.mode != growing,
	}
	if a.latest.time > 0 {
		s.Rate = a.latest.inFlight / a.latest.time
	}
	return s
}

// Reason is why the limit changed since it was asked for last.
func (a *Controller) Reason() (reason string) {
	reason, a.reason = a.reason, ""
	return reason
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Restart begins the first window anew, if nothing is known yet: there are more calls in
// flight than the limit, which began before there was one, and tell nothing of it.
func (a *Controller) Restart(now time.Duration) {
	if a.cold && a.base.mean == 0 {
		a.set(now, float64(a.limit))
		a.window.fresh, a.window.raised = true, false
	}
}
