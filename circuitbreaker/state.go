package circuitbreaker

import (
	"math"
	"slices"
	"time"

	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
)

// lock takes the lock and has the state follow the time: all that happens to a
// breaker happens between lock and unlock.
func (b *Breaker) lock() time.Duration {
	b.mu.Lock()
	now := clock.Now()
	if b.state == Open && now >= b.reopens {
		b.change(HalfOpen)
		b.successes = 0
		b.tell(b.p.OnHalfOpen)
	}
	b.probes = slices.DeleteFunc(b.probes, func(p *probe) bool { return now >= p.ends })
	b.admit(now) // before whoever comes now
	return now
}

// unlock lets those pass who wait and may, and runs the callbacks of what has
// changed, outside the lock.
func (b *Breaker) unlock(now time.Duration) {
	b.admit(now)
	pending := b.pending
	b.pending = nil
	b.mu.Unlock()
	for _, call := range pending {
		callback.Run(call)
	}
}

// tell has a callback called after unlock.
func (b *Breaker) tell(call func()) {
	if call != nil {
		b.pending = append(b.pending, call)
	}
}

// change begins a new state. What comes of calls from before counts for nothing.
func (b *Breaker) change(s State) {
	b.state = s
	b.generation++
	b.probes = nil
	if s == Closed {
		b.passing.Store(b.generation)
	} else {
		b.passing.Store(0)
	}
}

func (b *Breaker) open(now time.Duration, failures int, last error) {
	b.change(Open)
	b.openedAt, b.reopens = time.Now(), after(now, b.p.OpenFor)
	b.successes = 0
	if on := b.p.OnOpen; on != nil {
		b.tell(func() { on(failures, last) })
	}
}

func (b *Breaker) close(now time.Duration) {
	b.change(Closed)
	b.failures.Store(0)
	b.openedAt, b.successes = time.Time{}, 0
	if b.window != nil {
		b.window.reset(now)
	}
}

// leave frees the place of a probe. It is false if it had none any more.
func (b *Breaker) leave(p *probe) bool {
	i := slices.Index(b.probes, p)
	if i >= 0 {
		b.probes = slices.Delete(b.probes, i, i+1)
	}
	return i >= 0
}

// pass lets a call pass if it may.
func (b *Breaker) pass(now time.Duration) (pass, bool) {
	p := pass{generation: b.generation, begun: now}
	switch {
	case b.state == Closed:
		return p, true
	case b.state == HalfOpen && len(b.probes) < b.p.HalfOpenProbes:
		p.probe = &probe{ends: after(now, b.p.ProbeTimeout)}
		b.probes = append(b.probes, p.probe)
		return p, true
	}
	return p, false
}

// turn returns when a call may pass that may not now, if nothing happens before.
func (b *Breaker) turn() time.Duration {
	if b.state == Open {
		return b.reopens
	}
	first := time.Duration(math.MaxInt64)
	for _, p := range b.probes { // half-open, and all places are taken
		first = min(first, p.ends)
	}
	return first
}

// after is now + d, or the end of time.
func after(now, d time.Duration) time.Duration {
	if now > 0 && d > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + d
}

func (b *Breaker) refusal(now time.Duration) *OpenError {
	e := &OpenError{State: b.state, OpenedAt: b.openedAt, RetryAfter: b.turn() - now}
	if b.state == HalfOpen {
		e.RetryAfter = max(1, min(e.RetryAfter, b.p.OpenFor/10))
	}
	return e
}
