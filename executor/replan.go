package executor

import (
	"time"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// When the plan is made again, and from what.

// unknown reports whether the plan was made without knowing if the calls are CPU-bound or
// I/O-bound, and has not been revised.
func (p *planner) unknown() bool { return !p.revised && !p.plan.Sample.CPUKnown }

// settled makes the plan again once the batch size is settled.
func (p *planner) settled() *optimizer.Plan {
	sample := p.plan.Sample
	unit, size, _ := p.unit(sample.ItemNanos)
	sample.ItemNanos = float64(unit) / float64(max(1, size))
	p.plan = p.make(sample, p.plan.Host)
	return p.current()
}

// current returns a copy of the plan, for listeners.
func (p *planner) current() *optimizer.Plan {
	plan := p.plan
	return &plan
}

// revise makes the plan again as soon as the run has measured what the sample could not:
// the CPU share of calls too long to measure a single one. took is what an item took since,
// 0 if none has ended; heldBytes what a call holds, if memory binds. It returns the new
// plan, or nil.
func (p *planner) revise(share float64, took time.Duration, heldBytes float64) *optimizer.Plan {
	sample := p.plan.Sample
	sample.CPUShare, sample.CPUKnown = share, true
	if sample.Items == 0 || p.surprised { // the time of a call is not known either
		if took == 0 {
			return nil
		}
		sample.ItemNanos = float64(took)
	}
	return p.again(sample, heldBytes)
}

// again makes the plan again, once.
func (p *planner) again(sample sampling.Sample, heldBytes float64) *optimizer.Plan {
	p.revised = true
	sample.HeldBytes = heldBytes
	p.plan = p.make(sample, p.plan.Host)
	return p.current()
}

// waitingCalls is what a run of I/O-bound calls has measured.
type waitingCalls struct {
	base      time.Duration // time of a call without load, 0 if not known
	variation float64       // coefficient of variation of that, 0 if not known
	share     float64       // CPU share of that time, 0 if not known
	began     time.Duration // when the ramp began
	heldBytes float64       // what a call holds, if memory binds
}

// reviseWaiting is revise for I/O-bound calls, once the time of a call is known.
func (p *planner) reviseWaiting(c waitingCalls) *optimizer.Plan {
	sample := p.plan.Sample
	if p.revised || c.base <= 0 || sample.CPUKnown && !p.surprised {
		return nil
	}
	sample.ItemNanos = float64(c.base)
	if c.variation > 0 {
		sample.CV = c.variation
	}
	if !sample.CPUKnown {
		sample.CPUShare, sample.CPUKnown = c.share, true
	}
	return p.againWaiting(sample, c)
}

// againWaiting makes the plan again for I/O-bound calls.
func (p *planner) againWaiting(sample sampling.Sample, c waitingCalls) *optimizer.Plan {
	p.again(sample, c.heldBytes)
	if later := c.began - sample.Elapsed; later > 0 && p.plan.PredictedDuration > 0 {
		p.plan.PredictedDuration += later // the ramp began only later
	}
	return p.current()
}
