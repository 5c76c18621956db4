package executor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

const (
	// reviewEvery is how often a run is looked at, reviewRarely where nothing changes.
	reviewEvery  = 2 * time.Millisecond
	reviewRarely = 100 * time.Millisecond
)

// pacer says when a run is looked at: after claims of the workers, and by a supervisor when
// all of them are in long calls.
type pacer struct {
	// mu makes reviews come one at a time. It is tried, and never waited for.
	mu      sync.Mutex
	wanted  atomic.Bool   // a review is
	at      atomic.Int64  // when the next one is to be
	stirred chan struct{} // a token: the supervisor is to look soon
	resting atomic.Bool   // it looks seldom
}

// review has look called. Of several reviews at once, one goes on for all: whoever comes
// meanwhile leaves word in wanted, and that it looks again. It reports whether anything
// was changed.
func (p *pacer) review(now time.Duration, look func(time.Duration) bool) (changed bool) {
	p.wanted.Store(true)
	for p.wanted.Load() && p.mu.TryLock() {
		changed = p.once(now, look) || changed
		now = clock.Now()
	}
	return changed
}

func (p *pacer) once(now time.Duration, look func(time.Duration) bool) bool {
	defer p.mu.Unlock() // whatever happens
	p.wanted.Store(false)
	return look(now)
}

// again has the review that is under way be followed by another one.
func (p *pacer) again() { p.wanted.Store(true) }

// stir has the supervisor look soon.
func (p *pacer) stir() { poke(p.stirred) }

// hurry does so if it looks seldom.
func (p *pacer) hurry() {
	if p.resting.Load() {
		p.stir()
	}
}

// supervise reviews the run at ever longer intervals, and soon when a policy holds a call
// back, since another worker may take its place. It ends when idle is closed.
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
