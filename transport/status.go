package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// StatusError is a response that is no success: what policies are told of it (the RetryIf and
// OnRetry of a retrier, the OnOpen of a breaker), while the caller of a [Transport] gets the
// response; and what [Check] makes of one. All policies and the engine understand it.
type StatusError struct {
	Code   int    // the status
	Method string // of the request, from here on from Check alone
	URL    string // of the request, without user, query and fragment
	Body   []byte // up to 4 KiB of the response's

	final   bool // another try would not help
	failure bool // it is the host's fault, or with odd, it is not
	odd     bool // failure is other than by Code
}

// Error names the request, the status and the beginning of the body.
func (e *StatusError) Error() string {
	text := "transport: "
	if e.URL != "" {
		text += e.Method + " " + e.URL + ": "
	}
	text += fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))
	if len(e.Body) > 0 {
		const most = 200
		text += ": " + strconv.Quote(string(e.Body[:min(most, len(e.Body))]))
	}
	return text
}

// StatusCode returns the status, by which the engine knows refusals.
func (e *StatusError) StatusCode() int { return e.Code }

// Permanent tells retriers that another try would not help.
func (e *StatusError) Permanent() bool { return e.final }

// Failure tells breakers whether the host failed: by its status from 500 on.
func (e *StatusError) Failure() bool {
	if e.odd {
		return e.failure
	}
	return failed(e.Code)
}

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
