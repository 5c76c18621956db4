// Package answer reads what an error says about the call that returned it, by
// methods that any error type may have. That way the policies understand each
// other's errors without importing each other.
package answer

import (
	"errors"
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
