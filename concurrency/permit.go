package concurrency

import (
	"context"
	"errors"

	"github.com/amorsize/amorsize/internal/answer"
)

// Permit is a call that may be made. It is to be given back once, with [Permit.Done] or
// [Permit.Cancel]; what is told after that changes nothing. The zero value is none.
type Permit struct {
	l      *Limiter
	number uint64
	at     int // its place
}

// Done tells what came of the call: that it was answered, if err is nil, or that the
// service had no room for it, if err is an overload. Any other error tells nothing of how
// much the service takes.
func (p Permit) Done(err error) {
	if p.l != nil {
		p.l.end(p, p.l.judge(err))
	}
}

// Cancel gives the permit back of a call that was not made, or of which nothing is to be
// learned.
func (p Permit) Cancel() {
	if p.l != nil {
		p.l.end(p, unknown)
	}
}

// outcome is what came of a call.
type outcome int

const (
	unknown   outcome = iota // it tells nothing of how much the service takes
	answered                 // its time counts
	late                     // its time was up: lost, if it had as much as calls take
	lost                     // refused, or left unanswered
	throttled                // refused for being one too many in a time
)

// judge says what an error means. Policy.IsOverload is called without the lock.
func (l *Limiter) judge(err error) outcome {
	if err == nil {
		return answered
	}
	if _, refused := answer.Refused(err); refused || errors.Is(err, context.Canceled) {
		return unknown // that was on this side
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

// Do makes the call when it may, and returns what it returned; an error of [Limiter.Acquire]
// if it may not. A call that panics, or ends its goroutine, gives its permit back.
//
// What policies within the call wait counts as its time, so of several policies this one
// is to be the innermost.
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
