package jobs

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// within lets the engine do everything, and passes its plan on.
func (r *run) within() (result Result) {
	p := Plan{Left: -1, Batch: max(1, r.cfg.Batch.Fixed), Most: cmpOr(r.cfg.Size.Most, optimizer.MaxWaiting), Cores: runtime.GOMAXPROCS(0)}
	if r.cfg.Caps.Files > 0 {
		p.Most = min(p.Most, r.cfg.Caps.Files)
	}
	p.Slots, p.Binding = min(optimizer.FirstWindow, p.Most), "start"
	plans := 0
	r.stream(r.cut(p.Batch), &p, amorsize.WithReport(&result.Report), amorsize.WithName(cmp.Or(r.cfg.Name, "run")), amorsize.WithObserver(amorsize.ObserverFunc(func(e amorsize.Event) {
		if e.Kind != amorsize.Planned || plans == 2 {
			return
		}
		// Nothing is known of a stream at first; the second plan says what the calls do.
		p.Slots, p.Reason = e.Plan.Workers, e.Plan.Reason
		if plans++; plans == 2 || e.Plan.Workload != sampling.CPUBound {
			plans = 2
			r.cfg.Observer.Planned(p)
		}
	})))
	if plans < 2 {
		r.cfg.Observer.Planned(p)
	}
	result.Plan = p
	result.Began, result.Took, result.Err = r.state.Began, time.Since(r.state.Began), r.cfg.Control.Stopped()
	return result
}

// The sample: a few jobs, one after the other, until this time has passed. It is short because the cores idle
// meanwhile. If the batch size is to be found, it has to be longer to measure the cost of a start.
const (
	sampleBudget      = 50 * time.Millisecond
	sampleBatchBudget = 300 * time.Millisecond
)

// sample runs the first jobs alone. With batches, some have more items, to separate the cost of a job from the
// cost of an item.
func (r *run) sample() {
	sizes, budget := []int{1, 1, 1, 1, 1, 1}, sampleBudget
	switch {
	case r.cfg.Batch.Auto:
		// The largest job shows best what an item costs, where starts vary by some milliseconds.
		sizes, budget = []int{1, 1, 8, 1, 8, 32, 1, 128}, sampleBatchBudget
	case r.cfg.Batch.Fixed > 1:
		sizes = []int{r.cfg.Batch.Fixed, r.cfg.Batch.Fixed}
	}
	if r.cfg.Budget > 0 {
		budget = r.cfg.Budget
	}
	alone := &Plan{Slots: 1, Fixed: true, Batch: 1, Most: 1}
	for began := time.Now(); len(sizes) > 0 && r.cfg.Control.Stopped() == nil; sizes = sizes[1:] {
		if time.Since(began) >= budget && !r.tellsNothing() {
			return
		}
		if total := r.cfg.Total; total >= 0 && sizes[0] > max(32, total/sampleShare) {
			continue
		}
		j := r.take(sizes[0])
		if j == nil {
			return
		}
		r.stream(slices.Values([]*Job{j}), alone)
		r.observed.add(j)
	}
}

// sampleShare is the maximum share of the items that a large job of the sample may have: all cores but one idle
// meanwhile.
const sampleShare = 10

// tellsNothing reports whether the sample has only jobs of one item, though several would be worth a try: on a
// busy machine, a start takes as long as a sample should, and batches of one include that in the time of every
// item.
func (r *run) tellsNothing() bool {
	o := &r.observed
	return len(o.n) > 0 && r.cfg.Batch.Auto && r.cfg.Budget == 0 && slices.Max(o.n) == 1 && o.wall[len(o.wall)-1] < longestBatch.Seconds()
}
