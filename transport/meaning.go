package transport

import (
	"errors"
	"net/http"
	"slices"
	"time"
)

// Meaning is what a response means to the policies. The zero value is an answer like
// any other.
type Meaning struct {
	// Again says that the request is worth sending again, if its body can be had again.
	Again bool
	// Throttled says that the host wants fewer requests: its limiter pauses for After,
	// or slows down if that is 0, and so does the retrier.
	Throttled bool
	After     time.Duration
	// Failure says that the host failed, which its breaker counts.
	Failure bool
}

// usual is what a response means by the package's table.
func usual(resp *http.Response, req *http.Request) Meaning {
	after, asked := retryAfter(resp.Header)
	left, reset, limited := remaining(resp.Header)
	none := limited && left == 0
	if !asked && none {
		after = reset
	}
	code := resp.StatusCode
	m := Meaning{Failure: failed(code)}
	switch {
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && (asked || none):
		m.Again, m.Throttled, m.After = true, true, after
	case code == http.StatusServiceUnavailable:
		m.Again, m.Throttled, m.After = asked || idempotent(req), true, after
	case slices.Contains([]int{408, 425, 500, 502, 504}, code):
		m.Again = idempotent(req)
	}
	return m
}

// judge returns what a response means, and the error by which the policies are told:
// none if there is nothing to tell.
func (x *exchange) judge(resp *http.Response) (Meaning, error) {
	m := usual(resp, x.req)
	if x.t.means != nil {
		x.t.panics.Run("transport.Config.Means", func() { m = x.t.means(resp, m) })
	}
	status := StatusError{resp.StatusCode}
	var err error
	switch {
	case m.Throttled:
		err = &ThrottledError{status, max(0, m.After)}
	case m.Again || m.Failure:
		err = &status
	}
	if err != nil && m.Failure != failed(resp.StatusCode) {
		err = &judgedError{err, m.Failure}
	}
	return m, err
}

// failed reports whether a status is a failure of the host, unless it is judged otherwise.
func failed(code int) bool { return code >= 500 }

// judgedError is the error of a response that is a failure, or none, other than by its
// status.
type judgedError struct {
	error
	failure bool
}

func (e *judgedError) Unwrap() error { return e.error }

// isFailure tells a breaker whether an error is a failure of the host.
func isFailure(err error) bool {
	if judged, ok := errors.AsType[*judgedError](err); ok {
		return judged.failure
	}
	if status, ok := errors.AsType[*StatusError](err); ok {
		return failed(status.Code)
	}
	return true // no response
}
