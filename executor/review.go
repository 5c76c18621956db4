package executor

import (
	"math"
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// supervise reviews the run when no worker does because all are in long calls: at
// ever longer intervals, and soon when a policy holds a call back, since another
// worker may take its place.
// It ends with the last worker.
func (p *pool) supervise() error {
	defer p.catch()
	const longest = 100 * time.Millisecond
	wait := reviewEvery
	timer := time.NewTimer(wait)
	defer timer.Stop()
	feed := p.claims.feed
	for {
		feed.rest(wait > reviewEvery)
		select {
		case <-p.idle:
			return nil
		case <-p.stirred:
			if wait > reviewEvery {
				wait = reviewEvery
				timer.Reset(wait)
			}
		case <-feed.hurry():
			wait = reviewEvery
			timer.Reset(wait)
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
	if p.collectable {
		p.collectable = false
		p.memory.force()
		p.due.Store(true) // for what it tells
	}
	if plan != nil {
		p.events.tellPlan("plan revised", *plan)
	}
	if change != nil {
		p.events.tellChange(change)
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
	if p.solo.Load() {
		p.boundByMemory(now) // it bounds the size of the next batch
		if plan = p.endSolo(now); plan != nil {
			p.grow()
		}
		return nil, plan, false
	}
	cut = p.cutLate(now)
	if !p.adapts.Load() {
		change, plan = p.decideComputing(now)
	}
	if p.adapts.Load() {
		c, revised := p.decideWaiting(now)
		if c != nil {
			change = c
		}
		if revised != nil {
			plan = revised
		}
	}
	p.foresee(now)
	p.grow()
	return change, plan, cut
}

// decideComputing leaves the number of workers to control, until the calls are
// found to wait. mu is held.
func (p *pool) decideComputing(now time.Duration) (change *Change, plan *optimizer.Plan) {
	if p.control.Allow(p.boundByMemory(now)) {
		why := p.memory.reason(p.unitsPerCall)
		if p.control.Level() > int(p.limit.Load()) {
			why = "memory: there is room for more"
		}
		p.limit.Store(int64(p.control.Level()))
		change = p.staff.note(Change{At: now - p.start, Workers: p.control.Level(), Reason: why})
		p.newEpoch(now)
	}
	o := p.observe(now)
	plan = p.revise(o)
	d := p.control.Next(o)
	changed := d.Waits || d.Limit != int(p.limit.Load())
	if d.Waits {
		base, calls := o.Mean(), o.Items
		if p.tells {
			own, items := p.ownTime()
			base, calls = own/time.Duration(max(1, items)), int(items)
		}
		sample := sampling.Sample{CPUKnown: true} // the cores were next to idle
		if p.control.Told() {
			sample.CPUShare = p.look.share
		}
		first := max(optimizer.First(sample, o.Procs), p.control.Level())
		p.openGate(now, first, base, calls)
		d.Limit, d.Reason, d.NewEpoch = int(p.limit.Load()), "the calls wait, cores are idle", true
	}
	if plan == nil { // what the controller has just found out counts too
		plan = p.revise(o)
	}
	if changed {
		p.limit.Store(int64(d.Limit))
		if d.Reason != "" {
			change = p.staff.note(Change{At: now - p.start, Workers: d.Limit, Reason: d.Reason})
		}
	}
	if d.NewEpoch {
		p.newEpoch(now)
	}
	return change, plan
}

// decideWaiting has the gate look at how the calls go, and takes this run's part
// of what it allows. mu is held.
func (p *pool) decideWaiting(now time.Duration) (change *Change, plan *optimizer.Plan) {
	p.needed.Store(math.MaxInt64)
	most := p.boundByMemory(now)
	reduced := most < min(int(p.limit.Load()), int(p.most.Load()))
	if most != int(p.most.Load()) {
		p.allow(most)
		p.gate.bound(now)
	}
	held := p.heldBack()
	moment, reason := p.gate.review(now, p.saturated(now), p.batchesLeft(), held.metered > 0)
	limit := p.gate.share(p)
	moment.At, moment.Limit, moment.Held = now-p.start, limit, held.workers
	moment.Bound = p.boundOf(moment)
	p.story.add(moment)
	if p.batches != nil && p.batches.sizer != nil {
		p.batches.sizer.shorten(p.gate.exploring.Load())
	}
	if reduced && limit == most {
		reason = p.memory.reason(p.unitsPerCall)
	}
	if reason != "" && limit != p.told {
		change = p.staff.note(Change{At: now - p.start, Workers: limit, Reason: reason})
		p.told = limit
	}
	bound := p.cfg.MaxWorkers
	if p.cfg.Plan != nil {
		bound = p.plan.MaxWorkers
	}
	p.limit.Store(int64(held.workersFor(limit, bound)))
	return change, p.reviseWaiting(moment.Base)
}

// batchesLeft returns how many batches the items left make, of the settled size;
// infinitely many if it is not a run of batches.
func (p *pool) batchesLeft() float64 {
	_, size, _ := p.unit()
	if size == 0 {
		return math.Inf(1)
	}
	return float64(p.claims.left()) / float64(size)
}

// boundOf returns what bounds the calls in flight at a moment: the gate knows
// of the service and of a ceiling, not of what the ceiling is for, nor of what
// keeps calls from it.
func (p *pool) boundOf(m Moment) Bound {
	ceiling := m.Bound == BoundByCaller || m.Limit >= int(p.most.Load())
	switch {
	case m.Held > 0 && 5*m.InFlight < 4*m.Limit || m.Held > m.Limit/2:
		return BoundByPolicies
	case p.claims.left() == 0 || p.claims.feed != nil && p.starved():
		return BoundByItems
	case ceiling && p.most.Load() < int64(p.ceiling()):
		return BoundByMemory
	case ceiling && (p.cfg.MaxWorkers == 0 || m.Limit < p.cfg.MaxWorkers):
		return BoundByItems
	}
	return m.Bound
}

// starved reports whether workers wait for items. mu is held.
func (p *pool) starved() bool {
	return p.claims.feed.waiting.Load() > 0
}

// saturated reports whether no core is idle. mu is held.
func (p *pool) saturated(now time.Duration) bool {
	age := now - p.mark.at
	if age < sampling.ProcessResolution {
		return p.busyCores
	}
	if cpu, ok := sampling.ProcessCPU(); ok && p.mark.cpuKnown {
		p.busyCores = float64(cpu-p.mark.cpu) > 0.9*float64(runtime.GOMAXPROCS(0))*float64(age)
	}
	p.newEpoch(now)
	return p.busyCores
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
			cut = p.shorten(w) || cut
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
func (p *pool) observe(now time.Duration) hillclimb.Observation {
	o := hillclimb.Observation{
		Now: now, Age: now - p.mark.at,
		Running: len(p.workers), Cores: -1,
		Procs: runtime.GOMAXPROCS(0), Left: p.claims.left(),
	}
	epoch := p.epoch.Load()
	for _, w := range p.workers {
		w.observe(epoch, &o)
	}
	if p.claims.feed != nil {
		p.observeWaiting(&o)
	}
	if o.Age < sampling.ProcessResolution {
		return o
	}
	if cpu, ok := sampling.ProcessCPU(); ok && p.mark.cpuKnown {
		o.Cores = float64(cpu-p.mark.cpu) / float64(o.Age)
	}
	return o
}
