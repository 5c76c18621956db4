package transport

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// Verdict is what a response means to the policies. The zero value is an answer like any
// other.
type Verdict struct {
	// Retry says that the request is worth sending again, if its body can be sent again.
	Retry bool
	// Throttled says that the host wants fewer requests: its limiter pauses for After,
	// or slows down if that is 0, and so does the retrier.
	Throttled bool
	After     time.Duration
	// Failure says that the host failed, which its breaker counts.
	Failure bool
}

// Usual returns what a response means by the table of the package documentation. A response
// without a request counts as the answer to a GET.
func Usual(resp *http.Response) Verdict {
	t := listen(resp.Header)
	after, asked, _ := retryAfter(resp.Header)
	if !asked {
		after = t.comesBack()
	}
	code, none := resp.StatusCode, t.requests.none() || t.tokens.none()
	v := Verdict{Failure: failed(code)}
	switch {
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && (asked || none):
		v.Retry, v.Throttled, v.After = true, true, after
	case code == http.StatusServiceUnavailable, code == statusOverloaded:
		v.Retry, v.Throttled, v.After = asked || repeatedSafely(resp), true, after
	case slices.Contains([]int{408, 425, 500, 502, 504}, code):
		v.Retry = repeatedSafely(resp)
	}
	switch resp.Header.Get("X-Should-Retry") { // the host decides
	case "true":
		v.Retry = code >= 400
	case "false":
		v.Retry = false
	}
	return v
}

// statusOverloaded is how some services, such as model APIs, say that they are overloaded; it
// is in no standard.
const statusOverloaded = 529

// repeatedSafely reports whether the request of a response may be sent twice.
func repeatedSafely(resp *http.Response) bool {
	return resp.Request == nil || idempotent(resp.Request)
}

// judge returns what a response means, and the error for the policies; nil if there is none.
func (x *exchange) judge(resp *http.Response) (Verdict, error) {
	v := Usual(resp)
	if x.t.judge != nil {
		x.t.panics.Run("transport.Config.Judge", func() { v = x.t.judge(resp) })
	}
	if !v.Throttled && !v.Retry && !v.Failure {
		return v, nil
	}
	return v, v.error(resp)
}

// error returns the error for an unsuccessful response.
func (v Verdict) error(resp *http.Response) error {
	status := StatusError{Code: resp.StatusCode, failure: v.Failure}
	status.odd = v.Failure != status.Failure()
	if v.Throttled {
		return &ThrottledError{status, max(0, v.After)}
	}
	return &status
}

// mostOfBody is how much of a response's body a StatusError has.
const mostOfBody = 4 << 10

// Check returns nil for a successful response, below 400, and otherwise its meaning by
// [Usual] as an error: a [*ThrottledError] if the host asks to come back later, or a
// [*StatusError]. It is for policies of a run around a plain client:
//
//	func(ctx context.Context, url string) ([]byte, error) {
//		resp, err := get(ctx, url)
//		if err != nil {
//			return nil, err
//		}
//		defer resp.Body.Close()
//		if err := transport.Check(resp); err != nil {
//			return nil, err
//		}
//		return io.ReadAll(resp.Body)
//	}
//
// A retrier then tries again only if that may help: a 404 is final, and so is the 500 of a
// POST. A breaker counts only the host's failures, a limiter obeys its Retry-After, and the
// engine's limit on calls in flight counts its refusals. Up to 4 KiB of the body are read;
// the caller must close it.
func Check(resp *http.Response) error {
	if resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	v := Usual(resp)
	err := v.error(resp)
	var status *StatusError
	if !errors.As(err, &status) { // it is always one
		return err
	}
	status.final = !v.Retry
	if req := resp.Request; req != nil && req.URL != nil {
		plain := *req.URL
		plain.User, plain.RawQuery, plain.ForceQuery, plain.Fragment, plain.RawFragment = nil, "", false, "", ""
		status.Method, status.URL = cmp.Or(req.Method, http.MethodGet), plain.String()
	}
	if resp.Body != nil {
		status.Body, _ = io.ReadAll(io.LimitReader(resp.Body, mostOfBody)) // a partial body is good enough
	}
	return err
}

// failed reports whether a status is by default a failure of the host.
func failed(code int) bool { return code >= http.StatusInternalServerError }
