package executor

import (
	"github.com/amorsize/amorsize/internal/clock"
)

// What the solo does differently for a stream, whose items arrive over time.

// nextArrived is next for a stream: it waits for an item, and takes a block of those that
// have arrived. While it waits, the alarm is off.
func (o *solo) nextArrived() bool {
	size := o.sampler.Next()
	s, ok := o.arrivals.TakeAlone(size)
	for !ok {
		began := clock.Now()
		if !o.await() {
			o.total = o.arrivals.Seen()
			return false
		}
		o.sampler.Exclude(clock.Now() - began)
		s, ok = o.arrivals.TakeAlone(size) // what has arrived may need no call
	}
	o.span = s
	o.alarm.enter(inBlock)
	return true
}

// await waits for an item. It reports false if there will be none, or the run has ended.
func (o *solo) await() bool {
	o.alarm.enter(idle)
	if !o.arrivals.AwaitAlone() {
		o.alarm.enter(between)
		return false
	}
	o.arm()
	return true
}
