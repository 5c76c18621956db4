package circuitbreaker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/fifo"
	"github.com/amorsize/amorsize/internal/waiting"
)

// waiter is a call that waits to pass.
type waiter struct {
	passed chan pass   // its pass, once
	timer  *time.Timer // runs only at the head of the line
}

// place is a waiter in line: first come, first served.
type place = fifo.Place[waiter]

// enter lets a call pass, at once or after a wait.
func (b *Breaker) enter(ctx context.Context) (pass, error) {
	if ctx.Err() != nil {
		return pass{}, contextError(ctx)
	}
	now := b.lock()
	if b.line.Len() == 0 {
		if p, ok := b.pass(now); ok {
			b.unlock(now)
			return p, nil
		}
	}
	refusal := b.refusal(now)
	if b.p.WhenOpen == Reject {
		b.unlock(now)
		return pass{}, refusal
	}
	if refusal.State == Open && b.p.MaxWait > 0 && refusal.RetryAfter > b.p.MaxWait {
		b.unlock(now)
		return pass{}, refusal
	}
	if deadline, ok := ctx.Deadline(); ok && refusal.State == Open && refusal.RetryAfter > time.Until(deadline) {
		b.unlock(now)
		refusal.cause = context.DeadlineExceeded
		return pass{}, refusal
	}
	w := b.line.Push(waiter{passed: make(chan pass, 1), timer: time.NewTimer(never)})
	w.Value.timer.Stop()
	b.unlock(now)
	return b.await(ctx, w, refusal)
}

// await blocks until w may pass or gives up.
func (b *Breaker) await(ctx context.Context, w *place, refusal *OpenError) (pass, error) {
	defer waiting.Begin(ctx, waiting.Line{By: (*told)(b)}).End()
	defer w.Value.timer.Stop()
	var limit <-chan time.Time
	if b.p.MaxWait > 0 {
		timer := time.NewTimer(b.p.MaxWait)
		defer timer.Stop()
		limit = timer.C
	}
	for {
		select {
		case p := <-w.Value.passed:
			if ctx.Err() == nil {
				return p, nil
			}
			b.release(p)
			refusal.cause = contextError(ctx)
			return pass{}, refusal
		case <-w.Value.timer.C:
			b.unlock(b.lock()) // this serves the line
		case <-limit:
			if late := b.withdraw(w); late != nil {
				return pass{}, late
			} // otherwise it was let through at the last moment
		case <-ctx.Done():
			if late := b.withdraw(w); late != nil {
				refusal = late
			} else {
				b.release(<-w.Value.passed)
			}
			refusal.cause = contextError(ctx)
			return pass{}, refusal
		}
	}
}

// admit lets waiting calls pass that may, and runs the timer of the first that may not.
func (b *Breaker) admit(now time.Duration) {
	for first := b.line.First(); first != nil; first = b.line.First() {
		p, ok := b.pass(now)
		if !ok {
			first.Value.timer.Reset(until(now, b.turn()))
			return
		}
		first.Value.passed <- p // never blocks: there is room for the only value
		b.line.Remove(first)
	}
}

// withdraw takes w out of the line. It returns the up-to-date refusal, or nil if w has
// been let through.
func (b *Breaker) withdraw(w *place) *OpenError {
	now := b.lock()
	defer b.unlock(now)
	if !b.line.Remove(w) {
		return nil
	}
	return b.refusal(now)
}

// release returns an unused pass.
func (b *Breaker) release(p pass) {
	now := b.lock()
	defer b.unlock(now)
	if p.probe != nil {
		b.leave(p.probe)
	}
}

// Permit is the permission for a call that is made by hand.
type Permit struct {
	b    *Breaker
	ctx  context.Context
	pass pass
	done atomic.Bool
}

// Allow lets a call pass that the caller makes itself, with the errors of [Breaker.Do].
// Report its outcome with [Permit.Done]; if that is forgotten while the breaker is
// half-open, the call occupies its place for Policy.ProbeTimeout.
func (b *Breaker) Allow(ctx context.Context) (*Permit, error) {
	if ctx == nil {
		return nil, bad("ctx", nil, "a context")
	}
	p, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	return &Permit{b: b, ctx: ctx, pass: p}, nil
}

// Done reports the outcome of the call. Only the first report counts.
func (p *Permit) Done(err error) {
	if !p.done.Swap(true) {
		p.b.settle(p.ctx, p.pass, err)
	}
}
