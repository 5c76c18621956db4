package circuitbreaker

import (
	"sync/atomic"
	"time"
)

// usual is how long successful calls take: a moving mean with a gain of an eighth, as for
// round-trip times (Jacobson, "Congestion Avoidance and Control", 1988). Reading the
// clock costs more than everything else in a closed breaker, so only calls for which it
// matters are measured: those with a deadline, the first, and one after each that ran out
// of time.
type usual struct {
	nanos atomic.Int64 // 0 if it isn't known
	due   atomic.Bool  // the next success must be measured
}

// add takes a success into account. Of several concurrent ones, some may be lost.
func (u *usual) add(took time.Duration) {
	sample, mean := max(1, int64(took)), u.nanos.Load()
	if mean != 0 {
		sample = max(1, mean+(sample-mean)/8)
	}
	u.nanos.Store(sample)
	if u.due.Load() {
		u.due.Store(false)
	}
}

// exceeds reports whether calls usually take longer than the time that a call had before
// its deadline.
func (u *usual) exceeds(had time.Duration) bool {
	u.due.Store(true)
	return u.nanos.Load() > int64(had)
}
