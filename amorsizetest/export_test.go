package amorsizetest

import "github.com/amorsize/amorsize/internal/queueing"

// Of returns conditions of the simulation as ones of this package.
func Of(c queueing.Conditions) Conditions {
	return Conditions{
		Slots: c.Slots, Latency: Law(c.Latency), Network: c.Network, Congestion: c.Congestion, Line: c.Line,
		Rate: c.Rate, Burst: c.Burst, RetryAfter: c.RetryAfter, Refusal: c.Refusal, Outage: Outage(c.Outage),
	}
}

// Simulated is the way back.
func (c Conditions) Simulated() queueing.Conditions { return c.simulated() }
