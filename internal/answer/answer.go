// Package answer reads what an error says about the call that returned it, by
// methods that any error type may have. That way the policies understand each
// other's errors without importing each other.
package answer

import (
	"context"
	"errors"
	"strings"
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

// Lost reports whether err says that the service has no room for more calls: a
// status 429, 502, 503, 504 or 529, a timeout, a refused or broken connection, a refusal for
// lack of resources (SQLSTATE class 53), or the answer to come back later; what a policy
// on this side refused is none of it;
// throttled, that it counts calls: they are too many, not too heavy.
func Lost(err error) (lost, throttled bool) {
	if err == nil {
		return false, false
	}
	if code, ok := status(err); ok {
		return code == 429 || code == 502 || code == 503 || code == 504 || code == 529, code == 429
	}
	if _, answered := RetryAfter(err); answered {
		return true, true
	}
	if _, refused := Refused(err); refused {
		return false, false // it was not the service
	}
	return TimedOut(err) || shortOfResources(err) || brokenOff(err), false
}

func TimedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

func shortOfResources(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && strings.HasPrefix(state.SQLState(), "53")
}

func brokenOff(err error) bool {
	for _, cause := range broken {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// TooLarge reports whether err says that a call carried too much: a status 413 or 414,
// SQLSTATE class 54 (program limit exceeded), a method TooLarge() bool that returns
// true, or what brokers and protocols without a code say in words.
func TooLarge(err error) bool {
	if err == nil {
		return false
	}
	var tooLarge interface{ TooLarge() bool }
	if errors.As(err, &tooLarge) && tooLarge.TooLarge() {
		return true
	}
	if code, ok := status(err); ok {
		return code == 413 || code == 414
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return strings.HasPrefix(state.SQLState(), "54")
	}
	text := strings.ToLower(err.Error())
	for _, words := range []string{"message too large", "message too long", "message was too large",
		"message larger than max", "request entity too large", "payload too large"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// Permanent reports whether err says that calling again would not help, by a method
// Permanent() bool.
func Permanent(err error) bool {
	var permanent interface{ Permanent() bool }
	return errors.As(err, &permanent) && permanent.Permanent()
}

// Failure returns whether err is the service's fault, by a method Failure() bool; said is
// false if no error in its tree has one.
func Failure(err error) (failed, said bool) {
	var judged interface{ Failure() bool }
	if !errors.As(err, &judged) {
		return false, false
	}
	return judged.Failure(), true
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
