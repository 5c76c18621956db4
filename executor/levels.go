package executor

import (
	"math"
	"time"
)

// grow multiplies the limit after each round of calls until a line forms.
func (a *adaptive) grow(now time.Duration, m measurement) {
	if a.base.mean == 0 {
		a.base.reset(m.time, 0)
	}
	longer, doubt := math.Log(m.time/a.base.mean), a.doubt(m)
	if a.base.weight == 0 {
		doubt = a.error(m)
	}
	if a.lineFormed(m, longer, doubt) {
		a.leaveGrowth(now, m, longer, doubt)
		return
	}
	switch {
	case m.time < a.base.mean*(1-3*doubt):
		a.base.reset(m.time, m.calls)
	case a.cold:
		a.base.merge(m.time, m.calls)
	}
	if longer > slack/2 {
		a.growth = laterGrowth
	}
	next := m.inFlight
	a.level = m.inFlight
	if a.used(m) {
		a.level = float64(a.limit)
		if next = a.level; !a.saturated {
			next *= a.growth
			a.reason = "the throughput follows"
		}
	}
	a.set(now, next)
}

// lineFormed reports whether calls wait for each other: they take longer than
// unloaded ones, or have come to take longer by as much as there are more of them.
func (a *adaptive) lineFormed(m measurement, longer, doubt float64) bool {
	follows := 0.0
	if a.before.calls > 0 && m.inFlight > 1.2*a.before.inFlight {
		follows = math.Log(m.time/a.before.time) / math.Log(m.inFlight/a.before.inFlight)
	}
	a.before = m
	tolerated := slack
	if !a.cold && a.level < m.inFlight {
		tolerated = min(tolerated, math.Log(m.inFlight/a.level)/2)
	}
	return longer >= tolerated+doubt || follows >= 0.6
}

// leaveGrowth goes to the level that the last round speaks for. If all that is
// known of unloaded calls is one call, that may have been an odd one: then a dip
// finds out.
func (a *adaptive) leaveGrowth(now time.Duration, m measurement, longer, doubt float64) {
	if a.level > 0 && a.level < 0.8*m.inFlight {
		lost := math.Log(a.level / a.base.mean * m.time / m.inFlight)
		a.congested = lost > max(0.1, 2*doubt)
	}
	a.rate = math.Log(m.inFlight / m.time)
	a.mode, a.cold = holding, false
	a.before.calls, a.rounds = 0, 0
	a.reason = "calls began to wait for each other"
	if longer > max(0.7, doubt) && a.base.weight <= 4 {
		a.dip(now, m)
		return
	}
	a.settle(now)
}

// settle goes to the level that Little's law asks for.
func (a *adaptive) settle(now time.Duration) {
	a.level = a.lawful()
	a.set(now, a.level)
}

// lawful returns throughput × base with headroom. The base counts as long as it
// may well be: too long a line costs latency, too short a one throughput. Under
// congestion it is the other way round.
func (a *adaptive) lawful() float64 {
	base, room := a.base.mean, headroom
	if !a.congested {
		base *= 1 + min(0.5, a.base.error(a.noise))
		room += noiseRoom * a.noise
	}
	return math.Exp(a.rate) * base * (1 + room)
}

// hold keeps to the level, and questions it now and then.
func (a *adaptive) hold(now time.Duration, m measurement) {
	// Too few items: nothing follows from what they achieve. (Calls that end in a
	// window began in the one before it.)
	if !a.held && m.inFlight < 0.8*float64(min(a.limit, a.previous)) {
		a.mode = holding
		a.set(now, max(a.level, float64(min(a.limit, a.previous))))
		return
	}
	if a.base.mean == 0 { // all that came so far was lost
		a.base.reset(m.time, 1)
	}
	a.followRate(m)
	if a.gotFaster(now, m) {
		return
	}
	a.remember(m)
	a.base.relearn(m, a.noise)
	next := a.lawful()
	a.refine.windows++
	if a.refine.windows > min(refineAfter+4*a.refine.times*a.refine.times, refineRarely) &&
		a.base.error(a.noise) > 0.03 && next > 1.5 {
		a.refine.windows = 0
		a.refine.times++
		a.mode = refining
		a.set(now, 0.8*math.Exp(a.rate)*a.base.mean)
		return
	}
	if next < m.inFlight*math.Exp(-max(0.5, 3*a.error(m))) {
		a.dip(now, m)
		return
	}
	a.rounds += m.calls / m.inFlight
	used := a.used(m)
	if !used || a.saturated {
		next = min(next, float64(a.limit))
	}
	a.mode, a.level = holding, next
	if used && !a.saturated && a.rounds >= probeEvery {
		a.rounds, a.mode = 0, probing
		next += max(1, a.stride(m)*next)
	}
	a.set(now, next)
}

