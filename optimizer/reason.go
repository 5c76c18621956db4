package optimizer

import (
	"fmt"

	"github.com/amorsize/amorsize/sampling"
)

// reason says in one clause why the plan is what it is.
func (p *planner) reason(plan Plan) string {
	bound, verb := binding(p.limits)
	switch {
	case p.c.Items == 0:
		return "there are no items"
	case p.left == 0:
		return fmt.Sprintf("%s done within the sample", items(p.c.Items))
	case p.c.Workers > 0:
		fixed := fmt.Sprintf("WithWorkers fixes %d", p.c.Workers)
		if p.most == p.c.Workers {
			return fixed
		}
		return fmt.Sprintf("%s, %s %s %d", fixed, bound, verb, p.most)
	case plan.Mode == Serial && p.most == 1:
		return fmt.Sprintf("%s %s only one worker", bound, verb)
	case plan.Mode == Serial:
		return fmt.Sprintf("%s left, %s of work: not enough for a second worker to help",
			items(p.left), round(p.work))
	case p.workload == sampling.CPUBound && !p.sample.CPUKnown:
		return "long calls of unknown CPU share: one worker per core to begin with"
	case p.workload == sampling.CPUBound:
		return fmt.Sprintf("limited by %s: %.0f %% of a call's time is CPU time",
			bound, 100*p.sample.ComputeShare())
	}
	return p.reasonWaiting(plan)
}

// reasonWaiting does so for I/O-bound calls.
func (p *planner) reasonWaiting(plan Plan) string {
	reason := fmt.Sprintf("%d in flight", plan.Workers)
	if plan.Workers < plan.MaxWorkers {
		reason = fmt.Sprintf("raising calls in flight from %d up to %d while throughput rises", plan.Workers, plan.MaxWorkers)
	}
	reason += fmt.Sprintf(": %.0f %% of a call's time is CPU time", 100*p.sample.ComputeShare())
	if p.c.Rate > 0 {
		reason += fmt.Sprintf("; limited to %.4g/s by a policy", p.c.Rate)
	}
	return reason
}
