package adaptive

import (
	"math"
	"time"
)

// The controller's pace, found by simulation: docs/adaptive-concurrency.md tells
// what each buys and costs.
const (
	// leastCalls is the fewest calls that a decision is made on.
	// leastBatchCalls is the same for batches, each of which is many items' worth.
	leastCalls      = 6
	leastBatchCalls = 4
	// fewCalls is enough where a fresh window lasts overdue times as long as an
	// unloaded call.
	fewCalls = 3
	overdue  = 3.0
	// manyCalls times the squared variation of calls is how many of them make a
	// mean good enough to act on, where that is more than a round.
	manyCalls = 40
	// FirstGrowth is how many times as many calls a round may have as the one
	// before as long as nothing degrades at all, laterGrowth when something has.
	FirstGrowth = 2.5
	laterGrowth = 2.0
	// probeEvery is how many rounds of calls lie between two steps up.
	probeEvery = 5.0
	// probeRarely is the same where steps up were seen to achieve less.
	probeRarely = 7.5
	// mostRise is by how much the level may rise in a window: growth is for more.
	mostRise = 1.5
	// Patience is how long nothing may end before the first calls are joined by
	// as many: that long a call does not come from a service that a few more
	// would slow down by much.
	Patience = 25 * time.Millisecond
	// refineAfter is how many windows lie before the first look at unloaded
	// calls; the pauses grow up to refineRarely windows.
	refineAfter  = 8.0
	refineRarely = 200.0
	// throughputHolds is the share of the throughput from which on it is held to be the
	// same with half the calls in flight: the middle between that and half of it (√½).
	throughputHolds = 0.7
	// headroom is the line that is kept at the service so that its slots are
	// never idle, and noiseRoom how much more where calls vary, relative to the
	// variation.
	headroom  = 0.03
	noiseRoom = 0.15
	// slack is how much longer than unloaded calls may take while they grow in
	// number.
	slack = 0.2
)

// mode says what the latest change of the limit was for.
type mode int

const (
	growing    mode = iota // multiplied round by round while it pays
	holding                // at the level that Little's law asks for
	probing                // a step above it
	dipping                // far below, to tell a slow service from a long line
	refining               // a little below, to measure unloaded calls
	descending             // half by half, to find unloaded calls in the first place
)

// Controller finds how many calls in flight a service rewards, and keeps to it
// while the service changes. It is a state machine without clock and goroutine:
// it is told how attempts end, and answers with a limit.
//
// It starts with a few and multiplies them round by round. When calls begin to
// take longer by as much as there are more of them, a line has formed, and the
// limit goes where Little's law says that it just does not: throughput × what
// an unloaded call takes, plus headroom. Then it holds, and asks questions: a
// step up now and then, judged by a sequential test; a little below, to measure
// unloaded calls again, ever more rarely; far below when calls suddenly take
// long, since that tells a service that got slower from one with less room.
// Losses cap it. Little's law: L = λW (Little, 1961); the gain of the start and
// the probing around a model of the path are those of BBR (Cardwell et al.,
// 2016) carried over from bytes in flight to calls whose times vary.
//
//	in          goes to     when a window of calls shows that
//	growing     growing     they take as long as before: times growth
//	            holding     they take longer by as much as there are more: where Little's law says
//	            dipping     the same, and all that is known of unloaded calls is one call
//	            descending  the same, and no unloaded call has been seen for sure
//	holding     holding     nothing is new: the limit follows the throughput
//	            probing     five rounds have passed: a step up
//	            refining    ever more windows have passed: a fifth below the level
//	            dipping     they suddenly take much longer
//	probing     growing     several steps up were not kept waiting
//	            holding     else
//	refining    refining    they take less: further down
//	            holding     else, with what they take
//	dipping     dipping     there still is a line
//	            holding     there is none: less room than before, or slower calls
//	            growing     calls are slower, and no level is known
//	descending  descending  half as many achieve as much
//	            holding     they achieve less
//	any         holding     one was lost: at the cap
type Controller struct {
	limits
	conditions
	times
	steps

	mode      mode
	cold      bool // nothing but the first growth has happened
	growth    float64
	rate      float64     // ln of calls per second, filtered; 0 before it is known
	congested bool        // more calls in flight were seen to achieve less
	before    measurement // the round before in growing, the level left by a dip
	refine    struct{ windows, times float64 }
	losses    lossCap
	serial    serial
	window    window
	reason    string // why the limit changed, for a person; whoever reads it clears it
}

// Silence doubles the first calls if none of them has ended in Patience, or in four
// times of what one is known to take, and once more after as long again.
func (a *Controller) Silence(now time.Duration) {
	wait := max(Patience, seconds(4*a.base.mean))
	due := a.window.since + wait*time.Duration(a.epoch+1)
	if !a.cold || a.epoch > 1 || a.window.calls > 0 || now < due || a.saturated {
		return
	}
	since := a.window.since
	a.set(now, 2*float64(a.limit))
	a.window.fresh, a.window.since = true, since // the first calls count too
}

// Alone takes what a call took that nothing else was in flight with.
func (a *Controller) Alone(took time.Duration) {
	if a.base.mean == 0 {
		a.base.reset(max(instant, took.Seconds()), 1)
	}
}

