package executor

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// supervise reviews the run when no worker does because all are in long calls.
// It ends with the last worker.
func (p *pool) supervise() error {
	defer p.catch()
	const longest = 100 * time.Millisecond
	wait := reviewEvery
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-p.idle:
			return nil
		case <-timer.C:
			if p.review(clock.Now()) {
				wait = reviewEvery
			} else {
				wait = min(2*wait, longest)
			}
			timer.Reset(wait)
		}
	}
}

// review looks at how the run is going and changes what needs changing. It
// reports whether anything was changed. Of several reviews at once, one goes on
// for all: whoever comes meanwhile leaves word in due, and that it looks again.
func (p *pool) review(now time.Duration) (changed bool) {
	p.due.Store(true)
	for p.due.Load() && p.reviewing.TryLock() {
		changed = p.reviewOnce(now) || changed
		now = clock.Now()
	}
	return changed
}

// reviewOnce is review with reviewing held, which it gives back.
func (p *pool) reviewOnce(now time.Duration) (changed bool) {
	defer p.reviewing.Unlock() // also if a logger panics
	p.due.Store(false)
	p.mu.Lock()
	change, plan, cut := p.decide(now)
	p.mu.Unlock()
	if plan != nil {
		p.events.tellPlan("plan revised", *plan)
	}
	if change != nil {
		p.events.debug("workers", "limit", change.Workers, "reason", change.Reason, "at", change.At)
	}
	return change != nil || plan != nil || cut
}

// decide is review with mu held: it calls nothing of the user's.
func (p *pool) decide(now time.Duration) (change *Change, plan *optimizer.Plan, cut bool) {
	// With many workers a review takes longer, so it comes more rarely.
	p.reviewAt.Store(int64(now + reviewEvery*time.Duration(1+len(p.workers)/1024)))
	if p.closed || p.halted.Load() {
		return nil, nil, false
	}
	cut = p.cutLate(now)
	o := p.observe(now)
	plan = p.revise(o)
	d := p.control.next(o)
	if plan == nil { // what the controller has just found out counts too
		plan = p.revise(o)
	}
	if d.limit != int(p.limit.Load()) {
		p.limit.Store(int64(d.limit))
		if d.reason != "" {
			change = p.staff.note(Change{At: now - p.start, Workers: d.limit, Reason: d.reason})
		}
	}
	if d.newEpoch {
		p.newEpoch(now)
	}
	// Not enough yet? Then not before some more has been seen.
	need := p.control.need()
	p.needed.Store(max(int64(need), p.arrivals.Load()+1+int64(need/8)))
	if p.arrivals.Load() >= p.needed.Load() { // they came while this was going on
		p.due.Store(true)
	}
	p.grow()
	return change, plan, cut
}

// cutLate tells workers whose chunk takes much longer than foreseen to hand the
// rest of it back. mu is held.
func (p *pool) cutLate(now time.Duration) (cut bool) {
	late := p.sizer.late()
	if late == 0 {
		return false
	}
	for _, w := range p.workers {
		if w.size.Load() > 1 && now-time.Duration(w.began.Load()) > late {
			cut = w.signal.CompareAndSwap(goOn, split) || cut
		}
	}
	return cut
}

// newEpoch forgets what was observed so far. mu is held.
func (p *pool) newEpoch(now time.Duration) {
	p.epoch.Add(1)
	p.arrivals.Store(0)
	p.mark.at = now
	p.mark.cpu, p.mark.cpuKnown = sampling.ProcessCPU()
}

// observe adds up the epoch so far. mu is held.
func (p *pool) observe(now time.Duration) observation {
	o := observation{
		now: now, age: now - p.mark.at,
		running: len(p.workers), cores: -1,
		procs: runtime.GOMAXPROCS(0), left: p.claims.left(),
	}
	epoch := p.epoch.Load()
	for _, w := range p.workers {
		w.observe(epoch, &o)
	}
	if o.age < sampling.ProcessResolution {
		return o
	}
	if cpu, ok := sampling.ProcessCPU(); ok && p.mark.cpuKnown {
		o.cores = float64(cpu-p.mark.cpu) / float64(o.age)
	}
	return o
}
