// Package answer reads what an error says about the call that returned it, by
// methods that any error type may have. That way the policies understand each
// other's errors without importing each other.
package answer

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"time"
)

// RetryAfter returns what the service answered: not now, but after that time.
// Zero is an answer without a number. It is false if no error in err's tree has
// a method RetryAfter() time.Duration.
func RetryAfter(err error) (time.Duration, bool) {
	var answered interface{ RetryAfter() time.Duration }
	if !errors.As(err, &answered) {
		return 0, false
	}
	return max(0, answered.RetryAfter()), true
}

// Refused returns after what time a call may be allowed that was refused before
// it ran: by an open breaker, by a limit that rejects. It is false if no error
// in err's tree has a method Refused() time.Duration, or one has a method Ran()
// bool that returns true, as that of retries has which were refused in the end:
// then the call did run.
func Refused(err error) (time.Duration, bool) {
	var attempted interface{ Ran() bool }
	if errors.As(err, &attempted) && attempted.Ran() {
		return 0, false
	}
	var refused interface{ Refused() time.Duration }
	if !errors.As(err, &refused) {
		return 0, false
	}
	return max(0, refused.Refused()), true
}

// Lost reports whether err says that the service has no room for more calls: a
// status 429, 502, 503 or 504, a timeout, a refused or broken connection, a refusal for
// lack of resources (SQLSTATE class 53), or the answer to come back later;
// throttled, that it counts calls: they are too many, not too heavy.
func Lost(err error) (lost, throttled bool) {
	if err == nil {
		return false, false
	}
	if code, ok := status(err); ok {
		return code == 429 || code == 502 || code == 503 || code == 504, code == 429
	}
	if _, answered := RetryAfter(err); answered {
		return true, true
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return true, false
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) && strings.HasPrefix(state.SQLState(), "53") {
		return true, false
	}
	for _, cause := range []error{syscall.ECONNREFUSED, connectionRefused, syscall.ECONNRESET, syscall.EPIPE, io.ErrUnexpectedEOF} {
		if errors.Is(err, cause) {
			return true, false
		}
	}
	return false, false
}

// status returns the HTTP status that err carries, by the methods that HTTP
// clients and SDKs commonly give their errors.
func status(err error) (code int, ok bool) {
	var plain interface{ StatusCode() int }
	var prefixed interface{ HTTPStatusCode() int }
	switch {
	case errors.As(err, &plain):
		code = plain.StatusCode()
	case errors.As(err, &prefixed):
		code = prefixed.HTTPStatusCode()
	}
	return code, code != 0
}
