package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
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
	After time.Duration // what its Retry-After says, else until there are requests left, or 0
}

// Unwrap returns the [*StatusError].
func (e *ThrottledError) Unwrap() error { return &e.StatusError }

// RetryAfter tells policies when to come back: 0 if the host gave no number.
func (e *ThrottledError) RetryAfter() time.Duration { return e.After }

// notSentError is a failure on this side: the host never got the request.
type notSentError struct {
	err   error
	never bool          // it can't be sent later, either
	after time.Duration // when it may be
}

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// Refused tells policies that the request was not sent.
func (e *notSentError) Refused() time.Duration { return e.after }
func (e *notSentError) ByPolicy()              {}

// Permanent tells retriers, also those around the transport, that sending it again would
// not help.
func (e *notSentError) Permanent() bool { return e.never }

var errNoResponse = errors.New("transport: Base returned neither a response nor an error")

// unsendable reports whether err says that a request can't be sent, now or later: it
// is none, as net/http has it, which has no types for that, or the host's certificate
// is not to be trusted.
func unsendable(err error) bool {
	if _, ok := errors.AsType[*notSentError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*net.AddrError](err); ok { // as of a port beyond 65535
		return true
	}
	text := err.Error()
	for _, says := range []string{
		"unsupported protocol scheme", "http: no Host in request URL", "net/http: invalid method",
		"net/http: invalid header field", "net/http: invalid trailer field", "http: nil Request",
	} {
		if strings.Contains(text, says) {
			return true
		}
	}
	return false
}

// idempotent reports whether a request may be sent twice.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	// As net/http has it, a key that is there and empty says so, and isn't sent.
	_, key := req.Header["Idempotency-Key"]
	_, other := req.Header["X-Idempotency-Key"]
	return key || other
}
