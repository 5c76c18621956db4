package concurrency

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/fifo"
	"github.com/amorsize/amorsize/internal/waiting"
)

// waiter is a call that waits for its turn: it gets its permit, once.
type waiter = fifo.Place[chan Permit]

// await blocks until w is served or gives up.
func (l *Limiter) await(ctx context.Context, w *waiter) (Permit, error) {
	defer waiting.Begin(ctx, waiting.Line{Of: l, OneOfMany: l.keyed, By: (*told)(l)}).End()
	var limit <-chan time.Time
	if l.p.MaxWait > 0 {
		timer := time.NewTimer(l.p.MaxWait)
		defer timer.Stop()
		limit = timer.C
	}
	select {
	case p := <-w.Value:
		if ctx.Err() != nil {
			p.Cancel()
			return Permit{}, canceled(ctx)
		}
		return p, nil
	case <-limit:
		if refusal := l.withdraw(w); refusal != nil {
			return Permit{}, refusal
		}
		return <-w.Value, nil // served at the last moment
	case <-ctx.Done():
		if l.withdraw(w) == nil {
			(<-w.Value).Cancel()
		}
		return Permit{}, canceled(ctx)
	}
}

// withdraw takes w out of the line, and returns the refusal; nil if w has been served.
func (l *Limiter) withdraw(w *waiter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.line.Remove(w) {
		return nil
	}
	return l.refuse(l.now())
}
