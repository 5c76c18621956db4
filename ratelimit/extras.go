package ratelimit

import (
	"time"

	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
)

// extras is what few limiters have, and the others take no memory for.
type extras struct {
	onWait   func(time.Duration)
	refusals *refusals // nil for none: it waits
	panics   callback.Panics
}

func newExtras(p Policy) *extras {
	if p.OnWait == nil && p.OnLimit == Wait {
		return nil
	}
	e := &extras{onWait: p.OnWait}
	if p.OnLimit == Reject {
		e.refusals = &refusals{told: never}
	}
	return e
}

func (l *Limiter) rejects() bool { return l.extras != nil && l.refusals != nil }

// waited tells of a wait that is over.
func (l *Limiter) waited(since time.Duration) {
	if l.extras != nil && l.onWait != nil {
		l.panics.Run("ratelimit: Policy.OnWait", func() { l.onWait(clock.Now() - since) })
	}
}

// CallbackPanics returns how many calls of Policy.OnWait and Adapt.Throttled have
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
