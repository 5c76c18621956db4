package adaptive

import "time"

// newAdaptive returns a controller as the engine starts it.
func newAdaptive(first, floor, ceiling int, now time.Duration) *Controller {
	return New(now, Start{First: first, Floor: floor, Ceiling: ceiling})
}

// begin returns an attempt that begins as the last of inFlight.
func (a *Controller) begin(now time.Duration, inFlight int) Attempt {
	return Attempt{Began: now, InFlight: inFlight, Epoch: a.epoch, Items: 1, Cost: 1}
}
