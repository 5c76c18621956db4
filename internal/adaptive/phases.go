package adaptive

import (
	"math"
	"time"
)

// grow multiplies the limit after each round of calls until a line forms.
func (a *Controller) grow(now time.Duration, m measurement) {
	if a.base.mean == 0 {
		a.base.reset(m.time, 0)
	}
	if !a.cold && a.level > 0 && a.gotFaster(now, m) {
		return
	}
	doubt := a.doubt(m)
	if m.time < a.base.mean*math.Exp(-3*doubt) {
		a.base.reset(m.time, m.calls)
	}
	longer := math.Log(m.time / a.base.mean)
	if a.base.weight == 0 {
		doubt = a.error(m)
	}
	larger := a.before.calls > 0 && m.inFlight > 1.2*a.before.inFlight
	if a.lineFormed(m, longer, doubt) {
		a.leaveGrowth(now, m, doubt)
		return
	}
	if larger { // and the calls did not wait for each other before either
		a.loaded = false
	}
	if a.cold || a.base.weight < m.calls {
		a.base.merge(m.time, m.calls)
	}
	a.multiply(now, m, longer)
}

// multiply takes what is in flight for the level, and goes beyond it if it was the limit
// that bounded that. longer is the logarithm of how many times longer calls have come to take.
func (a *Controller) multiply(now time.Duration, m measurement, longer float64) {
	if longer > slack/2 {
		a.growth = laterGrowth
	}
	next := m.inFlight
	a.level = m.inFlight
	if a.used(m) {
		a.level = float64(a.limit)
		if next = a.level; !a.saturated {
			next *= a.growth
			a.reason = "throughput rose with the limit"
		}
	}
	a.set(now, next)
}

