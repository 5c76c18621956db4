package executor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

const (
	// reviewEvery is how often a run is reviewed, reviewRarely if nothing changes.
	reviewEvery  = 2 * time.Millisecond
	reviewRarely = 100 * time.Millisecond
)

// pacer decides when a run is reviewed: after claims of the workers, and by a supervisor
// when all workers are in long calls.
type pacer struct {
	// mu allows one review at a time. It is only taken with TryLock.
	mu      sync.Mutex
	wanted  atomic.Bool   // a review is wanted
	at      atomic.Int64  // when the next review is due
	stirred chan struct{} // a token: the supervisor must review soon
	resting atomic.Bool   // the supervisor reviews rarely
}

// review calls look, unless a review is running: then it sets wanted, and the running
// review looks once more. It reports whether anything was changed.
func (p *pacer) review(now time.Duration, look func(time.Duration) bool) (changed bool) {
	p.wanted.Store(true)
	for p.wanted.Load() && p.mu.TryLock() {
		changed = p.once(now, look) || changed
		now = clock.Now()
	}
	return changed
}

func (p *pacer) once(now time.Duration, look func(time.Duration) bool) bool {
	defer p.mu.Unlock() // even if look panics
	p.wanted.Store(false)
	return look(now)
}

// again makes the running review be followed by another one.
func (p *pacer) again() { p.wanted.Store(true) }

// stir makes the supervisor review soon.
func (p *pacer) stir() { poke(p.stirred) }

// hurry is stir, if the supervisor reviews rarely.
func (p *pacer) hurry() {
	if p.resting.Load() {
		p.stir()
	}
}

// supervise reviews the run at growing intervals, and soon when a policy holds a call back,
// since another worker may take its place. It ends when idle is closed.
func (p *pacer) supervise(idle <-chan struct{}, review func(time.Duration) bool) {
	wait := reviewEvery
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		p.resting.Store(wait > reviewEvery)
		select {
		case <-idle:
			return
		case <-p.stirred:
			if wait > reviewEvery {
				wait = reviewEvery
				timer.Reset(wait)
			}
		case <-timer.C:
			if review(clock.Now()) {
				wait = reviewEvery
			} else {
				wait = min(2*wait, reviewRarely)
			}
			timer.Reset(wait)
		}
	}
}

// poke leaves a token, unless there is one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
