package ratelimit

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// told is a limiter as those are told of it who run the calls.
type told Limiter

// inLine is what a call waits in that waits for a token.
func (l *Limiter) inLine() waiting.Line {
	return waiting.Line{Of: l, OneOfMany: l.keyed, By: (*told)(l)}
}

// Kind implements [waiting.Policy].
func (*told) Kind() string { return "ratelimit" }

// Name implements [waiting.Policy].
func (t *told) Name() string {
	if t.extras == nil {
		return ""
	}
	return t.name
}

// State implements [waiting.Policy].
func (t *told) State() (state string, left time.Duration) {
	if left = (*Limiter)(t).pausedFor(); left > 0 {
		return "paused", left
	}
	return "", 0
}

// pausedFor returns how long the pause lasts yet that is under way, 0 if none is.
func (l *Limiter) pausedFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.resume()-clock.Now())
}

// otherMake is a limiter of another make.
type otherMake struct{}

func (otherMake) Kind() string                   { return "ratelimit" }
func (otherMake) Name() string                   { return "" }
func (otherMake) State() (string, time.Duration) { return "", 0 }
