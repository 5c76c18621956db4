package executor

import (
	"runtime"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// limitMemory reads what the host offers, and bounds the first calls by what is
// known of one: what the process allocated while the caller was alone with it.
func (p *pool) limitMemory(o *opening, sample *sampling.Sample) {
	joining := o.alarm.phase() == taken // the caller is in the midst of a block
	if p.ran.Store(int64(o.span.hi)); joining {
		p.ran.Store(int64(o.span.lo))
	}
	if o.feed == nil && o.span.hi >= o.total && !joining {
		p.host = sampling.QuickHost() // nothing is left to run
		return
	}
	p.host = p.readHost(*sample)
	if p.cfg.Workers > 0 {
		return // the caller decides
	}
	m := &p.memory
	m.limit, m.by = optimizer.MemoryRoom(p.host, p.cfg.constraints(p.total))
	m.heap, m.collect, m.began = sampling.HeapReader(), runtime.GC, p.start
	if m.start = o.heap; m.start == (sampling.Heap{}) {
		m.start, m.late, p.uncounted = m.heap(), true, int64(o.span.hi)
	}
	before := *sample
	if p.cfg.learned != nil {
		before = p.cfg.learned.sample
	}
	if m.prior = before.HeldBytes; m.prior == 0 && before.AllocKnown {
		m.prior = before.AllocBytes
	}
	f := flight{ended: int64(o.span.hi) - p.uncounted, want: optimizer.FirstWindow}
	now := clock.Now()
	if joining {
		f.young, f.ended = 1, int64(o.span.lo)-min(p.uncounted, int64(o.span.lo))
		if now-p.start >= f.countsAt(0) {
			f.young, f.units = 0, 1
			if p.batches != nil {
				f.units = o.span.hi - o.span.lo
			}
		}
	}
	if m.look(now, f) {
		m.force()
		m.look(now, f)
	}
	if m.binds {
		sample.HeldBytes = m.unit
	}
}

// flight returns what is in flight, and how many items a call has. mu is held.
func (p *pool) flight(now time.Duration) (f flight, size int) {
	calls, items := 0, 0
	f.ended = p.ran.Load() - p.uncounted
	countsAt := f.countsAt(max(time.Duration(p.gate.base.Load()), p.plan.Sample.ItemTime()))
	for _, w := range p.workers {
		n := w.size.Load()
		young := now-time.Duration(w.began.Load()) < countsAt
		_, held := w.call.waitsIn()
		held = held || len(p.cfg.Policies) > 0 && w.policed.measuring.Load() && !w.policed.inside.Load()
		switch {
		case n == 0 || held:
		case young:
			f.young++
		default:
			calls++
			items += int(n)
		}
	}
	f.units, size = calls, 1
	calls = max(calls, runtime.GOMAXPROCS(0))
	if p.adapts.Load() {
		calls = 4 * max(calls, int(p.limit.Load())) // as far as one review goes
		if p.shares && p.batches == nil {
			f.units = max(f.units, int(p.gate.inFlight.Load())-f.young) // in all runs
		}
	}
	f.want = min(calls, p.ceiling())
	if p.batches != nil {
		f.units, size = items, max(1, p.cfg.ChunkSize, items/max(1, f.units))
		f.want *= batchGrowth * size
	}
	return f, size
}

// boundByMemory returns how many calls in flight the memory allows. mu is held.
func (p *pool) boundByMemory(now time.Duration) (most int) {
	f, size := p.flight(now)
	p.collectable, p.unitsPerCall = p.memory.look(now, f), size
	return p.memory.calls(size, p.ceiling())
}

// lookAlone has the memory take the heap without a call in flight, if it wants
// to know and w is the only worker.
func (p *pool) lookAlone(now time.Duration) {
	m := &p.memory
	if !m.ask.Load() || p.running.Load() > 1 || !p.reviewing.TryLock() {
		return
	}
	defer p.reviewing.Unlock()
	p.mu.Lock()
	due := m.due(now, m.seen)
	p.mu.Unlock()
	if !due {
		return
	}
	m.force()
	p.mu.Lock()
	defer p.mu.Unlock()
	m.empty()
}
