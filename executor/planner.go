package executor

import (
	"slices"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// batchWindow is how many batches are in flight at first. A service that takes one at a
// time, as a database with one writer does, suffers from each of them.
const batchWindow = 2

// unknownUnit is what a call is taken to hold, in bytes, of which nothing is known.
const unknownUnit = 64 << 20

// planner makes the plan of a run, and makes it anew when the run has shown more. A plan is
// a prediction, and where the run begins; how many workers there are while it goes on, the
// scheduler decides.
//
// It is used by one goroutine at a time: the one that makes the run, then the reviews.
type planner struct {
	*job
	host sampling.Host
	plan optimizer.Plan
	// revised says that the plan has been revised, or needs no revision.
	revised bool
	// surprised says that items turned out dearer than the sample had it: what
	// one of them costs is only known to be more than that.
	surprised bool
	forecast  forecast
	top       int // the most workers, memory aside; 0 before it is asked for
	reach     int // that, if there were more items; 0 likewise
}

// fullHostFrom is the work ahead from which the full facts of the host, which
// take a millisecond to read, are worth having.
const fullHostFrom = 20 * time.Millisecond

// readHost reads what the machine offers: the full facts where there is much
// to do, or nobody knows how much, and the runtime's own elsewhere.
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

// begin makes the first plan. limit is that on calls in flight of earlier runs, 0 if none
// is known.
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

// make makes a plan. How many items a stream has is not known, and so no
// time can be predicted, nor whether a second worker would pay: it is tried.
func (p *planner) make(sample sampling.Sample, host sampling.Host) optimizer.Plan {
	wishes := p.cfg.constraints(p.total)
	if p.batches != nil { // a token is for a batch, and how large one is is not known
		wishes.Rate, wishes.Burst = 0, 0
	}
	plan := optimizer.New(sample, host, wishes)
	switch {
	case p.batches != nil:
		return p.ofBatches(plan)
	case p.arrives:
		return p.ofStream(plan)
	}
	plan.AtBest = plan.AtBest || p.surprised && plan.PredictedDuration > 0 // items cost that much at least
	return plan
}

// ofStream has a plan say what is known of a stream.
func (p *planner) ofStream(plan optimizer.Plan) optimizer.Plan {
	if p.cfg.Workers == 0 {
		plan.Mode, plan.Workers = optimizer.Parallel, min(plan.MaxWorkers, max(1, plan.Host.Procs))
		plan.Reason = "the items of a stream: one worker per core until it is known what the calls do"
		if plan.Workload != sampling.CPUBound {
			plan.Workers = min(plan.MaxWorkers, optimizer.FirstWindow)
			plan.Reason = "the calls wait: raising calls in flight while throughput rises"
		}
	}
	plan.ChunkSize = max(1, p.cfg.ChunkSize)
	plan.PredictedDuration, plan.PredictedSpeedup, plan.AtBest, plan.Candidates = 0, 0, false, nil
	plan.Limits = slices.DeleteFunc(plan.Limits, func(l optimizer.Limit) bool { return l.Name == "items" })
	plan.Constraints.Items = 0
	return plan
}

// ofBatches has a plan say what is known of batches. How long calls take that wait
// is not predicted: that is up to how many the other side takes at once.
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

// learned makes a plan from what earlier runs of the session have shown.
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
		plan.PredictedDuration, plan.PredictedSpeedup, plan.AtBest = 0, 0, false // it was for another number of items
	}
	p.revised = true
	return plan
}

// ceiling returns the most workers that the run may have, memory aside.
func (p *planner) ceiling() int {
	if p.top == 0 { // it is asked for often, and finding it out allocates
		p.top = p.ceilingFor(p.total)
	}
	return p.top
}

// ceilingOfMany returns that if there were more items than there are.
func (p *planner) ceilingOfMany() int {
	if p.reach == 0 {
		p.reach = p.ceilingFor(source.Many)
	}
	return p.reach
}

// ceilingFor returns that for so many items.
func (p *planner) ceilingFor(items int) int {
	if p.cfg.Plan != nil {
		return max(p.plan.MaxWorkers, p.cfg.MinWorkers)
	} // a learned plan has its limits from this run's own settings
	sample := p.plan.Sample
	sample.HeldBytes, sample.AllocKnown = 0, false // what calls hold is the memory's business
	return max(p.cfg.MinWorkers, optimizer.Ceiling(sample, p.plan.Host, p.cfg.constraints(items)))
}
