package circuitbreaker

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// told is a breaker as seen by the code that runs the calls.
type told Breaker

// tellOf notifies the code that runs the call of ctx, if the breaker changed during the call or
// is not closed.
func (b *Breaker) tellOf(ctx context.Context, before *term) {
	if now := b.term.Load(); now != before || now.state != Closed {
		waiting.Changed(ctx, (*told)(b))
	}
}

// Kind implements [waiting.Policy].
func (*told) Kind() string { return "circuitbreaker" }

// Name implements [waiting.Policy].
func (t *told) Name() string { return t.p.Name }

// State implements [waiting.Policy].
func (t *told) State() (state string, left time.Duration) {
	b := (*Breaker)(t)
	if b.keyed { // one of many: the others may let calls pass
		return "", 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch state := b.term.Load().state; state {
	case Closed:
		return "", 0
	case Open:
		if b.reopens == never {
			return state.String(), 0 // not known
		}
		return state.String(), max(0, until(clock.Now(), b.reopens))
	default:
		return state.String(), 0
	}
}
