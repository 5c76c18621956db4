package executor

import (
	"slices"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// batchWindow is how many batches are in flight at first. A service that handles one at a
// time, such as a database with one writer, slows down with each further batch.
const batchWindow = 2

// unknownUnit is what a call is assumed to hold, in bytes, if nothing is known.
const unknownUnit = 64 << 20

// planner makes the plan of a run, and revises it when the run has measured more. A plan is
// a prediction, and the start of the run; after that the scheduler decides how many workers
// there are.
//
// It is used by one goroutine at a time: the one that makes the run, then the reviews.
type planner struct {
	*job
	host sampling.Host
	plan optimizer.Plan
	// revised says that the plan has been revised, or needs no revision.
	revised bool
	// surprised says that items turned out to cost more than the sample showed: only a
	// lower bound of their cost is known.
	surprised bool
	forecast  forecast
	top       int // maximum of workers, apart from memory; 0 before it is computed
	reach     int // the same if there were more items; 0 before it is computed
}

// fullHostFrom is the remaining work from which it pays to read the full facts of the host,
// which takes a millisecond.
const fullHostFrom = 20 * time.Millisecond

// readHost reads what the machine offers: the full facts if the remaining work is long or
// unknown, and otherwise only the runtime's.
func (p *planner) readHost(sample sampling.Sample) {
	heap := sampling.ReadHeap()
	switch {
	case p.cfg.Plan != nil, p.cfg.LoadAware, p.arrives,
		sample.Estimate(p.total-sample.Items) >= fullHostFrom,
		p.cfg.learned != nil && p.cfg.learned.sample.Estimate(p.total) >= fullHostFrom,
		sample.AllocKnown && sample.AllocBytes >= 1<<20, heap.Objects >= unknownUnit:
		p.host = sampling.CurrentHost()
	default:
		p.host = sampling.QuickHost()
	}
}

// begin makes the first plan. limit is the limit on calls in flight that earlier runs
// found, 0 if unknown.
func (p *planner) begin(sample sampling.Sample, limit int) {
	switch {
	case p.cfg.Plan != nil:
		p.plan = p.given(*p.cfg.Plan)
		return
	case p.cfg.learned != nil:
		l := *p.cfg.learned
		l.sample.HeldBytes = sample.HeldBytes
		p.plan = p.learned(l, limit)
		return
	}
	if unit, size, _ := p.unit(p.plan.Sample.ItemNanos); unit > 0 {
		sample.ItemNanos = float64(unit) / float64(size)
	}
	p.plan = p.make(sample, p.host)
}

// make makes a plan. The number of items of a stream is not known, so neither its time nor
// the benefit of a second worker can be predicted: a second worker is tried.
func (p *planner) make(sample sampling.Sample, host sampling.Host) optimizer.Plan {
	wishes := p.cfg.constraints(p.total)
	if p.batches != nil { // a token is for a batch, whose size is not known
		wishes.Rate, wishes.Burst = 0, 0
	}
	plan := optimizer.New(sample, host, wishes)
	switch {
	case p.batches != nil:
		return p.ofBatches(plan)
	case p.arrives:
		return p.ofStream(plan)
	}
	plan.AtBest = plan.AtBest || p.surprised && plan.PredictedDuration > 0 // items cost at least that much
	return plan
}

// ofStream limits a plan to what is known for a stream.
func (p *planner) ofStream(plan optimizer.Plan) optimizer.Plan {
	if p.cfg.Workers == 0 {
		plan.Mode, plan.Workers = optimizer.Parallel, min(plan.MaxWorkers, max(1, plan.Host.Procs))
		plan.Reason = "a stream: one worker per core until the calls have been measured"
		if plan.Workload != sampling.CPUBound {
			plan.Workers = min(plan.MaxWorkers, optimizer.FirstWindow)
			plan.Reason = "I/O-bound: raising calls in flight while throughput rises"
		}
	}
	plan.ChunkSize = max(1, p.cfg.ChunkSize)
	plan.PredictedDuration, plan.PredictedSpeedup, plan.AtBest, plan.Candidates = 0, 0, false, nil
	plan.Limits = slices.DeleteFunc(plan.Limits, func(l optimizer.Limit) bool { return l.Name == "items" })
	plan.Constraints.Items = 0
	return plan
}

// ofBatches limits a plan to what is known for batches. The time of I/O-bound calls is not
// predicted: it depends on how many the service handles at once.
func (p *planner) ofBatches(plan optimizer.Plan) optimizer.Plan {
	if _, size, _ := p.unit(plan.Sample.ItemNanos); size > 0 {
		plan.ChunkSize = size
	}
	if plan.Workload != sampling.CPUBound && p.cfg.Workers == 0 {
		plan.Workers = min(plan.Workers, batchWindow)
		plan.PredictedDuration, plan.PredictedSpeedup, plan.Candidates = 0, 0, nil
	}
	return plan
}

// learned makes a plan from what earlier runs of the session have measured.
func (p *planner) learned(l learned, limit int) optimizer.Plan {
	plan := p.make(l.sample, p.host)
	if plan.Mode == optimizer.Parallel && plan.Workload == sampling.CPUBound {
		plan.Workers = max(1, min(l.workers, plan.MaxWorkers))
	}
	p.foreseeLearned(&plan, limit)
	plan.Reason = "learned from earlier runs: " + plan.Reason
	p.revised, p.surprised = true, false
	return plan
}

// given adopts a plan that was made before, perhaps elsewhere.
func (p *planner) given(plan optimizer.Plan) optimizer.Plan {
	for _, difference := range p.host.Differences(plan.Host) {
		plan.Warnings = append(plan.Warnings[:len(plan.Warnings):len(plan.Warnings)],
			"the plan was made for another host: "+difference)
	}
	plan.Reason = "given: " + plan.Reason
	plan.MaxWorkers = max(plan.Workers, plan.MaxWorkers)
	if p.cfg.MaxWorkers > 0 {
		plan.MaxWorkers = min(plan.MaxWorkers, p.cfg.MaxWorkers)
		plan.Workers = min(plan.Workers, plan.MaxWorkers)
	}
	if plan.Constraints.Items != p.total {
		plan.PredictedDuration, plan.PredictedSpeedup, plan.AtBest = 0, 0, false // they were for another number of items
	}
	p.revised = true
	return plan
}

// ceiling returns the maximum of workers for the run, apart from memory.
func (p *planner) ceiling() int {
	if p.top == 0 { // it is needed often, and computing it allocates
		p.top = p.ceilingFor(p.total)
	}
	return p.top
}

// ceilingOfMany returns the ceiling if there were unlimited items.
func (p *planner) ceilingOfMany() int {
	if p.reach == 0 {
		p.reach = p.ceilingFor(source.Many)
	}
	return p.reach
}

// ceilingFor returns the ceiling for a number of items.
func (p *planner) ceilingFor(items int) int {
	if p.cfg.Plan != nil {
		return max(p.plan.MaxWorkers, p.cfg.MinWorkers)
	} // a learned plan has its limits from this run's own settings
	sample := p.plan.Sample
	sample.HeldBytes, sample.AllocKnown = 0, false // memory accounts for what calls hold
	return max(p.cfg.MinWorkers, optimizer.Ceiling(sample, p.plan.Host, p.cfg.constraints(items)))
}
