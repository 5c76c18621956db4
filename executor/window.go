package executor

import (
	"math"
	"time"
)

// attempt is a call of the service, as it is known when it begins.
type attempt struct {
	began    time.Duration
	inFlight int     // with it
	epoch    int64   // counts the changes of the limit
	items    int     // that it is for
	cost     float64 // relative to an ordinary call; 0 is that of its items
}

// units returns what it costs, relative to an ordinary call.
func (c attempt) units() float64 {
	if c.cost > 0 {
		return c.cost
	}
	return float64(max(1, c.items))
}

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
}

// add takes a call that has ended, and reports whether it counts. One that costs more
// than an ordinary call counts by what that would have taken, as one observation.
func (w *window) add(now time.Duration, c attempt, base float64) bool {
	w.ended += c.units()
	if w.fresh && !w.began(c, base) {
		return false
	}
	took := (now - c.began).Seconds() / c.units()
	w.calls++
	w.seconds += took
	w.squares += took * took
	w.inFlight += float64(c.inFlight)
	w.peak = max(w.peak, float64(c.inFlight))
	return true
}

// began reports whether c began in the window, or so shortly before the limit
// was raised that it makes no difference: where calls end in bursts, a burst
// would else be cut in two.
func (w *window) began(c attempt, base float64) bool {
	if w.raised {
		return c.epoch == w.epoch || c.began >= w.since-time.Duration(base*1e8)
	}
	return c.epoch == w.epoch && 10*c.inFlight <= 11*w.limit+10
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

// measure returns what the window has shown. open are the attempts in flight.
func (w *window) measure(now time.Duration, base float64, open []attempt) measurement {
	m := measurement{calls: w.calls, time: max(instant, w.seconds/w.calls), inFlight: w.inFlight / w.calls}
	m.begun, m.mean = m.inFlight, m.time
	m.rate = w.ended / max(instant, (now-w.since).Seconds())
	m.cv = math.Sqrt(max(0, w.squares/w.calls-m.time*m.time)) / m.time
	if w.fresh {
		m.inFlight = w.peak // the first ones began when there were few
		for _, c := range open {
			if w.began(c, base) {
				m.inFlight = max(m.inFlight, float64(c.inFlight))
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
func (w *window) uncensored(now time.Duration, base float64, m measurement, open []attempt) float64 {
	mean, sure := m.time, 1-min(1, m.cv*m.cv)
	for range 3 { // the share over follows from the mean: a fixed point
		seconds, calls := w.seconds, w.calls
		for _, c := range open {
			if w.began(c, base) {
				age := (now - c.began).Seconds() / c.units()
				seconds += age
				calls += sure * min(1, age/mean)
			}
		}
		mean = max(instant, seconds/calls)
	}
	return mean
}
