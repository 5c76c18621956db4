package ratelimit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// Group applies several limits to a call at once: 10 per second and 500 per hour;
// requests and tokens per minute.
//
// A call gets all of its tokens at the same instant, or none. It has a place in the line
// of each limiter, first come, first served, among all waiting calls: of this group, of
// other groups, and of the limiter alone. While it waits for one limiter, its places in
// the others block no other call. When its turn has come in all, the calls behind it wait
// as long as its tokens take to arrive. A Group has no state: one made for a single call
// is as fair as a permanent one.
//
// Policy.OnWait of a limiter is called for calls that found no tokens there on arrival,
// with the total time they waited. A limiter that rejects does so if a call would have to
// wait for it on arrival.
type Group struct {
	limiters []*Limiter
	err      error
}

// All returns the group of the limiters. If there is none, or one is nil or
// given twice, every call of the group returns an [*InvalidError].
func All(limiters ...*Limiter) *Group {
	g := &Group{limiters: limiters}
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

// Acquire takes a token of each limiter, waiting until all are there. Its errors are
// those of [Limiter.AcquireN]; with an error, nothing was taken.
func (g *Group) Acquire(ctx context.Context) error { return g.AcquireEach(ctx) }

// AcquireEach is Acquire with an amount for each limiter, in their order; missing amounts
// are 1. Use AcquireEach(ctx, 1, 1200) for a request of 1200 tokens. A limiter with
// amount 0 is skipped: nothing is taken from it, and it is not waited for.
//
// An amount larger than a limiter's bucket is waited for first, and kept while waiting
// for the others.
func (g *Group) AcquireEach(ctx context.Context, n ...float64) error {
	_, err := g.grants(ctx, n)
	return err
}

// grants returns the tokens, with their limiters.
func (g *Group) grants(ctx context.Context, n []float64) ([]member, error) {
	if err := g.check(ctx, n); err != nil {
		return nil, err
	}
	since := clock.Now()
	j := newJoint(g.limiters, n)
	if waits, err := j.enter(ctx); err != nil || !waits {
		return j.members, err
	}
	defer waiting.Begin(ctx, g.line()).End()
	j.waits()
	return j.members, j.await(ctx, since)
}

// line describes the line that calls of the group wait in.
func (g *Group) line() waiting.Line {
	// A group may be made for a single call: the limiters tell the lines apart.
	if at := slices.IndexFunc(g.limiters, func(l *Limiter) bool { return l.keyed }); at >= 0 {
		return g.limiters[at].inLine()
	}
	return g.limiters[0].inLine()
}

// TryAcquire takes a token of each limiter if all are available and no call waits for
// them.
func (g *Group) TryAcquire() bool { return g.TryAcquireEach() }

// TryAcquireEach takes an amount of each limiter if all are available and no call waits
// for them.
func (g *Group) TryAcquireEach(n ...float64) bool {
	if g.err != nil || len(n) > len(g.limiters) {
		return false
	}
	for _, amount := range n {
		if validChange(amount) != nil {
			return false
		}
	}
	return newJoint(g.limiters, n).try()
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
		if err := validChange(amount); err != nil {
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

// Rate returns the tokens that come per second in the slowest of the limiters.
func (g *Group) Rate() float64 {
	if g.err != nil {
		return 0
	}
	return g.slowest().Rate()
}

// Burst returns the bucket size of the slowest of the limiters.
func (g *Group) Burst() int64 {
	if g.err != nil {
		return 0
	}
	return g.slowest().Burst()
}

func (g *Group) slowest() *Limiter {
	return slices.MinFunc(g.limiters, func(a, b *Limiter) int { return cmp.Compare(a.Rate(), b.Rate()) })
}

// Do takes a token of each limiter and makes the call, as [Limiter.Do] does.
func (g *Group) Do(ctx context.Context, call func(context.Context) error) error {
	if call == nil {
		return bad("call", nil, "a function")
	}
	members, err := g.grants(ctx, nil)
	if err != nil {
		return err
	}
	made := call(ctx)
	for _, m := range members {
		err = m.l.settle(made, m.granted)
	}
	return err
}
