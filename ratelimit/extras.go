package ratelimit

import (
	"time"

	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
)

// extras is what only few limiters need; the others spend no memory on it.
type extras struct {
	name      string
	onWait    func(time.Duration)
	onWaiting func(time.Duration)
	onPause   func(time.Duration)
	refusals  *refusals // nil if calls wait instead
	panics    callback.Panics
}

func newExtras(p Policy) *extras {
	if p.OnWait == nil && p.OnWaiting == nil && p.OnPause == nil && p.OnLimit == Wait && p.Name == "" {
		return nil
	}
	e := &extras{name: p.Name, onWait: p.OnWait, onWaiting: p.OnWaiting, onPause: p.OnPause}
	if p.OnLimit == Reject {
		e.refusals = &refusals{told: never}
	}
	return e
}

func (l *Limiter) rejects() bool { return l.extras != nil && l.refusals != nil }

// waited reports a wait that has ended.
func (l *Limiter) waited(since time.Duration) {
	if l.extras != nil && l.onWait != nil {
		l.panics.Run("ratelimit: Policy.OnWait", func() { l.onWait(clock.Now() - since) })
	}
}

// waits reports a wait that begins. If the callback doesn't return (Goexit), the call gives
// up its place.
func (l *Limiter) waits(expected time.Duration, giveUp func()) {
	if l.extras == nil || l.onWaiting == nil {
		return
	}
	returned := false
	defer func() {
		if !returned {
			giveUp()
		}
	}()
	l.panics.Run("ratelimit: Policy.OnWaiting", func() { l.onWaiting(expected) })
	returned = true
}

// paused reports a pause that begins.
func (l *Limiter) paused(length time.Duration) {
	if l.extras != nil && l.onPause != nil {
		l.panics.Run("ratelimit: Policy.OnPause", func() { l.onPause(length) })
	}
}

// CallbackPanics returns how many calls of the policy's callbacks and of Adapt.Throttled have
// panicked. The first is logged, too, with [slog.Default].
func (l *Limiter) CallbackPanics() int64 {
	var n int64
	if l.extras != nil {
		n += l.panics.Count()
	}
	if l.feedback != nil && l.feedback.adapter != nil {
		n += l.feedback.adapter.panics.Count()
	}
	return n
}
