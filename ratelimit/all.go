package ratelimit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
)

// Group is several limits that a call is under at once: 10 per second and 500
// per hour; requests and tokens per minute.
//
// A call gets all of its tokens or none. Calls of one group take turns, first
// come, first served; the one whose turn it is waits in the line of the limiter
// that is short, and holds no token of another meanwhile. Policy.OnWait of a limiter is
// called for the waits in its line.
type Group struct {
	limiters []*Limiter
	err      error
	turn     chan struct{} // held by the call whose turn it is
	queued   atomic.Int64  // calls that have the turn or wait for it

	mu   sync.Mutex
	owed []float64 // of each limiter, to those who wait for the turn
}

// All returns the group of the limiters. If there is none, or one is nil or
// given twice, every call of the group returns an [*InvalidError].
func All(limiters ...*Limiter) *Group {
	g := &Group{limiters: limiters, turn: make(chan struct{}, 1), owed: make([]float64, len(limiters))}
	if len(limiters) == 0 {
		g.err = bad("limiters", 0, "at least one")
	}
	seen := make(map[*Limiter]bool, len(limiters))
	for i, l := range limiters {
		if l == nil || seen[l] {
			g.err = bad(fmt.Sprintf("limiters[%d]", i), l, "a limiter, and each only once")
		}
		seen[l] = true
	}
	return g
}

// Acquire takes a token of each limiter, waiting until all are there. Errors are
// those of [Limiter.AcquireN]; with an error, nothing was taken.
func (g *Group) Acquire(ctx context.Context) error { return g.AcquireEach(ctx) }

// AcquireEach is Acquire with an amount for each limiter, in their order; those
// that are left out are 1: AcquireEach(ctx, 1, 1200) for a request of 1200 tokens.
//
// An amount above what a limiter's bucket can hold can't be put back, so it is
// waited for first and kept while the others are waited for.
func (g *Group) AcquireEach(ctx context.Context, n ...float64) error {
	if err := g.check(ctx, n); err != nil {
		return err
	}
	if g.TryAcquireEach(n...) {
		return nil
	}
	g.queued.Add(1)
	defer g.queued.Add(-1)
	if err := g.takeTurn(ctx, n); err != nil {
		return err
	}
	defer func() { <-g.turn }()
	kept := make([]bool, len(g.limiters))
	for i, l := range g.limiters {
		if amountOf(n, i) <= float64(l.Burst()) {
			continue
		}
		if err := l.AcquireN(ctx, amountOf(n, i)); err != nil {
			g.putBack(kept, n)
			return err
		}
		kept[i] = true
	}
	return g.acquire(ctx, n, kept)
}

// takeTurn waits for the turn, unless it would come too late.
func (g *Group) takeTurn(ctx context.Context, n []float64) error {
	g.mu.Lock()
	err := g.unmeetable(ctx, n)
	if err == nil {
		for i := range g.owed {
			g.owed[i] += amountOf(n, i)
		}
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for i := range g.owed {
			g.owed[i] -= amountOf(n, i) // but for a rounding error: see unmeetable
		}
	}()
	select {
	case g.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return canceled(ctx)
	}
}

// acquire takes what is not kept yet.
func (g *Group) acquire(ctx context.Context, n []float64, kept []bool) error {
	for short := g.try(n, kept); short >= 0; {
		l, amount := g.limiters[short], amountOf(n, short)
		if err := l.AcquireN(ctx, amount); err != nil {
			g.putBack(kept, n)
			return err
		}
		kept[short] = true
		next := g.try(n, kept)
		if next >= 0 && amount <= float64(l.Burst()) {
			_ = l.Return(amount) // valid: it was acquired
			kept[short] = false
		}
		// On with the one that is short now. The token that was given back may have
		// gone to somebody of another group with a share in this limiter.
		short = next
	}
	return nil
}

// try takes all that is not kept, or nothing. It returns the first limiter that is
// short, or -1.
func (g *Group) try(n []float64, kept []bool) int {
	for i, l := range g.limiters {
		if kept != nil && kept[i] || l.TryAcquireN(amountOf(n, i)) {
			continue
		}
		for j := range i {
			if kept == nil || !kept[j] {
				_ = g.limiters[j].Return(amountOf(n, j))
			}
		}
		return i
	}
	return -1
}

func (g *Group) putBack(kept []bool, n []float64) {
	for i, l := range g.limiters {
		if kept[i] {
			_ = l.Return(amountOf(n, i))
		}
	}
}

// TryAcquire takes a token of each limiter if all are there and no call of the group
// waits.
func (g *Group) TryAcquire() bool { return g.TryAcquireEach() }

// TryAcquireEach takes an amount of each limiter if all are there.
func (g *Group) TryAcquireEach(n ...float64) bool {
	return g.err == nil && len(n) <= len(g.limiters) && g.queued.Load() == 0 && g.try(n, nil) < 0
}

// unmeetable returns an error if one limiter alone would take too long for all whose
// turn comes before, and this call. What is owed is a sum of floats, which may be off
// by a little, below 0 too. mu is held.
func (g *Group) unmeetable(ctx context.Context, n []float64) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	left := time.Until(deadline)
	for i, l := range g.limiters {
		b, now := l.lock()
		wait := l.wait(b, now, amount(amountOf(n, i)+max(0, g.owed[i])))
		l.unlock(b, now)
		if wait > left {
			return &DeadlineError{Wait: wait, Left: left}
		}
	}
	return nil
}

func (g *Group) check(ctx context.Context, n []float64) error {
	switch {
	case g.err != nil:
		return g.err
	case ctx == nil:
		return bad("ctx", nil, "a context")
	case ctx.Err() != nil:
		return canceled(ctx)
	case len(n) > len(g.limiters):
		return bad("n", n, fmt.Sprintf("at most %d amounts", len(g.limiters)))
	}
	for _, amount := range n {
		if err := validCost(amount); err != nil {
			return err
		}
	}
	return nil
}

func amountOf(n []float64, i int) float64 {
	if i < len(n) {
		return n[i]
	}
	return 1
}

// Do takes a token of each limiter and makes the call, as [Limiter.Do] does.
func (g *Group) Do(ctx context.Context, call func(context.Context) error) error {
	if call == nil {
		return bad("call", nil, "a function")
	}
	if err := g.Acquire(ctx); err != nil {
		return err
	}
	begun := clock.Now()
	err := call(ctx)
	if _, refused := answer.Refused(err); refused && err != nil {
		for _, l := range g.limiters {
			_ = l.Return(1)
		}
		return err
	}
	for _, l := range g.limiters {
		l.settle(err, begun)
	}
	return err
}
