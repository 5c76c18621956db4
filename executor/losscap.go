package executor

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
	// regrowth is by how much the cap rises in a round of calls after a burst
	// hit it that was larger than anything tried before.
	regrowth = 0.02
)

// lossCap is the number of calls in flight at which the service refuses some.
// It falls with every loss and rises with every success, so slowly that a small
// share of calls is lost; the longer all goes well, the faster.
type lossCap struct {
	most     float64 // 0 is no cap: nothing was lost
	share    float64 // of calls to be lost
	calm     float64 // successes since the latest loss
	failing  int     // losses since the latest success
	before   float64 // most, before them
	dead     bool    // there were nothing but losses for long
	regrow   bool    // the first burst is all that is known
	burst    bool
	burstEnd time.Duration // losses of calls begun by then are the same event
}

// bound returns n or the cap, if that is less.
func (l *lossCap) bound(n float64) float64 {
	if l.most > 0 {
		return min(n, l.most)
	}
	return n
}

// success raises the cap a little. limit is the calls in flight allowed at
// present. It reports whether the service is back after an outage: what was lost
// in it tells nothing about how much is too much.
func (l *lossCap) success(limit int, n float64) (back bool) {
	l.failing = 0
	if l.dead {
		l.dead, l.most = false, l.before
		return true
	}
	if l.most == 0 {
		return false
	}
	l.calm += n
	k := l.calm * l.share
	rise := lossCut * l.share * (1 + k*k)
	if l.regrow {
		rise += regrowth / float64(limit)
	}
	l.most = min(l.most*math.Exp(min(rise*n, 1)), 1e9)
	return false
}

// loss lowers the cap. exploring says that the limit was being raised beyond
// what had been tried; first, that nothing was known at all.
func (l *lossCap) loss(now time.Duration, c attempt, limit int, throttled, exploring, first bool) {
	if l.failing == 0 && !l.dead {
		l.before = l.most
	}
	l.failing++
	l.calm = 0
	if l.share = overloadShare; throttled {
		l.share = throttleShare
	}
	tolerated := max(1, float64(c.inFlight-1))
	switch {
	case l.burst && c.began <= l.burstEnd: // lost with others, before any could be held back
		l.most = min(l.most, tolerated)
		return
	case l.failing > 2*max(4, limit): // nothing but losses
		l.failing = 0
		l.most, l.dead = max(1, float64(limit)/2), true
	case exploring:
		l.most, l.regrow = tolerated, first
	default:
		l.most = max(1, l.bound(float64(c.inFlight))*(1-lossCut))
		l.regrow = false
	}
	l.burst, l.burstEnd = true, now
}
