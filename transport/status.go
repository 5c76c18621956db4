package transport

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// StatusError is what policies are told of a response that is no success: the
// RetryIf and OnRetry of a retrier, the OnOpen of a breaker. The caller gets the
// response.
type StatusError struct {
	Code int // the status
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("transport: %d %s", e.Code, http.StatusText(e.Code))
}

// StatusCode returns the status, by which the engine knows refusals.
func (e *StatusError) StatusCode() int { return e.Code }

// ThrottledError is a [StatusError] by which a host says to come back later.
type ThrottledError struct {
	StatusError
	After time.Duration // what its Retry-After says, or 0
}

// Unwrap returns the [*StatusError].
func (e *ThrottledError) Unwrap() error { return &e.StatusError }

// RetryAfter tells policies when to come back: 0 if the host gave no number.
func (e *ThrottledError) RetryAfter() time.Duration { return e.After }

// notSentError is a failure on this side: the host never got the request.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// Refused tells policies that the request was not sent.
func (e *notSentError) Refused() time.Duration { return 0 }

// judge returns what a response means to the policies, as the package's table
// says: an error unless it is a success, and whether that is a reason to send
// the request again.
func judge(resp *http.Response, req *http.Request) (again bool, err error) {
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		after, known := retryAfter(resp.Header)
		err = &ThrottledError{StatusError{code}, after}
		return code == http.StatusTooManyRequests || known || idempotent(req), err
	case slices.Contains([]int{408, 425, 500, 502, 504}, code):
		return idempotent(req), &StatusError{code}
	case code >= 500:
		return false, &StatusError{code}
	}
	return false, nil
}

// isFailure tells a breaker whether an error is a failure of the host.
func isFailure(err error) bool {
	if status, ok := statusOf(err); ok {
		return status >= 500
	}
	return true // no response
}

// idempotent reports whether a request may be sent twice.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Header.Get("Idempotency-Key") != "" || req.Header.Get("X-Idempotency-Key") != ""
}

func statusOf(err error) (int, bool) {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.Code, true
	}
	return 0, false
}
