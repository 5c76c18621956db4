package adaptive

import (
	"math"
	"time"
)

// window adds up the calls that ended since the limit last changed.
type window struct {
	since    time.Duration
	epoch    int64
	limit    int     // then in force
	raised   bool    // it was raised
	fresh    bool    // it was changed by much: only calls count that began since
	calls    float64 // that have ended
	ended    float64 // with those that do not count, in units of an ordinary call
	seconds  float64 // that they took
	squares  float64
	inFlight float64 // added up over the calls
	peak     float64 // most in flight
	open     bool    // calls come as others please, and so not together
}

// add takes a call that has ended, and reports whether it counts. One that costs more
// than an ordinary call counts by what that would have taken, as one observation.
func (w *window) add(now time.Duration, c Attempt, base float64) bool {
	units := c.units()
	w.ended += units
	if w.fresh && !w.began(c, base) {
		return false
	}
	took := (now - c.Began).Seconds()
	if units != 1 { // a division takes as long as all else here
		took /= units
	}
	w.calls++
	w.seconds += took
	w.squares += took * took
	w.inFlight += float64(c.InFlight)
	w.peak = max(w.peak, float64(c.InFlight))
	return true
}

// began reports whether c began in the window, or so shortly before the limit
// was raised that it makes no difference: where calls end in bursts, a burst
// would else be cut in two.
func (w *window) began(c Attempt, base float64) bool {
	if w.raised {
		return c.Epoch == w.epoch || c.Began >= w.since-time.Duration(base*1e8)
	}
	return c.Epoch == w.epoch && 10*c.InFlight <= 11*w.limit+10
}

// measurement is what a window has shown.
type measurement struct {
	calls    float64 // that it is from
	time     float64 // mean seconds of a call
	inFlight float64 // mean number of calls in flight as they began
	rate     float64 // calls that ended a second
	mean     float64 // mean seconds of those that ended, without a guess at the others
	begun    float64 // mean number of calls in flight as one began
	cv       float64 // coefficient of variation of a call's time
}

// instant is the least time of a call, in seconds: the clock's unit. In virtual
// time calls may take none at all.
const instant = 1e-9

// lockstep is the variation up to which calls may well end together, and so begin one
// after the other: on average each then sees fewer in flight than there are. By Little's
// law that is throughput × time; where calls vary, what they see is the better estimate.
const lockstep = 0.01

// measure returns what the window has shown. open are the attempts in flight.
func (w *window) measure(now time.Duration, base float64, open []Attempt) measurement {
	m := measurement{calls: w.calls, time: max(instant, w.seconds/w.calls), inFlight: w.inFlight / w.calls}
	m.begun, m.mean = m.inFlight, m.time
	m.rate = w.ended / max(instant, (now-w.since).Seconds())
	m.cv = math.Sqrt(max(0, w.squares/w.calls-m.time*m.time)) / m.time
	if !w.open && m.cv < lockstep {
		m.inFlight = max(m.inFlight, min(w.peak, m.rate*m.mean))
	}
	if w.fresh {
		m.inFlight = w.peak // the first ones began when there were few
		for _, c := range open {
			if w.began(c, base) {
				m.inFlight = max(m.inFlight, float64(c.InFlight))
			}
		}
		m.time = w.uncensored(now, base, m, open)
	}
	return m
}

// uncensored estimates the mean time of a call from calls of which some have
// not ended: those are the long ones. The time spent in all of them is divided
// by how many of them it was worth: a call still open counts as the share of it
// that is over, which is certain if all calls take the same time, and as nothing
// if their time is memoryless (exponential; cv 1): then time spent says nothing
// about time left.
func (w *window) uncensored(now time.Duration, base float64, m measurement, open []Attempt) float64 {
	mean, sure := m.time, 1-min(1, m.cv*m.cv)
	for range 3 { // the share over follows from the mean: a fixed point
		seconds, calls := w.seconds, w.calls
		for _, c := range open {
			if w.began(c, base) {
				age := (now - c.Began).Seconds() / c.units()
				seconds += age
				calls += sure * min(1, age/mean)
			}
		}
		mean = max(instant, seconds/calls)
	}
	return mean
}
