package circuitbreaker

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// State returns the state.
func (b *Breaker) State() State {
	defer b.unlock(b.lock())
	return b.term.Load().state
}

// Peek returns the present state and counts. It does not make a change that is due, so it
// calls no callback.
func (b *Breaker) Peek() (State, Counts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := clock.Now()
	state := b.term.Load().state
	if state == Open && now >= b.reopens {
		state = HalfOpen
	}
	return state, b.counts(now)
}

// Counts is what a breaker has counted.
type Counts struct {
	Failures  int // in a row, including those that opened the breaker
	Successes int // of probes while half-open
	Probes    int // that run now
	Waiting   int // calls that wait
	OpenedAt  time.Time
	// Within Policy.Window, if a rate is set.
	WindowCalls, WindowFailures, WindowSlow int
}

// Counts returns what has been counted. OpenedAt is zero while closed.
func (b *Breaker) Counts() Counts {
	now := b.lock()
	defer b.unlock(now)
	return b.counts(now)
}

func (b *Breaker) counts(now time.Duration) Counts {
	c := Counts{
		Failures: int(b.failures.Load()), Successes: b.successes,
		Probes: len(b.probes), Waiting: b.line.Len(), OpenedAt: b.openedAt,
	}
	if w := b.term.Load().window; w != nil {
		sum := w.total(now)
		c.WindowCalls, c.WindowFailures, c.WindowSlow = sum.calls, sum.failures, sum.slow
	}
	return c
}

// Panics returns how many times a callback of the policy has panicked. A panic does not
// affect the breaker; the first is logged.
func (b *Breaker) Panics() int64 { return b.panics.Count() }

// Usual returns how long successful calls usually take: a recent mean, or 0 as long as it
// isn't known. Only some calls are measured: the first, those whose context has a
// deadline, and those after one that ran out of time.
func (b *Breaker) Usual() time.Duration { return time.Duration(b.usual.nanos.Load()) }

// Reset closes the breaker and clears the counts. Waiting calls pass. No callback is
// called.
func (b *Breaker) Reset() {
	now := b.lock()
	defer b.unlock(now)
	b.begin(now, Closed)
	b.forget()
	b.pending = nil // including changes that time caused until now
}

// Isolate opens the breaker until Reset, for any length of time. It is for a service that
// is known to be down, or must not be called. Calls are refused with the largest duration
// as OpenError.RetryAfter, which means never, or wait. No callback is called.
func (b *Breaker) Isolate() {
	now := b.lock()
	defer b.unlock(now)
	b.begin(now, Open)
	b.openedAt, b.reopens, b.successes, b.refuted = time.Now(), never, 0, 0
	b.pending = nil
}

// Bypass lets all calls pass until Reset or Isolate, whatever their outcomes. It is for a
// service that must be called although it fails. Nothing is counted. Waiting calls pass.
// No callback is called.
func (b *Breaker) Bypass() {
	now := b.lock()
	defer b.unlock(now)
	b.begin(now, Closed)
	b.term.Store(&term{state: Closed, bypassed: true})
	b.forget()
	b.pending = nil
}
