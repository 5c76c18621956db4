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

// StatusError is an unsuccessful response as an error. Policies get it (the RetryIf and
// OnRetry of a retrier, the OnOpen of a breaker), while the caller of a [Transport] gets the
// response. [Check] returns one, too. All policies and the engine understand it.
type StatusError struct {
	Code   int    // the status
	Method string // of the request; this and the following fields are set by Check only
	URL    string // of the request, without user, query and fragment
	Body   []byte // up to 4 KiB of the response's body

	final   bool // another try would not help
	failure bool // with odd, whether it is the host's fault
	odd     bool // failure differs from what Code says
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

// StatusCode returns the status, by which the engine recognizes refusals.
func (e *StatusError) StatusCode() int { return e.Code }

// Permanent tells retriers that another try would not help.
func (e *StatusError) Permanent() bool { return e.final }

// Failure tells breakers whether the host failed: a status of 500 or above, unless it was
// judged otherwise.
func (e *StatusError) Failure() bool {
	if e.odd {
		return e.failure
	}
	return failed(e.Code)
}

// ThrottledError is a [StatusError] with which a host asks to come back later.
type ThrottledError struct {
	StatusError
	After time.Duration // its Retry-After, or else the time until there are requests left, or 0
}

// Unwrap returns the [*StatusError].
func (e *ThrottledError) Unwrap() error { return &e.StatusError }

// RetryAfter tells policies when to come back: 0 if the host gave no time.
func (e *ThrottledError) RetryAfter() time.Duration { return e.After }

// notSentError is a failure on the client's side: the host never got the request.
type notSentError struct {
	err   error
	never bool          // it can never be sent
	after time.Duration // when it may be sent
}

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// Refused tells policies that the request was not sent.
func (e *notSentError) Refused() time.Duration { return e.after }
func (e *notSentError) ByPolicy()              {}

// Permanent tells retriers, including those around the transport, that sending it again would
// not help.
func (e *notSentError) Permanent() bool { return e.never }

var errNoResponse = errors.New("transport: Base returned neither a response nor an error")

// unsendable reports whether err says that a request can never be sent: net/http rejects it
// as invalid (it has no error types for that), or the host's certificate is not trusted.
func unsendable(err error) bool {
	if _, ok := errors.AsType[*notSentError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*net.AddrError](err); ok { // for example a port above 65535
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
	// As in net/http, a key that is present but empty counts, and isn't sent.
	_, key := req.Header["Idempotency-Key"]
	_, other := req.Header["X-Idempotency-Key"]
	return key || other
}
