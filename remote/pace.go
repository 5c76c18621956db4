package remote

import (
	"sync"
	"time"
)

// pace measures how many items per second a function does in this process, over the time in which it has any.
type pace struct {
	lock   sync.Mutex
	active int       // chunks
	since  time.Time // since when there has been one
	busy   time.Duration
	items  int
	value  float64
	told   time.Time
}

// paceWindow is the time after which a new measurement outweighs the old one.
const paceWindow = 500 * time.Millisecond

// paceTell is how often the rate is reported to others.
const paceTell = time.Second

func (p *pace) begin() {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.active++; p.active == 1 {
		p.since = time.Now()
	}
}

func (p *pace) end(items int) {
	p.lock.Lock()
	defer p.lock.Unlock()
	now := time.Now()
	p.busy += now.Sub(p.since)
	p.since = now
	p.active--
	p.items += items
	if p.busy <= 0 {
		return
	}
	if now := float64(p.items) / p.busy.Seconds(); p.value == 0 || p.busy >= paceWindow {
		p.value = now
	}
	if p.busy >= paceWindow {
		p.busy, p.items = 0, 0
	}
}

func (p *pace) rate() float64 {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.value
}

// news returns the rate if it should be reported.
func (p *pace) news() float64 {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.value == 0 || !p.told.IsZero() && time.Since(p.told) < paceTell {
		return 0
	}
	p.told = time.Now()
	return p.value
}
