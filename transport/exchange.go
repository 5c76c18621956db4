package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/ratelimit"
)

// exchange is one request and the attempts at it.
type exchange struct {
	t    *Transport
	req  *http.Request
	resp *http.Response // of the latest attempt
	sent bool           // the request's own body has been used

	upload *upload // the body of the latest attempt
}

// run makes the request: retries outside, then the breaker, and the limits inside.
func (x *exchange) run(ctx context.Context) error {
	host := x.req.URL.Host
	call := x.attempt
	switch t := x.t; {
	case t.limiter != nil && t.perHost != nil:
		call = func(ctx context.Context) error { return x.bothLimits(ctx, host) }
	case t.perHost != nil:
		call = func(ctx context.Context) error { return t.perHost.Do(ctx, host, x.attempt) }
	case t.limiter != nil:
		call = func(ctx context.Context) error { return t.limiter.Do(ctx, x.attempt) }
	}
	if x.t.breakers != nil {
		inner := call
		call = func(ctx context.Context) error { return x.t.guarded(ctx, host, inner) }
	}
	if x.t.retrier != nil {
		return x.t.retrier.Do(ctx, call)
	}
	return call(ctx)
}

// bothLimits makes an attempt with a token of both limiters. What the host says is
// for its own: it must not hold back the requests to others.
func (x *exchange) bothLimits(ctx context.Context, host string) error {
	return x.t.perHost.Use(host, func(l *ratelimit.Limiter) error {
		if err := ratelimit.All(l, x.t.limiter).Acquire(ctx); err != nil {
			return err
		}
		err := x.attempt(ctx)
		if _, refused := answer.Refused(err); refused { // the host never got it
			_, _ = l.Return(1), x.t.limiter.Return(1) // 1 is a valid amount
			return err
		}
		l.Feedback(err)
		return err
	})
}

// guarded makes the call through the host's breaker.
func (t *Transport) guarded(ctx context.Context, host string, call func(context.Context) error) error {
	e := t.breakers.Use(host)
	if e == nil {
		return t.final(&notSentError{fmt.Errorf("%w: %d", ErrTooManyHosts, t.breakers.Len())})
	}
	defer t.breakers.Done(e)
	return e.Value.Do(ctx, call)
}

// attempt sends the request once and returns what that means for the policies.
func (x *exchange) attempt(ctx context.Context) error {
	own, cancel := context.WithCancelCause(x.req.Context())
	req, err := x.request(own)
	x.discard()
	if err != nil {
		cancel(nil)
		return x.t.final(&notSentError{err})
	}
	// The response outlives the attempt, so its context is one of its own. The attempt
	// can end it only until the header, and a small body that is no success, are here.
	if x.t.timeout > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, x.t.timeout)
		defer done()
	}
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	resp, err := x.t.base.RoundTrip(req) //nolint:bodyclose // it is the caller's, or closed by discard
	if err == nil {
		x.resp = resp
		x.keep(cancel)
		err = x.read()
	}
	if !stop() { // it has ended meanwhile
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		cancel(nil)
		x.discard()
		return x.failed(err)
	}
	x.t.heed(x.req.URL.Host, resp)
	again, err := judge(resp, x.req)
	if !again || !x.repeatable() {
		return x.t.final(err)
	}
	return err
}

// failed is what an attempt without a response means.
func (x *exchange) failed(err error) error {
	if own := x.upload.err(); own != nil {
		return x.t.final(&notSentError{own}) // no fault of the host's
	}
	if !idempotent(x.req) || !x.repeatable() {
		return x.t.final(err)
	}
	return err
}
