package adaptive

import (
	"math"
	"time"
)

const (
	// lossCut is by how much one lost call lowers the cap.
	lossCut = 0.03
	// The cap rises such that this share of calls is lost where it is what
	// bounds: fewer where the service is overloaded than where it only counts.
	overloadShare = 0.002
	throttleShare = 0.01
	// meteredShare is put up with where policies meter the calls: they come at
	// the rate that the caller asked for, and to lower the cap below what it needs
	// costs more than to make a few calls again.
	meteredShare = 0.05
	// regrowth is by how much the cap rises in a round of calls after a burst
	// hit it that was larger than anything tried before.
	regrowth = 0.02
)

// lossCap is the number of calls in flight at which the service refuses some.
// It falls with every loss and rises with every success, so slowly that a small
// share of calls is lost; the longer all goes well, the faster. Where fewer calls
// in flight do not lower the share that is lost, losses have nothing to do with
// them, and that share is what is put up with.
type lossCap struct {
	most       float64 // 0 is no cap: nothing was lost
	share      float64 // of calls to be lost
	background float64 // share of calls lost however few are in flight
	calm       float64 // successes since the latest loss
	failing    int     // losses since the latest success
	before     float64 // most, before them
	round      int     // the limit, as they began
	dead       bool    // there were nothing but losses for a round
	regrow     bool    // the first burst is all that is known
	metered    float64 // calls in flight that policies let through, 0 if they do not bound them
	burst      bool
	burstEnd   time.Duration // losses of calls begun by then are the same event

	fall struct { // of the cap, step by step
		from          float64
		losses, calls float64
		upper         float64 // share lost in the upper half of it, 0 before it is over
	}
	bottoms int                             // times that the cap came down to one call for nothing
	bottom  struct{ losses, calls float64 } // since the cap came down to one call
}

// bound returns n or the cap, if that is less.
func (l *lossCap) bound(n float64) float64 {
	if l.most > 0 {
		return min(n, l.most)
	}
	return n
}

// success raises the cap a little. limit is the calls in flight allowed at
// present. It reports whether the service answers again after an outage: what was lost
// in it tells nothing about how much is too much.
func (l *lossCap) success(limit int) (back bool) {
	l.failing = 0
	if l.dead {
		l.dead, l.most = false, l.before
		return true
	}
	if l.most == 0 {
		return false
	}
	l.calm++
	l.fall.calls++
	if l.bottom.losses > 0 {
		l.bottom.calls++
	}
	k := l.calm * l.share
	rise := lossCut * l.share * (1 + k*k)
	if l.regrow {
		rise += regrowth / float64(limit)
	}
	l.most = min(l.most*math.Exp(min(rise, 1)), 1e9)
	return false
}

// loss lowers the cap. exploring says that the limit was being raised beyond
// what had been tried; first, that nothing was known at all.
func (l *lossCap) loss(now time.Duration, c Attempt, limit int, throttled, exploring, first bool) {
	if l.failing == 0 && !l.dead {
		l.before, l.round = l.most, limit
	}
	l.failing++
	l.calm = 0
	if l.share = overloadShare; throttled {
		l.share = throttleShare
	}
	l.share = max(l.share, l.background)
	if l.metered > 0 {
		l.share = max(l.share, meteredShare)
	}
	// A call that takes long to be lost began when there were few: that alone
	// does not mean that few are too many.
	tolerated := max(1, float64(c.InFlight-1), float64(limit)/2, l.metered)
	switch {
	case l.failing >= max(4, l.round): // nothing but losses
		l.failing, l.round = 0, max(1, limit/2)
		l.most, l.dead = float64(l.round), true
		return
	case l.burst && c.Began <= l.burstEnd: // lost with others, before any could be held back
		l.most = l.bound(tolerated)
		return
	case exploring && float64(limit) > 1.05*l.most:
		l.most, l.regrow = tolerated, first
		l.fall.from = 0
	default:
		l.cut(l.bound(max(float64(c.InFlight), float64(limit/2), l.metered)))
	}
	l.burst, l.burstEnd = true, now
}

// cut lowers the cap by a step, and looks whether that helps.
func (l *lossCap) cut(most float64) {
	f := &l.fall
	if f.from < most {
		f.from, f.losses, f.calls, f.upper = most, 0, 0, 0
	}
	f.losses++
	l.regrow = false
	l.most = max(1, most*(1-lossCut))
	if l.most < l.metered/2 && l.failing < 4 { // no outage: they do have to do with load
		l.metered = 0
	}
	b := &l.bottom
	if l.most < 2 { // which allows one call
		b.losses++
	}
	switch lost := f.losses / (f.losses + f.calls); {
	case b.losses >= bottomLosses: // one call in flight can't be too many
		// Each time that it comes to this, the share was taken for less than it is.
		l.bottoms = min(l.bottoms+1, 6)
		l.putUpWith(float64(l.bottoms)*b.losses/(b.losses+b.calls), leastCap*float64(int(1)<<l.bottoms))
	case f.upper == 0 && l.most < f.from*0.71:
		f.upper, f.losses, f.calls = lost, 0, 0
	case l.most <= f.from/2 && lost > f.upper/3:
		l.putUpWith(lost, f.from)
	case l.most <= f.from/2:
		f.from = 0 // it helps
	}
}

// leastCap is where a cap begins again that has come down to one call for losses
// that have nothing to do with it.
const leastCap = 16.0

// bottomLosses is how many losses of one call in flight tell that.
const bottomLosses = 4

// putUpWith takes a share of losses for the service's own.
func (l *lossCap) putUpWith(lost, most float64) {
	l.background = min(max(2*lost, 0.9*l.background), 0.5)
	l.share = max(l.share, l.background)
	l.most, l.fall.from = most, 0
	l.bottom.losses, l.bottom.calls = 0, 0
}
