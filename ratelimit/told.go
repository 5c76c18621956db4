package ratelimit

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// told is a limiter as seen by the code that runs the calls.
type told Limiter

// inLine describes the line in which a call waits for a token.
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

// pausedFor returns how much longer the present pause lasts, 0 if there is none.
func (l *Limiter) pausedFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.resume()-clock.Now())
}

// otherMake stands for a limiter of another library.
type otherMake struct{}

func (otherMake) Kind() string                   { return "ratelimit" }
func (otherMake) Name() string                   { return "" }
func (otherMake) State() (string, time.Duration) { return "", 0 }
