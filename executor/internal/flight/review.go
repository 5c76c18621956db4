package flight

import (
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
)

// Verdict is what a review has come to.
type Verdict struct {
	Limit    int // on the attempts in flight, in all runs
	InFlight int
	Base     time.Duration // of an unloaded call, 0 if unknown

	// As of a window that has just ended; 0 if none has.
	Rate    float64 // calls per second
	Latency time.Duration

	AtCeiling bool   // the bounds of the runs allow no more
	Settled   bool   // the limit has found its level
	Reason    string // why it has changed, empty if it has not
}

// Review has the law draw its conclusions, if it can. seen is how the calls are made, but
// for calls beyond the limit, of which the tracker knows itself.
func (t *Tracker) Review(now time.Duration, seen adaptive.Conditions) (v Verdict) {
	due := t.due.Swap(false)
	t.mu.Lock()
	defer t.mu.Unlock()
	seen.Saturated = seen.Saturated || t.Turns.Over()
	t.law.Observe(seen)
	reviewed := due && t.law.Review(now, t.list())
	if !reviewed {
		t.law.Silence(now)
	}
	t.publish()
	state := t.law.State()
	t.base.Store(int64(state.Baseline))
	v = Verdict{Limit: t.law.Limit(), InFlight: t.InFlight(), Base: state.Baseline, Settled: state.Settled, Reason: t.law.Reason()}
	if reviewed {
		v.Rate, v.Latency = state.Rate, state.Latency
	}
	_, ceiling := t.law.Bounds()
	v.AtCeiling = v.Limit >= ceiling
	return v
}

// list lists what is in flight. mu is held; the list is good until the next one.
func (t *Tracker) list() []adaptive.Attempt {
	t.listed = t.listed[:0]
	for _, a := range t.attempts {
		if items := a.items.Load(); items > 0 {
			t.listed = append(t.listed, a.load(int(items)))
		}
	}
	return t.listed
}
