package executor

import (
	"context"
	"slices"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// policed tells waiting in policies, for a token or for a breaker to close, from
// the items' own time. Only the sample is measured that closely: it costs four
// clock readings an item.
type policed struct {
	measured bool
	own      time.Duration // in the function, of the item being run
	waited   time.Duration // in the policies, since it was last asked
}

// leastWait is what policies may take without it being called waiting: that much
// is their overhead, which is the item's.
const leastWait = 10 * time.Microsecond

// begin notes that an item begins.
func (p *policed) begin() (now time.Duration) {
	if p.measured {
		p.own, now = 0, clock.Now()
	}
	return now
}

// end notes that the item has ended.
func (p *policed) end(began time.Duration) {
	if !p.measured {
		return
	}
	if waited := clock.Now() - began - p.own; waited > leastWait {
		p.waited += waited
	}
}

// enter and leave are called around an attempt.
func (p *policed) enter() (now time.Duration) {
	if p.measured {
		now = clock.Now()
	}
	return now
}

func (p *policed) leave(entered time.Duration) {
	if p.measured {
		p.own += clock.Now() - entered
	}
}

// guarded runs a function item by item through a chain of policies. The chain
// is built once for each worker; an item costs no closure and no allocation.
type guarded[T, R any] struct {
	calls[T, R]
	policies []Policy
	chain    func(context.Context) error
	w        *worker // whose item is being run
	item     T
	result   R
}

func newGuarded[T, R any](c calls[T, R], policies []Policy) *guarded[T, R] {
	g := &guarded[T, R]{calls: c, policies: policies}
	g.chain = chain(policies, g.call)
	return g
}

// chain wraps call into the policies, the first one outermost.
func chain(policies []Policy, call func(context.Context) error) func(context.Context) error {
	for _, policy := range slices.Backward(policies) {
		inner := call
		call = func(ctx context.Context) error { return policy.Do(ctx, inner) }
	}
	return call
}

func (g *guarded[T, R]) fork() runner { return newGuarded(g.calls, g.policies) }

// usesContext is true: policies are given one.
func (g *guarded[T, R]) usesContext() bool { return true }

// call is the innermost link: one attempt at the current item.
func (g *guarded[T, R]) call(ctx context.Context) (err error) {
	g.w.attempts++
	entered := g.w.policed.enter()
	if g.fn.Plain != nil {
		g.result, err = g.fn.Plain(g.item)
	} else {
		g.result, err = g.fn.Context(ctx, g.item)
	}
	g.w.policed.leave(entered)
	return err
}

func (g *guarded[T, R]) run(ctx context.Context, w *worker, s span) error {
	w.at, w.returned = s.lo, false
	defer w.guard()
	g.w = w
	var none R
	for i := s.lo; i < s.hi && !w.interrupted(); i++ {
		// A policy may answer without calling: then no earlier item's result may show.
		g.item, g.result, w.attempts = g.items[i], none, 0
		began := w.policed.begin()
		err := g.chain(ctx)
		w.policed.end(began)
		if err != nil {
			w.returned = true
			return err
		}
		g.out[i] = g.result
		w.at = i + 1
	}
	g.result = none // keeps no result alive that the caller may drop
	w.returned = true
	return nil
}
