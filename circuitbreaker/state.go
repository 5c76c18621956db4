package circuitbreaker

import (
	"math"
	"slices"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// lock takes the lock and makes the changes that time has caused. Every change of a
// breaker happens between lock and unlock.
func (b *Breaker) lock() time.Duration {
	b.mu.Lock()
	now := clock.Now()
	if b.term.Load().state == Open && now >= b.reopens {
		b.change(now, HalfOpen, event{"OnHalfOpen", b.p.OnHalfOpen})
	}
	b.probes = slices.DeleteFunc(b.probes, func(p *probe) bool { return now >= p.ends })
	b.admit(now) // before any new call
	return now
}

// unlock lets waiting calls pass that may, and runs the callbacks of the changes, outside
// the lock.
func (b *Breaker) unlock(now time.Duration) {
	b.admit(now)
	pending := b.pending
	b.pending = nil
	b.mu.Unlock()
	for _, e := range pending {
		b.panics.Run("circuitbreaker.Policy."+e.callback, e.call)
	}
}

// event is a pending call of the callback of that name.
type event struct {
	callback string
	call     func() // nil if the callback isn't set
}

// tell makes a callback be called after unlock.
func (b *Breaker) tell(e event) {
	if e.call != nil {
		b.pending = append(b.pending, e)
	}
}

// change begins a new term, and makes the callbacks be called after unlock. Outcomes of
// calls from before don't count.
func (b *Breaker) change(now time.Duration, s State, on event) {
	b.tell(on)
	if tell := b.p.OnChange; tell != nil {
		c := Change{From: b.term.Load().state, To: s, Counts: b.counts(now), Err: b.latest}
		b.tell(event{"OnChange", func() { tell(c) }})
	}
	b.begin(now, s)
}

// begin is a change without callbacks.
func (b *Breaker) begin(now time.Duration, s State) {
	next := &term{state: s}
	if s == Closed && (b.p.FailureRate > 0 || b.p.SlowCallRate > 0) {
		next.window = newWindow(b.p.Window, now)
	}
	b.probes = nil
	b.term.Store(next)
}

func (b *Breaker) open(now time.Duration, failures int) {
	told := event{callback: "OnOpen"}
	if on, last := b.p.OnOpen, b.latest; on != nil {
		told.call = func() { on(failures, last) }
	}
	b.change(now, Open, told)
	b.openedAt, b.reopens = time.Now(), after(now, b.p.OpenFor)
	b.successes, b.refuted = 0, 0
}

func (b *Breaker) close(now time.Duration) {
	b.change(now, Closed, event{"OnClose", b.p.OnClose})
	b.forget()
}

func (b *Breaker) forget() {
	b.failures.Store(0)
	b.openedAt, b.latest, b.successes, b.refuted = time.Time{}, nil, 0, 0
}

// leave frees the place of a probe. It is false if the probe had lost it.
func (b *Breaker) leave(p *probe) bool {
	i := slices.Index(b.probes, p)
	if i >= 0 {
		b.probes = slices.Delete(b.probes, i, i+1)
	}
	return i >= 0
}

// pass lets a call pass if it may.
func (b *Breaker) pass(now time.Duration) (pass, bool) {
	p := pass{term: b.term.Load(), timed: true, begun: now}
	switch {
	case p.term.state == Closed:
		return p, true
	case p.term.state == HalfOpen && len(b.probes) < b.p.HalfOpenProbes:
		p.probe = &probe{ends: after(now, b.p.ProbeTimeout)}
		b.probes = append(b.probes, p.probe)
		return p, true
	}
	return p, false
}

// turn returns when a call that may not pass now may pass, if nothing happens before.
func (b *Breaker) turn() time.Duration {
	if b.term.Load().state == Open {
		return b.reopens
	}
	first := never
	for _, p := range b.probes { // half-open, and all places are taken
		first = min(first, p.ends)
	}
	return first
}

// never is an instant that doesn't come, and the duration until then.
const never = time.Duration(math.MaxInt64)

// after is now + d, or never.
func after(now, d time.Duration) time.Duration {
	if d == never || now > 0 && d > never-now {
		return never
	}
	return now + d
}

// until is how long it is from now to at.
func until(now, at time.Duration) time.Duration {
	if at == never {
		return never
	}
	return at - now
}

func (b *Breaker) refusal(now time.Duration) *OpenError {
	e := &OpenError{State: b.term.Load().state, OpenedAt: b.openedAt, RetryAfter: until(now, b.turn())}
	if e.State == HalfOpen {
		e.RetryAfter = max(1, min(e.RetryAfter, b.p.OpenFor/10))
	}
	return e
}
