package executor

import (
	"runtime"
	"slices"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// staffUp registers the caller as a worker and starts the helpers and the supervisor.
func (p *pool) staffUp() {
	p.watch()
	p.events.wake()
	now := clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.batches != nil && p.batches.sizer != nil && !p.batches.sizer.ready() {
		p.solo.Store(true)
		p.limit.Store(1)
		if p.caller.size.Load() > 0 { // in a call that takes long
			p.limit.Store(2)
		}
	} else {
		p.startControl(now)
	}
	p.caller.runner = p.runner
	p.staffed = true
	// The goroutine of a stream leaves its items to helpers once its block is done.
	if p.claims.feed == nil || p.caller.size.Load() > 0 {
		p.enter(p.caller)
	}
	p.grow()
	p.reviewAt.Store(int64(now + reviewEvery))
	p.group.Go(p.supervise)
}

// startControl has the number of workers decided from here on. mu is held.
func (p *pool) startControl(now time.Duration) {
	fixed, ceiling := p.cfg.Workers > 0, p.ceiling()
	p.control = hillclimb.New(now, hillclimb.Start{
		Workers: p.plan.Workers, ItemNanos: p.plan.Sample.ItemNanos,
		Floor: p.cfg.MinWorkers, Ceiling: ceiling, Fixed: fixed,
		MemoryBinds: slices.ContainsFunc(p.plan.Limits, func(l optimizer.Limit) bool { return l.OfMemory() && l.Binding }),
	})
	if p.surprised {
		p.control.ForgetBase()
	}
	p.control.Allow(p.memory.calls(1, ceiling))
	p.limit.Store(int64(p.control.Level()))
	waits := p.plan.Workload != sampling.CPUBound && ceiling > p.plan.Host.Procs
	if !fixed && (waits || p.batches != nil && !p.cfg.ComputeOnly) { // batches are too few for trials of computing
		base, calls := p.plan.Sample.ItemTime(), p.plan.Sample.Items
		if p.surprised {
			calls = 0
		}
		first := p.plan.Workers
		if p.shares && p.cfg.Plan == nil { // few items are no reason for the other runs
			first = max(first, optimizer.First(p.plan.Sample, p.plan.Host.Procs))
		}
		if unit, _, known := p.unit(); p.batches != nil {
			first, base, calls = batchWindow, unit, known
		}
		p.openGate(now, max(p.cfg.MinWorkers, first), base, calls)
	}
	p.newEpoch(now)
	p.unknown.Store(!p.revised && !p.plan.Sample.CPUKnown)
}

// endSolo makes the plan anew and begins to have more workers, once the size of the
// batches is settled. mu is held.
func (p *pool) endSolo(now time.Duration) *optimizer.Plan {
	if !p.batches.sizer.ready() {
		return nil
	}
	p.solo.Store(false)
	unit, size, _ := p.unit()
	sample := p.plan.Sample
	sample.ItemNanos = float64(unit) / float64(max(1, size))
	p.plan = p.newPlan(sample, p.plan.Host)
	p.startControl(now)
	plan := p.plan
	return &plan
}

// ceiling returns the most workers that the run may have, memory aside.
func (p *pool) ceiling() int {
	if p.top == 0 { // it is asked for often, and finding it out allocates
		p.top = p.findCeiling(p.total)
	}
	return p.top
}

// findCeiling returns that for so many items.
func (p *pool) findCeiling(items int) int {
	if p.cfg.Plan != nil {
		return max(p.plan.MaxWorkers, p.cfg.MinWorkers)
	} // a learned plan has its limits from this run's own settings
	sample := p.plan.Sample
	sample.HeldBytes, sample.AllocKnown = 0, false // what calls hold is the memory's business
	return max(p.cfg.MinWorkers, optimizer.Ceiling(sample, p.plan.Host, p.cfg.constraints(items)))
}

// allow sets how many calls in flight this run may have: by its own bounds, and by
// memory. That it has few items does not bound the runs that it shares the limit with. mu is
// held.
func (p *pool) allow(most int) {
	p.most.Store(int64(most))
	if p.shares && most >= p.ceiling() {
		if p.reachAlone == 0 {
			p.reachAlone = p.findCeiling(manyItems)
		}
		most = p.reachAlone
	}
	p.reach.Store(int64(most))
}

// openGate leaves the number of workers to the gate. base is what a call takes
// alone, as known from so many calls. mu is held.
func (p *pool) openGate(now time.Duration, first int, base time.Duration, calls int) {
	if p.cfg.Report != nil || len(p.cfg.Observers) > 0 {
		p.latencies = newLatencies()
	}
	most := p.memory.calls(max(1, p.unitsPerCall), p.ceiling())
	if p.batches != nil && p.plan.Sample.CPUKnown && p.plan.Workload == sampling.CPUBound {
		most = max(p.cfg.MinWorkers, min(most, p.plan.Host.Procs))
	}
	p.allow(most)
	if p.batches != nil {
		p.gate.batches = true
	}
	p.gate.enlist(p, now)
	p.gate.open(now, first, base, calls)
	p.adapts.Store(true)
	for _, w := range p.workers {
		p.joinCall(w)
		w.unwatched.Store(w.size.Load() > 0)
	}
	p.limit.Store(int64(p.gate.share(p)))
}

// joinCall has the gate watch w from here on. If w is in a call, other runs are to make
// none in its place; if that has ended just now, w goes on with the turn, or gives it
// back as it leaves. mu is held.
func (p *pool) joinCall(w *worker) {
	p.gate.join(&w.account)
	if p.shares && w.size.Load() > 0 && w.call != nil {
		w.call.forcesTurn(&p.gate.turns)
		p.gate.crowded(clock.Now())
	}
}

// enter counts a worker in. From here until exit it claims items, and hears signals.
// mu is held.
func (p *pool) enter(w *worker) {
	if p.halted.Load() {
		w.signal.Store(halt)
	}
	w.seat, w.working = len(p.workers), true
	p.workers = append(p.workers, w)
	if p.adapts.Load() {
		p.joinCall(w)
	}
	p.count()
}

// exit counts a worker out, once: whoever comes second finds that it has left. It is
// called by the worker's own goroutine, so no claim of it is under way. mu is held.
func (p *pool) exit(w *worker) {
	if !w.working {
		return
	}
	last := len(p.workers) - 1
	p.workers[w.seat] = p.workers[last]
	p.workers[w.seat].seat = w.seat
	p.workers[last] = nil
	p.workers = p.workers[:last]
	w.working = false
	p.giveTurn(w) // after a Goexit
	p.gate.part(&w.account)
	p.count()
	p.settle(w)
}

// count notes how many workers there are. mu is held.
func (p *pool) count() {
	n := len(p.workers)
	p.running.Store(int64(n))
	p.staff.change(clock.Now(), n)
	p.events.staffed(n)
}

// settle adds what w has done to the totals.
func (p *pool) settle(w *worker) {
	p.totals.items += w.items
	p.totals.chunks += w.chunks
	p.totals.busy += w.busy
	w.items, w.chunks, w.busy = 0, 0, 0
}

// closeIfEmpty ends the supervisor when no worker is left. mu is held.
func (p *pool) closeIfEmpty() {
	if len(p.workers) == 0 && !p.closed {
		p.closed = true
		close(p.idle)
	}
}

// grow starts helpers up to the limit, as long as there is something to claim.
// mu is held.
func (p *pool) grow() {
	procs := runtime.GOMAXPROCS(0)
	want := min(int(p.limit.Load()), len(p.workers)+p.claims.left())
	// Batches are taken for calls that wait from the first on.
	waits := p.adapts.Load() || p.solo.Load() && !p.cfg.ComputeOnly
	for len(p.workers) < want && !p.closed && !p.halted.Load() {
		w := &worker{}
		// What the caller demands is not for the process to admit. Nor is the first
		// helper of a stream, whose items are run by helpers only: it takes the place
		// of the caller.
		demanded := p.control.Fixed() || len(p.workers) < p.cfg.MinWorkers
		if !demanded && (p.claims.feed == nil || len(p.workers) > 0) {
			if w.admitted = helpers.admit(waits, procs); w.admitted == nil {
				return
			}
		}
		w.runner = p.runner.fork()
		if p.runner.usesContext() {
			w.call = newCallContext(p.ctx, p.cfg)
		}
		p.enter(w)
		p.group.Go(func() error {
			defer p.leave(w)
			p.work(w)
			return nil
		})
	}
}

// surplus reports whether w should leave because there are more workers than
// the limit. The caller leaves as well where calls wait: it may be all the others
// that are stuck in long ones, and then the limit would not hold. Where they compute,
// their claims are short, and a helper in its place would only cost more.
func (p *pool) surplus(w *worker) bool {
	if p.running.Load() <= p.limit.Load() || w == p.caller && !p.adapts.Load() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if int64(len(p.workers)) <= p.limit.Load() {
		return false
	}
	p.exit(w)
	return true
}

// leave is deferred in every helper: it counts the helper out, also after a
// Goexit, and takes note of panics that did not come from the function.
func (p *pool) leave(w *worker) {
	if v := recover(); v != nil {
		p.panics(asPanic(v), span{})
	} else if !w.returned && w.size.Load() > 0 {
		p.goexit(w)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit(w)
	if w.admitted != nil {
		w.admitted.Add(-1)
	}
	p.grow() // if this one ended before its time
	p.closeIfEmpty()
}

// headcount keeps account of how many workers there were, and why.
type headcount struct {
	workers int
	peak    int
	since   time.Duration
	area    float64 // ∫ workers dt, in nanoseconds
	changes []Change
}

// begin starts with the caller alone, from start to now.
func (h *headcount) begin(start, now time.Duration) {
	h.area, h.since, h.workers, h.peak = float64(now-start), now, 1, 1
}

func (h *headcount) change(now time.Duration, workers int) {
	h.area += float64(h.workers) * float64(now-h.since)
	h.since, h.workers, h.peak = now, workers, max(h.peak, workers)
}

// note keeps a decision for the report, and returns it.
func (h *headcount) note(c Change) *Change {
	if len(h.changes) < MaxChanges {
		h.changes = append(h.changes, c)
	}
	return &c
}