// stride returns how far a step up goes, relative to the level: far enough to
// be told from noise.
func (a *adaptive) stride(m measurement) float64 {
	bold := 1.5
	if a.congested {
		bold = 0.75
	}
	return max(0.05, bold*a.error(m))
}

// followRate filters the throughput: the noisier, the more slowly, but a jump at once.
func (a *adaptive) followRate(m measurement) {
	rate, noise := math.Log(m.inFlight/m.time), a.error(m)
	change := rate - a.rate
	if math.Abs(change) > max(0.1, 3*noise) {
		a.rate = rate
	} else {
		a.rate += change / (1 + 60*noise*noise)
	}
}

// gotFaster reports whether calls take less than unloaded ones did, twice or
// beyond all doubt: the service has changed. If it changed by much, its room may
// have too, and the limit grows.
func (a *adaptive) gotFaster(now time.Duration, m measurement) bool {
	a.faster++
	if m.time >= a.base.mean*(1-max(0.05, 3*a.doubt(m))) {
		a.faster = 0
	}
	if a.faster < 2 && m.time >= a.base.mean*(1-max(0.05, 6*a.doubt(m))) {
		return false
	}
	much := m.time < 0.7*a.base.mean
	a.base.reset(m.time, m.calls)
	if much {
		a.reason = "calls take less than they did"
		a.mode, a.growth = growing, laterGrowth
		a.set(now, m.inFlight*laterGrowth)
	}
	return much
}

// remember keeps what the latest windows at the level were like.
func (a *adaptive) remember(m measurement) {
	x, y, u := math.Log(m.inFlight), math.Log(m.time), &a.usual
	if math.Abs(x-u.inFlight) > 0.2 {
		u.calls = 0
	}
	u.calls = 0.7*u.calls + m.calls
	u.inFlight += (x - u.inFlight) * m.calls / u.calls
	u.time += (y - u.time) * m.calls / u.calls
}

// probed judges a step up by a sequential probability ratio test (Wald, 1945)
// over the latest steps: either calls take as long as before it, or longer by as
// much as there are more of them.
func (a *adaptive) probed(now time.Duration, m measurement) {
	a.mode = holding
	step, longer := math.Log(m.inFlight)-a.usual.inFlight, math.Log(m.time)-a.usual.time
	variance := max(0.02*0.02, a.noise*a.noise*(1/m.calls+1/max(1, a.usual.calls)))
	if step > 0.02 && a.used(m) {
		a.odds = max(-2, 0.7*a.odds+step*(step/2-longer)/variance)
	}
	if a.odds <= 1 {
		a.hold(now, m)
		return
	}
	a.odds = 0
	if own := math.Exp(a.usual.time); own > a.base.mean {
		a.base.reset(own, a.usual.calls)
	}
	a.reason = "a few more calls were not kept waiting"
	a.mode, a.growth = growing, laterGrowth
	a.before, a.level = m, m.inFlight
	a.set(now, 1.5*m.inFlight)
}

// refined takes what calls take a little below the level: unloaded, unless
// there still was a line to leave.
func (a *adaptive) refined(now time.Duration, m measurement) {
	a.base.relearn(m, a.noise)
	if m.time < a.base.mean*(1-max(0.05, 2.5*a.doubt(m))) && m.inFlight > 1.5 {
		a.base.reset(m.time, m.calls)
		a.set(now, 0.7*m.inFlight)
		return
	}
	a.mode = holding
	a.base.merge(m.time, m.calls)
	a.settle(now)
}

// dip goes where Little's law says that there is no line, without headroom, to
// see whether that is so.
func (a *adaptive) dip(now time.Duration, m measurement) {
	a.mode, a.before = dipping, m
	a.set(now, m.inFlight/m.time*a.base.mean)
}

// dipped takes what calls take far below the level that was left.
func (a *adaptive) dipped(now time.Duration, m measurement) {
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
		a.rate = math.Log(rate)
		a.reason = "the service has less room than it had"
		a.settle(now)
	case math.Log(m.time/before.time) > 0.5*math.Log(m.inFlight/before.inFlight):
		// Calls take as long with fewer in flight: that is what they take now.
		a.base.reset(m.time, m.calls)
		a.rate = math.Log(held)
		a.reason = "calls take longer than they did, however few"
		a.mode, a.growth = growing, laterGrowth
		a.level = held * a.base.mean
		a.set(now, a.level)
	default: // still a line
		if m.time < before.time {
			a.base.reset(min(m.time, a.base.mean), m.calls)
		}
		a.dip(now, m)
	}
}
