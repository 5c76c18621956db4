package ratelimit

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
)

// pauseJitter is how much longer a pause may be than asked for, so that several processes
// that were paused together don't resume together.
const pauseJitter = 0.1

// feedback is how a limiter reacts to the errors of calls.
type feedback struct {
	maxPause time.Duration
	adapter  *adapter // nil for none
}

// plainFeedback is the feedback of most limiters. It never changes.
var plainFeedback = &feedback{maxPause: DefaultMaxPause}

func newFeedback(p Policy) *feedback {
	switch {
	case p.IgnoreFeedback:
		return nil
	case p.Adapt == nil && p.MaxPause == DefaultMaxPause:
		return plainFeedback
	case p.Adapt == nil:
		return &feedback{maxPause: p.MaxPause}
	}
	return &feedback{maxPause: p.MaxPause, adapter: newAdapter(*p.Adapt)}
}

// Do takes a token and makes the call. The token is not returned when the call ends. It
// is returned if, in a chain of policies, an inner one refused the call before the
// function was called; a refusal inside the function costs the token. The call's error is
// used like that of [Limiter.Feedback].
func (l *Limiter) Do(ctx context.Context, call func(context.Context) error) error {
	if call == nil {
		return bad("call", nil, "a function")
	}
	if ctx == nil {
		return bad("ctx", nil, "a context")
	}
	g, err := l.grant(ctx)
	if err != nil {
		return err
	}
	return l.settle(call(ctx), g)
}

// settle handles the error of a call that had a token, and returns it.
func (l *Limiter) settle(err error, g grant) error {
	if err == nil {
		if f := l.feedback; f != nil && f.adapter != nil {
			f.adapter.succeeded(l)
		}
		return nil
	}
	err, _, notMade := answer.NotMade(err)
	if notMade {
		l.giveBack(g, 1)
	} else {
		l.heed(err, g.at)
	}
	return err
}

// Feedback tells the limiter the outcome of a call that was made outside Do. An error
// with a method RetryAfter() time.Duration is an answer of the service to wait: all calls
// pause that long, at most Policy.MaxPause, and up to a tenth longer at random. If it
// returns 0, the service gave no time: a limiter with [Adapt] slows down, others ignore
// it. Since it isn't known here when the call began, it slows down at most once per tenth
// of a second or the time of four tokens. A nil error is a success.
func (l *Limiter) Feedback(err error) {
	if err != nil {
		l.heed(err, clock.Now()-period(l.Rate()))
	} else if f := l.feedback; f != nil && f.adapter != nil {
		f.adapter.succeeded(l)
	}
}

func (l *Limiter) heed(err error, begun time.Duration) {
	f := l.feedback
	if f == nil {
		return
	}
	after, answered := answer.RetryAfter(err)
	switch {
	case answered && after > 0:
		l.pause(min(after, f.maxPause))
	case f.adapter != nil && (answered || f.adapter.throttled(err)):
		f.adapter.slowDown(l, begun)
	}
}

// pause is PauseFor d, and up to a tenth longer.
func (l *Limiter) pause(d time.Duration) {
	d = min(d, longestPause) // room for the jitter
	l.PauseFor(d + time.Duration(pauseJitter*rand.Float64()*float64(d)))
}

// Remaining tells the limiter what a service says about its own bucket: how many tokens
// are left until it is filled again, after reset. Tokens above that are dropped. If none
// is left, all calls pause for reset, at most Policy.MaxPause, and up to a tenth longer
// at random, as for an answer to wait.
//
// It is an upper bound on the present tokens, and says nothing about the time until
// reset: tokens still come at the limiter's own rate, since a service may fill its bucket
// gradually, and its next answer says what is left then. If the service fills its bucket
// all at once, calls still pass at the rate until it says that none is left.
//
// A number that is negative or not finite is ignored.
func (l *Limiter) Remaining(tokens float64, reset time.Duration) {
	f := l.feedback
	if f == nil || validChange(tokens) != nil || reset < 0 {
		return
	}
	if tokens < 1 {
		l.pause(min(reset, f.maxPause))
		return
	}
	b, now := l.lock()
	defer l.unlock(b, now)
	if left, ok := b.cost(tokens); ok {
		l.raise(b.instant(now).plus(b.full()).minus(left))
		l.replan(b, now)
	}
}
