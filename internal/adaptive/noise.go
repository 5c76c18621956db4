package adaptive

import "math"

// rounding is what two equal variations may differ by, as squares.
const rounding = 1e-9

// learnNoise follows the variation of calls, relative to unloaded ones: a line
// adds to the time and not to its variation. Calls that take much longer than unloaded
// ones count as well once the limit stays: not all of them wait in a line, some are of
// another kind, as those that miss a cache. A window that is fresh shows a line that
// builds up, which would pass for variation.
func (a *Controller) learnNoise(m measurement, fresh bool) {
	cv := m.cv
	if a.base.weight > 4 {
		if fresh && math.Abs(math.Log(m.time/a.base.mean)) > 0.25+2*a.error(m) {
			return
		}
		cv *= max(1, min(2, m.time/a.base.mean)) // by more, the service has changed
	}
	squared := min(1, cv*cv*m.calls/max(1, m.calls-1))
	if a.mode == refining { // there is no line that could add to it
		a.spread = min(a.spread, m.calls)
	}
	// The long calls of a fresh window have not ended: that the others vary as little as is
	// known, or less, says nothing of them.
	if fresh && a.mode != refining && a.noise*a.noise > squared-rounding && a.spread > 0 {
		return
	}
	a.spread = min(a.spread+m.calls, 100)
	a.noise = math.Sqrt(a.noise*a.noise + (squared-a.noise*a.noise)*min(1, m.calls/a.spread))
}

func (a *Controller) learnAlone(m measurement) {
	a.loaded = false
	if a.base.weight <= 4 || math.Abs(math.Log(m.time/a.base.mean)) > 3*a.error(m) {
		a.base.reset(m.time, m.calls)
	} else {
		a.base.merge(m.time, m.calls)
	}
}
