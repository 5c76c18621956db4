package concurrency

import (
	"context"
	"errors"

	"github.com/amorsize/amorsize/internal/answer"
)

// Permit allows one call. It must be returned once, with [Permit.Done] or [Permit.Cancel];
// later calls of these have no effect. The zero value is no permit.
type Permit struct {
	l      *Limiter
	number uint64
	at     int // its place
}

// Done reports the outcome of the call: it was answered, if err is nil, or the service was
// overloaded, if err is an overload. Any other error says nothing about the capacity of the
// service.
func (p Permit) Done(err error) {
	if p.l != nil {
		p.l.end(p, p.l.judge(err))
	}
}

// Cancel returns the permit of a call that was not made, or whose outcome must be ignored.
func (p Permit) Cancel() {
	if p.l != nil {
		p.l.end(p, unknown)
	}
}

// outcome is the outcome of a call.
type outcome int

const (
	unknown   outcome = iota // it says nothing about the capacity of the service
	answered                 // its time counts
	late                     // it ran out of time: lost, if it had as much time as calls take
	lost                     // refused, or left unanswered
	throttled                // refused by a rate limit of the service
)

// judge classifies an error. Policy.IsOverload is called without the lock.
func (l *Limiter) judge(err error) outcome {
	if err == nil {
		return answered
	}
	if _, refused := answer.Refused(err); refused || errors.Is(err, context.Canceled) {
		return unknown // the cause was on the caller's side
	}
	isLost, isThrottled := answer.Lost(err)
	if l.p.IsOverload != nil {
		isLost = false
		l.panics.Run("concurrency.Policy.IsOverload", func() { isLost = l.p.IsOverload(err) })
	}
	switch {
	case !isLost:
		return unknown
	case isThrottled:
		return throttled
	case errors.Is(err, context.DeadlineExceeded):
		return late
	}
	return lost
}

// Do makes the call when it may, and returns the call's error; if it may not, an error of
// [Limiter.Acquire]. The permit is also returned if the call panics, or ends its goroutine.
//
// Waits of policies inside the call count as its latency, so this one must be the innermost
// of several policies.
func (l *Limiter) Do(ctx context.Context, call func(context.Context) error) error {
	if call == nil {
		return bad("call", nil, "a function")
	}
	p, err := l.Acquire(ctx)
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned {
			p.Cancel()
		}
	}()
	err = answer.Plain(call(ctx))
	returned = true
	p.Done(err)
	return err
}