// Done takes an attempt that ended, but for a loss, and reports whether there
// is enough for a review.
func (a *Controller) Done(now time.Duration, c Attempt) (due bool) {
	if a.losses.success(a.limit) {
		a.mode, a.growth, a.before.calls = growing, laterGrowth, 0
		a.reason = "the service answers again"
		if a.losses.metered > 0 { // at the rate of before
			a.mode = holding
			a.set(now, a.losses.metered)
		}
	}
	return a.window.add(now, c, a.base.mean) && a.ready(now)
}

// ready reports whether enough calls have ended for a review. A fresh window
// whose calls take much longer than unloaded ones need not last until most have
// ended: it is they that wait.
func (a *Controller) ready(now time.Duration) bool {
	w := &a.window
	few := max(fewCalls, float64(a.limit)/4)
	if a.mode == dipping {
		few = max(fewCalls, float64(a.limit)*0.75)
	}
	if a.mode != holding && a.mode != descending && w.fresh && a.base.mean > 0 && w.calls >= few &&
		(now-w.since).Seconds() > overdue*a.base.mean*(1+2*a.base.error(a.noise)) {
		return true
	}
	return w.calls >= a.need()
}

// need returns how many calls must have ended for a review.
func (a *Controller) need() float64 {
	limit := float64(a.limit)
	switch {
	case a.mode == descending:
		return max(2*leastCalls, limit, manyCalls*a.noise*a.noise)
	case a.mode == refining:
		return max(leastCalls, min(2*limit, max(limit, 400*a.noise*a.noise)))
	case a.window.fresh && a.serial.watched:
		return max(leastBatchCalls, limit*3/4)
	case a.secondTried():
		return leastBatchCalls
	case a.window.fresh: // not for the last few: they may take very long
		return max(leastCalls, limit*3/4)
	default:
		return max(leastCalls, limit, min(manyCalls*a.noise*a.noise, 6*limit))
	}
}

// Lose takes an attempt that the service refused or left unanswered; throttled
// says that it refused for being asked too often.
func (a *Controller) Lose(now time.Duration, c Attempt, throttled bool) {
	if a.held && float64(c.InFlight) < 0.8*float64(a.limit) { // it is not the limit that bounds
		a.losses.metered = max(a.losses.metered, roomFor(float64(c.InFlight)))
	}
	a.losses.loss(now, c, a.limit, throttled, a.mode == growing, a.cold)
	a.mode, a.cold = holding, false
	if a.rate == 0 && a.base.mean > 0 {
		a.rate = math.Log(a.losses.most / a.base.mean)
	}
	if float64(a.limit) > a.losses.most {
		a.reason = "the service refused calls"
		a.set(now, a.losses.most)
	}
}

// set changes the limit and begins a window. A fraction is met on average.
func (a *Controller) set(now time.Duration, n float64) {
	n = max(float64(a.floor), min(a.losses.bound(n), float64(a.ceiling)))
	limit := int(n + a.carry + 1e-9)
	a.carry = max(0, n+a.carry-float64(limit))
	change := math.Abs(float64(limit - a.limit))
	raised := limit > a.limit
	a.previous, a.limit = a.limit, limit
	a.epoch++
	a.window = window{
		since: now, epoch: a.epoch, limit: limit, raised: raised,
		fresh: change > 1 && 10*change > float64(a.limit),
	}
}

// Review draws conclusions from the window, if it is full; open are the attempts in flight.
func (a *Controller) Review(now time.Duration, open []Attempt) bool {
	if !a.ready(now) {
		return false
	}
	fresh := a.window.fresh
	a.window.open = a.open
	m := a.window.measure(now, a.base.mean, open)
	a.latest = m
	a.learnNoise(m, fresh)
	if m.inFlight < 1.2 { // alone: that is what a call takes
		a.learnAlone(m)
	}
	switch {
	case a.serialised(now, m):
	case a.heldBack(m):
		a.policed(now, m)
	case (a.mode == holding || a.mode == probing) && a.gotFaster(now, m):
	case a.open && !a.used(m):
		a.unbound(now, m)
	default:
		a.conclude(now, m)
	}
	return true
}

// conclude draws the conclusions that the latest change of the limit was for.
func (a *Controller) conclude(now time.Duration, m measurement) {
	switch a.mode {
	case growing:
		a.grow(now, m)
	case probing:
		a.probed(now, m)
	case dipping:
		a.dipped(now, m)
	case refining:
		a.refined(now, m)
	case descending:
		a.descended(now, m)
	default:
		a.hold(now, m)
	}
}

// error returns the relative standard error of a measurement.
func (a *Controller) error(m measurement) float64 { return a.noise / math.Sqrt(m.calls) }

// doubt returns that of its ratio to the base.
func (a *Controller) doubt(m measurement) float64 {
	return math.Hypot(a.error(m), a.base.error(a.noise))
}

// heldBack reports whether it was policies that bounded the calls in flight.
func (a *Controller) heldBack(m measurement) bool {
	return a.held && (!a.used(m) || a.mode != growing && m.begun < 0.9*float64(a.limit))
}

// used reports whether the limit was what bounded the calls in flight: if not,
// there were too few items, or policies held them back, and a higher limit would
// change nothing.
func (a *Controller) used(m measurement) bool { return m.inFlight > 0.8*float64(a.limit) }
