package executor

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// quickLook is how long a call may run before its CPU time is looked at while
// it still runs.
const quickLook = 2 * time.Millisecond

// look measures the CPU share of the caller's first call in company, where
// calls are too long to measure one more alone. It is guarded by the pool's mu.
type look struct {
	open   bool
	thread sampling.Thread
	start  time.Duration
	cpu    time.Duration

	known bool
	share float64
}

// workLooking is work for the caller, with a look if the plan needs one.
func (p *pool) workLooking() {
	if p.revised || p.plan.Sample.CPUKnown {
		p.work(&p.caller)
		return
	}
	// The clock that can be read from outside is a thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.openLook()
	p.work(&p.caller)
}

func (p *pool) openLook() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look.thread = sampling.CurrentThread()
	p.look.cpu, p.look.open = p.look.thread.CPU()
	p.look.start = clock.Now()
}

// read notes the share of the time since the look was opened, or since it was
// last read, that the caller's thread was on a core. mu is held.
func (l *look) read(now time.Duration) {
	if !l.open || now-l.start < max(quickLook, sampling.CPUResolution) {
		return
	}
	cpu, ok := l.thread.CPU()
	if !ok {
		l.open = false
		return
	}
	l.share, l.known = min(1, float64(cpu-l.cpu)/float64(now-l.start)), true
	l.start, l.cpu = now, cpu
}

// revise makes the plan again as soon as the run has shown what the sample
// could not: the CPU share of calls too long to measure one alone. It returns
// the new plan, or nil. mu is held.
func (p *pool) revise(now time.Duration, o observation) *optimizer.Plan {
	if p.revised || p.plan.Sample.CPUKnown {
		return nil
	}
	p.look.read(now)
	sample := p.plan.Sample
	if sample.Items == 0 && o.items > 0 { // the number of workers was fixed, there was no sample
		sample.ItemNanos = float64(o.busy) / float64(o.items)
	}
	if !p.look.known || sample.ItemNanos == 0 {
		return nil
	}
	p.revised, p.look.open = true, false
	sample.CPUShare, sample.CPUKnown = p.look.share, true
	plan := optimizer.New(sample, p.plan.Host, p.cfg.constraints(p.total))
	p.plan = plan
	p.control.learn(plan)
	return &plan
}