// lineFormed reports whether calls wait for each other: they take longer than
// unloaded ones, or have come to take longer by as much as there are more of them.
func (a *Controller) lineFormed(m measurement, longer, doubt float64) bool {
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
func (a *Controller) leaveGrowth(now time.Duration, m measurement, doubt float64) {
	a.rate = math.Log(m.inFlight / m.time)
	if a.level < 0.8*m.inFlight {
		earlier := math.Log(a.level / a.base.mean)
		if a.congested = earlier-math.Log(m.rate) > max(0.1, 2*doubt); a.congested {
			a.rate = earlier
		}
	}
	a.mode, a.cold = holding, false
	a.before.calls, a.rounds, a.refine.times, a.refine.windows = 0, 0, 0, refineAfter-3
	a.reason = "latency rose with the limit: calls queue"
	switch {
	case a.loaded:
		a.descend(now, m)
	case a.base.weight <= 4:
		a.dip(now, m)
	default:
		a.settle(now)
	}
}

// settle goes to the level that Little's law asks for.
func (a *Controller) settle(now time.Duration) {
	a.level = a.lawful()
	a.set(now, a.level)
}

// lawful returns throughput × base with headroom. The base counts as long as it
// may well be: too long a line costs latency, too short a one throughput. Under
// congestion it is the other way round. A service that was found to take one call at a
// time gets one: what a call of it takes is not known well, since some of them waited for
// the others, and only the trial of a second one can show that there is room.
func (a *Controller) lawful() float64 {
	if a.serial.pause > 0 {
		return 1
	}
	base, room := a.base.mean, headroom+noiseRoom*a.noise
	if !a.congested {
		base *= 1 + min(0.5, a.base.error(a.noise))
	}
	return math.Exp(a.rate) * base * (1 + room)
}

// policed keeps room for what policies let through, when it is they that bound
// the calls in flight: the service is not asked anything.
func (a *Controller) policed(now time.Duration, m measurement) {
	if a.base.weight < m.calls || math.Abs(math.Log(m.time/a.base.mean)) < 3*a.doubt(m) {
		a.base.merge(m.time, m.calls)
	}
	if a.mode != growing {
		a.mode = holding
	}
	a.rate = math.Log(m.inFlight / m.time)
	a.level = min(float64(a.limit), roomFor(m.inFlight))
	a.losses.metered = a.level
	a.set(now, a.level)
}

// roomFor returns how many calls may be in flight now and then where they come
// at random and are so many on average (Poisson: three standard deviations).
func roomFor(mean float64) float64 { return mean + 3*math.Sqrt(mean) + 1 }

// unbound keeps the limit where it bounds nothing, since fewer calls come: they tell what
// a call takes, and nothing of how many are too many.
func (a *Controller) unbound(now time.Duration, m measurement) {
	if a.base.weight < m.calls || math.Abs(math.Log(m.time/a.base.mean)) < 3*a.doubt(m) {
		a.base.merge(m.time, m.calls)
	}
	a.base.relearn(m, a.noise)
	if a.mode != growing {
		a.mode = holding
	}
	a.set(now, max(float64(a.limit), a.level)) // what a look from below had left
}

// hold keeps to the level, and questions it now and then.
func (a *Controller) hold(now time.Duration, m measurement) {
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
	if a.loaded && m.inFlight > 1.5 {
		a.descend(now, m)
		return
	}
	a.remember(m)
	a.base.relearn(m, a.noise)
	next := min(a.lawful(), mostRise*max(a.level, m.inFlight))
	if next < m.inFlight*math.Exp(-max(0.5, 3*a.doubt(m))) {
		a.dip(now, m)
		return
	}
	a.refine.windows++
	if a.refine.windows > min(refineAfter+4*a.refine.times*a.refine.times, refineRarely) &&
		a.base.error(a.noise) > 0.03 && next > 1.5 {
		a.refine.windows = 0
		a.refine.times++
		a.mode = refining
		a.set(now, 0.8*min(next, math.Exp(a.rate)*a.base.mean))
		return
	}
	a.keep(now, m, next)
}

// keep makes next the level, and steps above it where that is due.
func (a *Controller) keep(now time.Duration, m measurement, next float64) {
	a.rounds += m.calls / m.inFlight
	used := a.used(m)
	if !used || a.saturated {
		next = min(next, float64(a.limit))
	}
	a.mode, a.level = holding, next
	if used && !a.saturated && a.rounds >= a.pause {
		a.rounds, a.mode = 0, probing
		next += max(1, a.stride(m)*next)
	}
	a.set(now, next)
}

// stride returns how far a step up goes, relative to the level: far enough to
// be told from noise.
func (a *Controller) stride(m measurement) float64 {
	bold := 1.5
	if a.congested {
		bold = 0.75
	}
	return max(0.05, bold*a.error(m))
}

// followRate filters the throughput: the noisier, the more slowly, but a jump at once.
func (a *Controller) followRate(m measurement) {
	rate, noise := math.Log(m.inFlight/m.time), a.error(m)
	change := rate - a.rate
	if math.Abs(change) > max(0.1, 3*noise) {
		a.rate = rate
	} else {
		a.rate += change / (1 + 60*noise*noise)
	}
}

// gotFaster reports whether calls seem to take less than unloaded ones did: then
// the service has changed, or chance was kind. The next window tells, which
// counts only calls that began after this one.
func (a *Controller) gotFaster(now time.Duration, m measurement) bool {
	if m.time >= a.base.mean*math.Exp(-max(0.05, 3*a.doubt(m))) {
		a.suspect = false
		return false
	}
	if !a.suspect {
		a.suspect, a.mode = true, holding
		a.set(now, max(1, a.level))
		a.window.fresh = true
		return true
	}
	a.suspect = false
	much := m.time < 0.7*a.base.mean
	a.base.reset(m.time, m.calls)
	if much {
		a.reason = "calls became faster"
		a.anew(max(1, a.level))
		a.settle(now)
	}
	return much
}

// anew begins to judge afresh, because calls have come to take a different time.
// As many in flight as before are as good a guess as any, and more are tried soon.
func (a *Controller) anew(level float64) {
	a.rate = math.Log(level / a.base.mean)
	a.usual.calls, a.odds, a.refine.times, a.refine.windows = 0, 0, 0, refineAfter
	a.mode, a.pause, a.rounds = holding, probeEvery, probeEvery
}

// remember keeps what the latest windows at the level were like.
func (a *Controller) remember(m measurement) {
	x, y, u := math.Log(m.inFlight), math.Log(m.time), &a.usual
	if math.Abs(x-u.inFlight) > 0.2 {
		u.calls = 0
	}
	u.calls = 0.7*u.calls + m.calls
	u.inFlight += (x - u.inFlight) * m.calls / u.calls
	u.time += (y - u.time) * m.calls / u.calls
}
