package adaptive

import (
	"math"
	"time"
)

const (
	// serialGain is what more than one call at a time must achieve, relative to one, for
	// the service not to be one that takes them one by one.
	serialGain = 1.3
	// trulyTwo is how many calls were in flight on average where there were two: one of
	// the fewest that are judged began before the second did.
	trulyTwo = 1.7
	// serialPause is how many calls lie before the next attempt at more than one; twice
	// as many each time that it is in vain, up to serialRarely.
	serialPause  = 16.0
	serialRarely = 256.0
)

// serial watches for a service that takes one call at a time, as a database with one
// writer does. Its lock may be unfair: then one call is served again and again while
// another gets nowhere, and calls that end take no longer than alone. So it is known by
// what calls achieve, and not by what they take. Only where calls are few and large,
// batches, is every one of them worth as much: elsewhere a line shows soon enough.
type serial struct {
	watched bool
	pause   float64 // calls until the next attempt, 0 before the service was found to be one
}

// secondTried reports whether a second call is being tried, of a service that was found to
// take one at a time. Four calls tell: a call that polls for a lock looks ever more rarely,
// and what it is left waiting for is lost when the first goes back to one.
func (a *Controller) secondTried() bool {
	return a.serial.pause > 0 && a.mode == probing && a.limit == 2
}

// serialised goes back to one call at a time if more of them achieve no more, and
// reports whether that is what the window has shown.
func (a *Controller) serialised(now time.Duration, m measurement) bool {
	if !a.serial.watched || a.floor > 1 || a.base.mean == 0 || m.inFlight < trulyTwo {
		return false
	}
	if a.limit == 1 { // a call from before gets nowhere still
		a.rounds += m.calls
		a.set(now, 1)
		return true
	}
	// What one takes alone may be less by now than it was, so the fastest counts: a call
	// that is served again and again takes as long as alone.
	if m.rate*min(a.base.mean, m.mean) >= serialGain {
		a.serial.pause = 0
		return false
	}
	a.serial.pause = max(serialPause, min(2*a.serial.pause, serialRarely))
	a.mode, a.cold, a.congested = holding, false, true
	a.level, a.rate = 1, math.Log(1/a.base.mean)
	a.rounds, a.pause = 0, a.serial.pause
	a.reason = "one call at a time reaches the same throughput"
	a.set(now, 1)
	return true
}

// ending reports whether so few batches are left that more calls in flight than now are of
// no use. They would cut them smaller, which is not cheaper, and what calls that are cut
// small tell of the service is of no use any more. An attempt at a second call, where
// one at a time is what the service takes, may leave a call behind that gets nowhere, and
// the end of the run would wait for it.
func (a *Controller) ending(batches float64) bool {
	return batches < max(float64(a.limit), a.serial.pause)
}
