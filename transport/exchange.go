package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/ratelimit"
)

// exchange is one request and its attempts.
type exchange struct {
	t    *Transport
	req  *http.Request
	resp *http.Response // of the latest attempt
	sent bool           // the request's own body has been used

	chain answer.Chain // its policies

	upload *upload // the body of the latest attempt
	onSend func()  // called before it is sent, if not nil
}

// run makes the request: retries outside, then the breaker, and the limits inside.
func (x *exchange) run(ctx context.Context) error {
	host := Host(x.req.URL)
	call := x.limited(host)
	if x.t.hedgers != nil {
		inner := call
		call = func(ctx context.Context) error { return x.hedged(ctx, host, inner) }
	}
	if x.t.breakers != nil {
		inner := call
		call = x.chain.Link(func(ctx context.Context) error { return x.t.guarded(ctx, host, inner) })
	}
	if x.t.retrier != nil {
		return x.t.retrier.Do(ctx, call)
	}
	return answer.Plain(call(ctx))
}

// limited returns an attempt under the limits: the rate limit outside, the concurrency
// limit inside.
func (x *exchange) limited(host string) func(context.Context) error {
	attempt := x.chain.Call(x.attempt)
	if x.t.inFlight != nil {
		inner := attempt
		attempt = x.chain.Link(func(ctx context.Context) error { return x.counted(ctx, host, inner) })
	}
	switch t := x.t; {
	case t.limiter != nil && t.perHost != nil:
		return x.chain.Link(func(ctx context.Context) error { return x.bothLimits(ctx, host, attempt) })
	case t.perHost != nil:
		return x.chain.Link(func(ctx context.Context) error { return t.perHost.Do(ctx, host, attempt) })
	case t.limiter != nil:
		return x.chain.Link(func(ctx context.Context) error { return t.limiter.Do(ctx, attempt) })
	}
	return attempt
}

// bothLimits makes an attempt with a token of both limiters. The host's answers go to its
// own limiter only: they must not delay requests to other hosts.
func (x *exchange) bothLimits(ctx context.Context, host string, attempt func(context.Context) error) error {
	return x.t.perHost.Use(host, func(l *ratelimit.Limiter) error {
		if err := ratelimit.All(l, x.t.limiter).Acquire(ctx); err != nil {
			return err
		}
		since := clock.Now()
		err, _, notMade := answer.NotMade(attempt(ctx))
		if notMade { // the host never got it
			kept := clock.Now() - since
			_, _ = l.ReturnAfter(1, kept), x.t.limiter.ReturnAfter(1, kept) // 1 is a valid amount
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
		return t.final(answer.Unmade(&notSentError{err: fmt.Errorf("%w: %d", ErrTooManyHosts, t.breakers.Len())}))
	}
	defer t.breakers.Done(e)
	return e.Value.Do(ctx, call)
}

// attempt sends the request once and returns the outcome for the policies.
func (x *exchange) attempt(ctx context.Context) error {
	own, cancel := context.WithCancelCause(x.req.Context())
	req, err := x.request(own)
	x.discard()
	if err != nil {
		cancel(nil)
		return x.t.final(answer.Unmade(&notSentError{err: err}))
	}
	// The response outlives the attempt, so it has its own context. The attempt can end it
	// only until the header, and a small unsuccessful body, have arrived.
	if x.t.timeout > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, x.t.timeout)
		defer done()
	}
	if x.onSend != nil {
		x.onSend()
	}
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	resp, err := x.t.base.RoundTrip(req) //nolint:bodyclose // it is the caller's, or closed by discard
	switch {
	case err != nil:
	case resp == nil:
		err = &notSentError{err: errNoResponse}
	default:
		x.resp = resp
		x.keep(cancel)
	}
	if !stop() { // it has ended meanwhile
		err = ended(context.Cause(ctx), err)
	}
	if err != nil {
		cancel(nil)
		x.discard()
		return x.failed(err)
	}
	v, err := x.judge(resp)
	x.t.heed(Host(x.req.URL), resp)
	if !v.Retry || !x.repeatable() {
		return x.t.final(err)
	}
	x.fetch()
	return err
}

// failed returns the outcome of an attempt without a response.
func (x *exchange) failed(err error) error {
	if own := x.upload.err(); own != nil {
		return x.t.final(answer.Unmade(&notSentError{err: own})) // not the host's fault
	}
	if unsendable(err) {
		return x.t.final(answer.Unmade(&notSentError{err: err, never: true}))
	}
	if scarce(err) && x.repeatable() {
		return answer.Unmade(&notSentError{err: err, after: scarceFor})
	}
	if !x.repeatable() || !idempotent(x.req) && !neverConnected(err) {
		return x.t.final(err)
	}
	return err
}

// neverConnected reports whether no connection was made: the host, or the proxy, can't have
// received any part of the request.
func neverConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect")
}

// scarceFor is the delay before a request is sent again for which this process had no open
// file left: requests that end meanwhile free theirs.
const scarceFor = 20 * time.Millisecond

// ended returns the error of an attempt that returned err, after its context had ended
// because of cause.
func ended(cause, err error) error {
	if err == nil || errors.Is(err, context.Canceled) && !errors.Is(cause, context.Canceled) {
		return cause // only our own context was cancelled
	}
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}
