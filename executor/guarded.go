package executor

import (
	"context"
	"slices"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
)

// guarded runs a function item by item through a chain of policies. The chain
// is built once for each worker; an item costs no closure and no allocation.
type guarded[T, R any] struct {
	calls[T, R]
	policies []Policy
	chain    func(context.Context) error
	w        *worker // whose item is being run
	kept     kept[T, R]
	item     T
	result   R
}

func newGuarded[T, R any](c calls[T, R], policies []Policy) *guarded[T, R] {
	g := &guarded[T, R]{calls: c, policies: policies, kept: kept[T, R]{c.fn.Keeper, c.past}}
	g.chain = chain(bind(policies, g.current), g.call)
	return g
}

// current returns the item being run, and its result, for policies that look at them.
func (g *guarded[T, R]) current() (*T, *R) { return &g.item, &g.result }

// chain wraps call into the policies, the first one outermost. What it returns has no mark of
// whether a call was made.
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

// fail makes the error, with how often the function was called: never, if a policy
// refused.
func (g *guarded[T, R]) fail(w *worker, lost span, err error) error {
	return &ItemError{Index: lost.Lo, Attempts: w.attempts, Err: err}
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
	if g.kept.keeper != nil {
		defer g.lost(w, s)
	}
	defer w.guard()
	g.w = w
	var none R
	for i := s.Lo; i < s.Hi && !w.interrupted(); i++ {
		// A policy may return without calling: then the result of an earlier item must
		// not be used.
		g.item, g.result, w.attempts = g.items[i], none, 0
		since, began := g.kept.begin(), w.beginPoliced()
		err := g.chain(ctx)
		w.policed.end(began)
		if g.kept.keeper != nil && (err == nil || ctx.Err() == nil) {
			g.keep(i, since, err)
		}
		w.uncalled(1, err)
		if err != nil {
			w.returned = true
			return err
		}
		g.out[g.past.number(i)] = g.result
		if w.at = i + 1; w.unkept != nil {
			w.returned = true
			return errUnkept
		}
	}
	g.result = none // don't keep alive a result that the caller may drop
	w.returned = true
	return nil
}

// keep passes the outcome of the current item to the keeper. A failure after the end of
// the run is not passed on: it may not be the item's own.
func (g *guarded[T, R]) keep(i int, since time.Duration, err error) {
	ended := clock.Now()
	now := Outcome[R]{Value: g.result, Attempts: g.w.attempts, Took: ended - since}
	if err != nil {
		now.Value, now.Err = *new(R), err
	}
	g.kept.keep(g.w, i, g.item, now, ended)
}

// lost passes on to the keeper an item that panicked, or ended its goroutine.
func (g *guarded[T, R]) lost(w *worker, s span) {
	if err := w.ended(); err != nil && w.at < s.Hi {
		g.kept.keep(w, w.at, g.items[w.at], Outcome[R]{Err: err, Attempts: w.attempts}, clock.Now())
	}
}
