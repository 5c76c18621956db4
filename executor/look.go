package executor

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// lookTime is the shortest wall time over which the CPU share of calls is measured.
const lookTime = max(200*time.Microsecond, sampling.CPUResolution)

// lowShare is the share of time on a core below which a look is repeated: a
// thread that was kept from its core looks like one whose calls wait.
const lowShare = 0.7

// look is the CPU share of calls as measured in company, where they are too
// long to measure one more alone. It is guarded by the pool's mu.
type look struct {
	known bool
	share float64
}

// lookClosely has w measure the CPU share of the next calls if nobody has done
// so: the first worker to come, since the caller may be in the midst of a call.
func (p *pool) lookClosely(w *worker) {
	if !p.unknown.CompareAndSwap(true, false) {
		return
	}
	// The clock that can be read precisely is the thread's own.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	share, known := 0.0, false
	for try := 0; try < 2 && share < lowShare; try++ {
		part, ok := p.measureShare(w)
		if !ok {
			break
		}
		share, known = max(share, part), true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look.share, p.look.known = share, known
}

// measureShare runs calls for at least lookTime; ok is false if they ran out.
func (p *pool) measureShare(w *worker) (share float64, ok bool) {
	thread := sampling.CurrentThread()
	before, known := thread.CPU()
	start := w.busy // and not the clock: a worker of a stream may wait for items
	for now := clock.Now(); w.busy-start < lookTime; {
		if now, ok = p.claim(w, now); !ok {
			return 0, false
		}
	}
	after, stillKnown := thread.CPU()
	return min(1, float64(after-before)/float64(w.busy-start)), known && stillKnown
}

// revise makes the plan again as soon as the run has shown what the sample
// could not: the CPU share of calls too long to measure one alone. It returns
// the new plan, or nil. mu is held.
func (p *pool) revise(o hillclimb.Observation) *optimizer.Plan {
	if p.revised || p.plan.Sample.CPUKnown {
		return nil
	}
	sample := p.plan.Sample
	switch {
	case p.look.known:
		sample.CPUShare = p.look.share
	default:
		return nil
	}
	sample.CPUKnown = true
	p.control.Learn(sample.Workload() != sampling.CPUBound)
	if sample.Items == 0 || p.surprised { // what a call takes is not known either
		if o.Items == 0 {
			return nil
		}
		sample.ItemNanos = float64(o.Busy) / float64(o.Items)
		if own, items := p.ownTime(); items > 0 {
			sample.ItemNanos = float64(own) / float64(items)
		}
	}
	return p.replan(sample)
}

// replan makes the plan again, once. mu is held.
func (p *pool) replan(sample sampling.Sample) *optimizer.Plan {
	p.revised = true
	if sample.HeldBytes = 0; p.memory.binds {
		sample.HeldBytes = p.memory.unit
	}
	p.plan = p.newPlan(sample, p.plan.Host)
	plan := p.plan
	return &plan
}

// reviseWaiting is revise for calls that wait, once it is known what one takes.
func (p *pool) reviseWaiting(base time.Duration) *optimizer.Plan {
	sample := p.plan.Sample
	if p.revised || base <= 0 || sample.CPUKnown && !p.surprised {
		return nil
	}
	sample.ItemNanos = float64(base)
	if cv := p.latencies.variation(); cv > 0 {
		sample.CV = cv
	}
	if !sample.CPUKnown {
		sample.CPUShare, sample.CPUKnown = 0, true
		if p.look.known {
			sample.CPUShare = p.look.share
		}
	}
	return p.replanWaiting(sample)
}

// ownTime returns the time that the workers spent in the function, and not waiting
// in policies, and for how many items that is known. mu is held.
func (p *pool) ownTime() (own time.Duration, items int64) {
	for _, w := range p.workers {
		own += time.Duration(w.policed.ownTime.Load())
		items += w.policed.ownItems.Load()
	}
	return own, items
}
