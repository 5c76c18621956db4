package executor

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// room is how many calls fit in memory. Workers read that number; everything else is used
// by one goroutine at a time: the one that makes the run, then the reviews.
type room struct {
	memory
	ended        atomic.Int64 // items that have ended
	uncounted    int64        // items that had begun before memory began to count
	collectable  bool         // a collection would tell what calls hold, and may be forced
	unitsPerCall int
}

// before is what the caller has measured while it worked alone.
type before struct {
	sample   sampling.Sample
	heap     sampling.Heap // before the first item; zero if it was not read
	span     span          // the block of items run last, or being run
	held     time.Duration // how long policies have made the calls of the sample wait, which its times do not have
	inBlock  bool          // the caller is still running it
	underWay time.Duration // for how long, 0 if not known
}

// measure bounds the first calls by what is known of one: what the process allocated while
// the caller ran it alone. It records in the sample what a call holds, if that binds.
func (r *room) measure(b *before, p *planner, sample *sampling.Sample) {
	if r.ended.Store(int64(b.span.Hi)); b.inBlock {
		r.ended.Store(int64(b.span.Lo))
	}
	if !p.arrives && b.span.Hi >= p.total && !b.inBlock {
		p.host = sampling.QuickHost() // nothing is left to run
		return
	}
	p.readHost(*sample)
	if p.cfg.Workers > 0 {
		return // the caller decides
	}
	r.begin(p, b.heap, int64(b.span.Hi), *sample)
	f := load{ended: int64(b.span.Hi) - r.uncounted, want: optimizer.FirstWindow}
	now := clock.Now()
	if b.inBlock {
		f.young, f.ended = 1, int64(b.span.Lo)-min(r.uncounted, int64(b.span.Lo))
		if now-p.start >= f.countsAt(0) {
			f.young, f.units = 0, 1
			if p.batches != nil {
				f.units = b.span.Len()
			}
		}
	}
	if r.memory.look(now, f) {
		r.force()
		r.memory.look(now, f)
	}
	if r.binds {
		sample.HeldBytes = r.unit
	}
}

// begin sets the bound. before is the heap before the first item, if it was read; begun is
// how many items have begun.
func (r *room) begin(p *planner, before sampling.Heap, begun int64, sample sampling.Sample) {
	m := &r.memory
	m.limit, m.by = optimizer.MemoryRoom(p.host, p.cfg.constraints(p.total))
	m.heap, m.collect, m.began = sampling.HeapReader(), runtime.GC, p.start
	if m.start = before; before == (sampling.Heap{}) {
		m.start, m.late, r.uncounted = m.heap(), true, begun
	}
	if p.cfg.learned != nil {
		sample = p.cfg.learned.sample
	}
	if m.prior = sample.HeldBytes; m.prior == 0 && sample.AllocKnown {
		m.prior = sample.AllocBytes
	}
}

// look returns how many calls in flight the memory allows, at most ceiling.
func (r *room) look(now time.Duration, f load, ceiling int) (most int) {
	r.collectable, r.unitsPerCall = r.memory.look(now, f), f.size
	return r.calls(f.size, ceiling)
}

// forced forces a collection if one is due. It takes long.
func (r *room) forced() bool {
	due := r.collectable
	if r.collectable = false; due {
		r.force()
	}
	return due
}

// held returns what a call holds, if memory binds.
func (r *room) held() float64 {
	if r.binds {
		return r.unit
	}
	return 0
}

// reason says why there are not more calls in flight.
func (r *room) reason() string { return r.memory.reason(r.unitsPerCall) }

// lookAlone records the heap without a call in flight, if that is requested and the
// calling worker is the only one.
func (r *room) lookAlone(now time.Duration, p *pacer) {
	if !r.ask.Load() || !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	if r.due(now, r.seen) {
		r.force()
		r.empty()
	}
}
