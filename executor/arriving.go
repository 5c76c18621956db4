package executor

import (
	"github.com/amorsize/amorsize/internal/clock"
)

// What the solo does otherwise where items arrive.

// nextArrived is next where items arrive: it waits for an item, and takes a block of
// those that are there. While it waits, the alarm is off.
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

// await waits for an item. It reports false if there will be none, or the run is over.
func (o *solo) await() bool {
	o.alarm.enter(idle)
	if !o.arrivals.AwaitAlone() {
		o.alarm.enter(between)
		return false
	}
	o.arm()
	return true
}
