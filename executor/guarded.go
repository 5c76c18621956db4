package executor

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
)

// policed tells waiting in policies, for a token or for a breaker to close, from
// the items' own time. It costs four clock readings an item, so it is done in the
// sample and for items that take long enough not to feel it.
type policed struct {
	sampling bool // the sample is under way
	measured bool // the item being run
	own      time.Duration
	waited   time.Duration // in the policies, since it was last asked

	// What others may look at.
	measuring atomic.Bool  // an item is being measured
	inside    atomic.Bool  // the function is being called
	entered   atomic.Int64 // when
	ownItems  atomic.Int64 // items measured, and the time in the function for them
	ownTime   atomic.Int64
}

// leastWait is what policies may take without it being called waiting: that much
// is their overhead, which is the item's. Items that take less are not measured.
const leastWait = 10 * time.Microsecond

// beginPoliced notes that an item begins.
func (w *worker) beginPoliced() (now time.Duration) {
	p := &w.policed
	p.inside.Store(false) // a policy may have recovered a panic of the call
	p.measured = p.sampling || w.tracker != nil || w.itemNanos > float64(leastWait)
	p.measuring.Store(p.measured)
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
	p.ownItems.Add(1)
	p.ownTime.Add(int64(p.own))
	if waited := clock.Now() - began - p.own; waited > leastWait {
		p.waited += waited
	}
}

// enter and leave are called around an attempt for so many items, which costs so many
// times as much as an ordinary one.
func (w *worker) enter(items int, cost float64) (now time.Duration) {
	p := &w.policed
	if !p.measured {
		return 0
	}
	w.call.settle() // what policies waited for this attempt is not its time
	now = clock.Now()
	p.entered.Store(int64(now))
	p.inside.Store(true)
	w.enterAttempt(now, items, cost)
	return now
}

func (w *worker) leave(entered time.Duration, items int, err error) {
	p := &w.policed
	if !p.measured {
		return
	}
	held := w.call.settle()
	now := clock.Now()
	p.inside.Store(false)
	p.own += now - entered - held
	w.heldBack += held
	w.leaveAttempt(now, items, err)
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
	var entered answer.Chain
	call = entered.Call(call)
	for _, policy := range slices.Backward(policies) {
		inner := call
		call = entered.Link(func(ctx context.Context) error { return policy.Do(ctx, inner) })
	}
	return func(ctx context.Context) error { return answer.Plain(call(ctx)) }
}

func (g *guarded[T, R]) fork() runner { return newGuarded(g.calls, g.policies) }

// fail tells how often the function was called: never, if a policy refused.
func (g *guarded[T, R]) fail(w *worker, lost span, err error) error {
	return &ItemError{Index: lost.Lo, Attempts: w.attempts, Err: answer.Plain(err)}
}

// usesContext is true: policies are given one.
func (g *guarded[T, R]) usesContext() bool { return true }

func (g *guarded[T, R]) tellsAttempts() bool { return true }

// call is the innermost link: one attempt at the current item.
func (g *guarded[T, R]) call(ctx context.Context) (err error) {
	g.w.attempts++
	entered := g.w.enter(1, 1)
	if g.fn.Plain != nil {
		g.result, err = g.fn.Plain(g.item)
	} else {
		g.result, err = g.fn.Context(ctx, g.item)
	}
	g.w.leave(entered, 1, err)
	return err
}

func (g *guarded[T, R]) run(ctx context.Context, w *worker, s span) error {
	w.at, w.returned = s.Lo, false
	defer w.guard()
	g.w = w
	var none R
	for i := s.Lo; i < s.Hi && !w.interrupted(); i++ {
		// A policy may answer without calling: then no earlier item's result may show.
		g.item, g.result, w.attempts = g.items[i], none, 0
		began := w.beginPoliced()
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
