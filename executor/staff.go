package executor

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// staffUp registers the caller as a worker and starts the helpers and the supervisor.
func (p *pool) staffUp() {
	p.watch()
	now := clock.Now()
	fixed := p.cfg.Workers > 0
	p.mu.Lock()
	defer p.mu.Unlock()
	ceiling := p.ceiling()
	p.control = newComputing(p.plan, p.cfg.MinWorkers, ceiling, fixed, now)
	if p.surprised {
		p.control.forgetBase()
	}
	p.limit.Store(int64(p.control.level))
	if !fixed && p.plan.Workload != sampling.CPUBound && ceiling > p.plan.Host.Procs {
		base, calls := p.plan.Sample.ItemTime(), p.plan.Sample.Items
		if p.surprised {
			calls = 0
		}
		p.openGate(now, max(p.cfg.MinWorkers, p.plan.Workers), base, calls)
	}
	p.newEpoch(now)
	p.unknown.Store(!p.revised && !p.plan.Sample.CPUKnown)
	p.caller.runner = p.runner
	p.staffed = true
	if p.claims.feed == nil { // else a Goexit of an item would end the stream's own goroutine
		p.enter(p.caller)
	}
	p.grow()
	p.reviewAt.Store(int64(now + reviewEvery))
	p.group.Go(p.supervise)
}

// ceiling returns the most workers that the run may have.
func (p *pool) ceiling() int {
	if p.cfg.Plan != nil {
		return max(p.plan.MaxWorkers, p.cfg.MinWorkers)
	} // a learned plan has its limits from this run's own settings
	return max(p.cfg.MinWorkers, optimizer.Ceiling(p.plan.Sample, p.plan.Host, p.cfg.constraints(p.total)))
}

// openGate leaves the number of workers to the gate. base is what a call takes
// alone, as known from so many calls. mu is held.
func (p *pool) openGate(now time.Duration, first int, base time.Duration, calls int) {
	if p.cfg.Report != nil || len(p.cfg.Observers) > 0 {
		p.latencies = newLatencies()
	}
	p.most.Store(int64(p.ceiling()))
	p.gate.enlist(p)
	p.gate.open(now, first, base, calls)
	p.adapts.Store(true)
	p.memory.claimed = p.claims.next.Load()
	p.memory.allocated, _ = sampling.HeapAllocated()
	for _, w := range p.workers {
		p.gate.join(&w.account)
	}
	p.limit.Store(int64(p.gate.share(p)))
}

// enter counts a worker in. mu is held.
func (p *pool) enter(w *worker) {
	if p.halted.Load() {
		w.signal.Store(halt)
	}
	w.seat, w.seated = len(p.workers), true
	p.workers = append(p.workers, w)
	if p.adapts.Load() {
		p.gate.join(&w.account)
	}
	p.count()
}

// exit counts a worker out. mu is held.
func (p *pool) exit(w *worker) {
	last := len(p.workers) - 1
	p.workers[w.seat] = p.workers[last]
	p.workers[w.seat].seat = w.seat
	p.workers[last] = nil
	p.workers = p.workers[:last]
	w.seated = false
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
	for len(p.workers) < want && !p.closed && !p.halted.Load() {
		w := &worker{}
		// A stream's items are run by helpers only: one of them is not admitted
		// like the others, but takes the place of the caller.
		if !p.control.fixed && (p.claims.feed == nil || len(p.workers) > 0) {
			if w.admitted = helpers.admit(p.adapts.Load(), procs); w.admitted == nil {
				return
			}
		}
		w.runner = p.runner.fork()
		p.enter(w)
		p.group.Go(func() error {
			defer p.leave(w)
			p.work(w)
			return nil
		})
	}
}

// surplus reports whether w should leave because there are more workers than
// the limit. The caller never leaves before the end.
func (p *pool) surplus(w *worker) bool {
	if w == p.caller || p.running.Load() <= p.limit.Load() {
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
	if w.seated {
		p.exit(w)
	}
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
