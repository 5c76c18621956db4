package adaptive

import (
	"math"
	"time"
)

// probed judges a step up by a sequential probability ratio test (Wald, 1945)
// over the latest steps: either calls take as long as before it, or longer by as
// much as there are more of them.
func (a *Controller) probed(now time.Duration, m measurement) {
	step, longer := math.Log(m.inFlight)-a.usual.inFlight, math.Log(m.time)-a.usual.time
	variance := max(0.02*0.02, a.noise*a.noise*(1/m.calls+1/max(1, a.usual.calls)))
	if step > 0.02 && a.used(m) && longer > -max(0.1, 3*math.Sqrt(variance)) {
		a.odds = max(-2, 0.7*a.odds+step*(step/2-longer)/variance)
		a.worse = max(-3, min(0.8*a.worse+step*(longer-1.35*step)/variance, 3))
		a.congested = a.worse > 1.5 || a.congested && a.worse > -1.5
		if a.pause = probeEvery; a.congested {
			a.pause = max(probeRarely, a.serial.pause)
		}
	}
	if a.odds <= 1 {
		a.hold(now, m)
		return
	}
	a.odds = 0
	if own := math.Exp(a.usual.time); own > a.base.mean {
		a.base.reset(own, a.usual.calls)
	}
	a.reason = "a probe with more calls saw no added latency"
	a.mode, a.growth = growing, laterGrowth
	a.before, a.level = m, m.inFlight
	a.set(now, 1.75*m.inFlight)
}

// refined takes what calls take a little below the level: unloaded, unless
// there still was a line to leave.
func (a *Controller) refined(now time.Duration, m measurement) {
	a.base.relearn(m, a.noise)
	if m.time < a.base.mean*math.Exp(-max(0.05, 3*a.doubt(m))) && m.inFlight > 1.5 {
		much := m.time < 0.7*a.base.mean
		a.base.reset(m.time, m.calls)
		if a.set(now, 0.7*m.inFlight); much {
			a.reason = "calls became faster"
			a.anew(a.level)
			a.settle(now)
		}
		return
	}
	a.mode = holding
	a.base.merge(m.time, m.calls)
	a.settle(now)
}

// dip goes where Little's law says that there is no line, without headroom, to
// see whether that is so.
func (a *Controller) dip(now time.Duration, m measurement) {
	a.mode, a.before = dipping, m
	depth := a.base.mean / m.time
	if a.base.weight > 4 {
		depth = max(depth, 0.25)
	}
	a.set(now, m.inFlight*depth)
}

// dipped takes what calls take far below the level that was left.
func (a *Controller) dipped(now time.Duration, m measurement) {
	a.mode = holding
	before := a.before
	rate, held := m.inFlight/m.time, before.inFlight/before.time
	a.before.calls = 0
	switch {
	case m.inFlight < 1.5:
		a.rate = math.Log(max(held, rate))
		a.settle(now)
	case m.inFlight > 0.9*before.inFlight: // the floor is in the way
		a.base.reset(m.time, m.calls)
		a.rate = math.Log(rate)
		a.settle(now)
	case m.time < a.base.mean*(1.25+2*a.doubt(m)) && a.base.weight > 4:
		a.rate = math.Log(max(held, rate))
		a.reason = "the service's capacity fell"
		a.refine.times, a.refine.windows = 0, 0
		a.settle(now)
	case math.Log(m.time/before.time) > 0.7*math.Log(m.inFlight/before.inFlight):
		// Calls take as long with fewer in flight: that is what they take now.
		a.base.reset(m.time, m.calls)
		a.rate = math.Log(held)
		a.reason = "calls became slower at every limit"
		if a.level > 0 {
			a.anew(a.level)
			a.settle(now)
			return
		}
		a.mode, a.growth = growing, laterGrowth
		a.level = held * a.base.mean
		a.set(now, a.level)
	default: // still a line
		a.base.reset(min(m.time, a.base.mean), m.calls)
		a.dip(now, m)
	}
}

// descend goes down half by half until the throughput falls: there no call waits for
// another one. Else what the first calls took, who all came at once, would pass for what an
// unloaded one takes.
func (a *Controller) descend(now time.Duration, m measurement) {
	a.mode, a.before = descending, m
	a.set(now, min(m.inFlight, float64(a.first))/2)
}

// descended takes what the calls achieve with half as many in flight.
func (a *Controller) descended(now time.Duration, m measurement) {
	// By what ended: the time of a call is a guess as long as the line is served that is
	// left from before.
	held := a.before.rate
	if m.inFlight > 1.5 && m.rate > throughputHolds*held {
		a.before.rate = max(held, m.rate)
		a.set(now, m.inFlight/2)
		return
	}
	a.mode, a.loaded, a.before.calls = holding, false, 0
	a.base.reset(m.time, m.calls)
	a.rate = math.Log(held)
	a.settle(now)
}
