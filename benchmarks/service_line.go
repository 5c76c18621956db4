package main

import (
	"context"
	"sync"

	"github.com/platinummonkey/go-concurrency-limits/core"
)

// line is a limiter in which calls wait for their turn, first come, first served. The
// library's own wakes all who wait at the end of each call: with 256 workers that costs
// more than the calls.
type line struct {
	core.Limiter
	mu      sync.Mutex
	waiting []chan struct{}
}

// Acquire waits for permission; false if ctx ended.
func (l *line) Acquire(ctx context.Context) (core.Listener, bool) {
	for ctx.Err() == nil {
		l.mu.Lock()
		listener, ok := l.Limiter.Acquire(ctx)
		turn := make(chan struct{})
		if !ok {
			l.waiting = append(l.waiting, turn)
		}
		l.mu.Unlock()
		if ok {
			l.wake() // there may be room for more than one
			return lineListener{listener, l}, true
		}
		select {
		case <-turn:
		case <-ctx.Done():
		}
	}
	l.wake() // the turn may have been this one's
	return nil, false
}

func (l *line) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

// lineListener lets the next one in when a call has ended.
type lineListener struct {
	core.Listener
	line *line
}

func (l lineListener) OnSuccess() { l.Listener.OnSuccess(); l.line.wake() }
func (l lineListener) OnIgnore()  { l.Listener.OnIgnore(); l.line.wake() }
func (l lineListener) OnDropped() { l.Listener.OnDropped(); l.line.wake() }
