package executor

import (
	"context"
	"sync"
	"time"
	"unsafe"

	"github.com/amorsize/amorsize/internal/clock"
)

// sharedGates are the gates of functions that runs of the process make calls of at
// present. Runs of one function that are under way at the same time share a gate, as
// the runs of a [Session] do: each by itself would begin with 16 calls and multiply
// them, and where there are many such runs, as in a server that starts one for each
// request, all their calls would be there before the first of them has seen a line.
//
// Runs of plain functions share nothing: whether one is made within a call of another
// can't be seen without a context, and it must not wait for that. Nor do streams and
// batches, so far.
var sharedGates gates

type gates struct {
	mu sync.Mutex
	of map[gateKey]*sharedGate
}

// gateKey is a function, by its value: the same code with the same captured variables.
// A closure that is made anew for each run is another function each time. What belongs
// to a bubble of testing/synctest must stay in it.
type gateKey struct {
	function unsafe.Pointer
	bubble   string
}

type sharedGate struct {
	gate
	runs int
}

// function is what tells functions apart: nil for those whose runs share nothing.
type function struct{ value unsafe.Pointer }

// functionOf returns that of f. A function value is a pointer to its code and what it
// has captured.
func functionOf[T, R any](f func(context.Context, T) (R, error)) function {
	return function{*(*unsafe.Pointer)(unsafe.Pointer(&f))}
}

// functionKey finds the call of a function that a context comes from.
type functionKey struct{ function }

// join returns the gate that runs of the function share, and what to leave it by.
func (g *gates) join(f function, virtual bool) (*gate, gateKey) {
	key := gateKey{function: f.value}
	if virtual {
		key.bubble = clock.Bubble()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	shared := g.of[key]
	if shared == nil {
		if g.of == nil {
			g.of = map[gateKey]*sharedGate{}
		}
		shared = new(sharedGate)
		g.of[key] = shared
	}
	shared.runs++
	return &shared.gate, key
}

// leave ends a run's part. The last one takes the gate along.
func (g *gates) leave(key gateKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if shared := g.of[key]; shared != nil {
		if shared.runs--; shared.runs == 0 {
			delete(g.of, key)
		}
	}
}

// joinGate has the run use the gate that it shares with others, if it does.
func (p *pool) joinGate() {
	switch {
	case p.cfg.Session != nil:
		p.gate, p.shares = &p.cfg.Session.gate, true
	case p.cfg.function.value == nil || p.cfg.Workers > 0 || p.batches != nil:
	case p.parent.Value(functionKey{p.cfg.function}) != nil: // within a call of its own
	default:
		p.gate, p.gateKey = sharedGates.join(p.cfg.function, clock.Virtual(p.start))
		p.shares = true
	}
}

// leaveGate ends that.
func (p *pool) leaveGate() {
	p.gate.delist(p, clock.Now())
	if p.gateKey.function != nil {
		sharedGates.leave(p.gateKey)
	}
}

// enlist and delist begin and end a run's part in the limit.
func (g *gate) enlist(p *pool, now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs = append(g.runs, p)
	g.crowd.Store(int64(len(g.runs)))
	g.rebound(now)
}

func (g *gate) delist(p *pool, now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.runs {
		if other == p {
			g.runs = append(g.runs[:i], g.runs[i+1:]...)
			g.crowd.Store(int64(len(g.runs)))
			g.rebound(now)
			return
		}
	}
}

// share returns how many calls p may have in flight, within its own bounds: what
// the other runs leave, and a fair part at least. Room is not taken before another
// run has left it.
func (g *gate) share(p *pool) int {
	most := max(p.cfg.MinWorkers, int(p.most.Load()))
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ceiling := g.law.Bounds() // which may have fallen since
	limit := min(int(g.limit.Load()), ceiling)
	if len(g.runs) < 2 {
		return min(limit, most)
	}
	fair := max(1, limit/len(g.runs))
	mine, running := limit, 0
	for _, other := range g.runs {
		has, wants := other.demand()
		running += has
		if other != p {
			mine -= min(fair, has+wants, int(other.most.Load()))
		}
	}
	has, _ := p.demand()
	mine = min(max(fair, mine), has+max(0, limit-running))
	return max(1, p.cfg.MinWorkers, min(mine, most))
}

// demand returns how many workers are busy, and for how many more there are items.
func (p *pool) demand() (busy, more int) {
	busy = int(p.running.Load())
	if f := p.claims.feed; f != nil {
		return busy - int(f.waiting.Load()), int(max(0, f.produced.Load()-p.claims.next.Load()))
	}
	return busy, p.claims.left()
}
