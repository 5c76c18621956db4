package circuitbreaker

import (
	"sync/atomic"
	"time"
)

// usual is how long calls that succeed take: a mean that follows with a gain of an
// eighth, as that of round trips does (Jacobson, "Congestion Avoidance and Control",
// 1988). Reading the clock costs more than all else that a closed breaker does, so
// only calls are measured for which it matters: those with a deadline, the first,
// and one after each that ran out of time.
type usual struct {
	nanos atomic.Int64 // 0 if it isn't known
	due   atomic.Bool  // the next success is to be measured
}

// add takes a success into account. One of several at the same time may be lost.
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

// exceeds reports whether calls usually take longer than a deadline that ended one
// after that time.
func (u *usual) exceeds(had time.Duration) bool {
	u.due.Store(true)
	return u.nanos.Load() > int64(had)
}
