package circuitbreaker

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// State returns the state.
func (b *Breaker) State() State {
	defer b.unlock(b.lock())
	return b.state
}

// Peek returns the state and the counts as they are now, without making a change
// that is due and so without calling anything.
func (b *Breaker) Peek() (State, Counts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := clock.Now()
	if b.state == Open && now >= b.reopens {
		return HalfOpen, b.counts(now)
	}
	return b.state, b.counts(now)
}

// Counts is what a breaker has counted.
type Counts struct {
	Failures  int // in a row, up to the ones that opened the breaker
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
		Probes: len(b.probes), Waiting: len(b.line), OpenedAt: b.openedAt,
	}
	if b.window != nil {
		sum := b.window.total(now)
		c.WindowCalls, c.WindowFailures, c.WindowSlow = sum.calls, sum.failures, sum.slow
	}
	return c
}

// Reset closes the breaker and forgets what was counted. Calls that wait pass. No
// callback is called.
func (b *Breaker) Reset() {
	now := b.lock()
	defer b.unlock(now)
	b.close(now)
	b.pending = nil // also of what had changed by itself until now
}
