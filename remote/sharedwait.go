package remote

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/ratelimit"
)

// Pause pauses the calls of all processes for that time, at most MaxPause of the policy, unless a longer pause is
// in effect.
func (l *SharedLimiter) Pause(ctx context.Context, pause time.Duration) {
	pause = min(pause, l.policy.MaxPause)
	if !l.hold(time.Now(), pause) {
		return
	}
	if l.policy.OnPause != nil {
		l.panics.Run("OnPause", func() { l.policy.OnPause(pause) })
	}
	trip, stop := context.WithTimeout(context.WithoutCancel(ctx), tripTime)
	defer stop()
	_ = l.rows.Pause(trip, l.name, pause) // this process pauses in any case
}

// hold notes a pause, and returns whether it is longer than the current one.
func (l *SharedLimiter) hold(now time.Time, pause time.Duration) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.looked = now
	until := now.Add(pause)
	const same = 10 * time.Millisecond // it is read with the delay of a round trip
	if pause <= 0 || until.Sub(l.paused) < same {
		return false
	}
	l.paused, l.back = until, nil
	return true
}

func (l *SharedLimiter) held() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return time.Now().Before(l.paused)
}

// sleep waits until a token is due, and looks for pauses meanwhile. It gives up at once if ctx would end first.
func (l *SharedLimiter) sleep(ctx context.Context, due time.Time, w *sharedWait) error {
	if end, has := ctx.Deadline(); has && due.After(end) {
		return &ratelimit.DeadlineError{Wait: time.Until(due), Left: time.Until(end)}
	}
	for {
		wait := time.Until(l.after(due))
		if wait <= 0 {
			return nil
		}
		w.begin()
		timer := time.NewTimer(min(wait, l.beat))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer.Canceled("remote", ctx)
		}
		if l.stale() {
			trip, stop := context.WithTimeout(ctx, tripTime)
			pause, err := l.rows.Paused(trip, l.name)
			stop()
			if err == nil {
				l.hold(time.Now(), pause)
			}
		}
	}
}

// after is the later of an instant and the end of the pause.
func (l *SharedLimiter) after(due time.Time) time.Time {
	l.lock.Lock()
	defer l.lock.Unlock()
	if due.Before(l.paused) {
		return l.paused
	}
	return due
}

// stale says that pauses were not queried for a heartbeat; the caller that gets true queries them.
func (l *SharedLimiter) stale() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	if time.Since(l.looked) < l.beat {
		return false
	}
	l.looked = time.Now()
	return true
}

// sharedWait is a call's wait, reported to the call's run and to the policy's callbacks.
type sharedWait struct {
	l     *SharedLimiter
	ctx   context.Context //nolint:containedctx // lives as long as the call
	begun time.Time
	hold  waiting.Hold
	waits bool
}

func (w *sharedWait) begin() {
	if w.waits {
		return
	}
	w.waits = true
	w.hold = waiting.Begin(w.ctx, waiting.Line{Of: w.l, By: (*sharedTold)(w.l)})
	if w.l.policy.OnWaiting != nil {
		w.l.panics.Run("OnWaiting", func() { w.l.policy.OnWaiting(time.Until(w.l.after(w.begun))) })
	}
}

func (w *sharedWait) end() {
	if !w.waits {
		return
	}
	w.hold.End()
	if w.l.policy.OnWait != nil {
		w.l.panics.Run("OnWait", func() { w.l.policy.OnWait(time.Since(w.begun)) })
	}
}

// sharedTold is a limiter as runs report it.
type sharedTold SharedLimiter

// Kind implements [waiting.Policy].
func (*sharedTold) Kind() string { return "ratelimit" }

// Name implements [waiting.Policy].
func (t *sharedTold) Name() string { return t.name }

// State implements [waiting.Policy].
func (t *sharedTold) State() (state string, left time.Duration) {
	l := (*SharedLimiter)(t)
	if left = time.Until(l.after(time.Time{})); left > 0 {
		return "paused", left
	}
	return "", 0
}
