package answer

import (
	"errors"
	"time"
)

// A policy refuses a call with an error that has a method Refused() time.Duration.
// What such an error says depends on where it comes from:
//
//   - From a policy of the same chain, before the function at its end was entered: the
//     call was not made. Only who put the chain together knows that. It marks the error
//     with [Unmade], and the policy around takes the mark off with [NotMade].
//   - From within the function, which called something with a policy of its own: the
//     function ran, whatever it had done before. That is a failure like any other.
//   - From the function itself, as an error type of its own that has the method: it
//     knows, and is believed.

// unmade is the error of a call that was refused before its function was entered.
type unmade struct{ error }

func (e *unmade) Unwrap() error { return e.error }

// made is a refusal from within a function, and so of no concern to the chain around it.
type made struct{ error }

func (e *made) Unwrap() error { return e.error }

type refusal interface{ Refused() time.Duration }

// Refused returns after what time a call may be allowed that a policy refused: an
// open breaker, a limit that rejects. It is false if no error in err's tree has a
// method Refused() time.Duration, or one has a method Ran() bool that returns true, as
// that of retries has which were refused in the end.
//
// It says that the failure is not the service's, and nothing of whether a call was
// made: see [NotMade].
func Refused(err error) (time.Duration, bool) {
	var attempted interface{ Ran() bool }
	if errors.As(err, &attempted) && attempted.Ran() {
		return 0, false
	}
	var refused refusal
	if !errors.As(err, &refused) {
		return 0, false
	}
	return max(0, refused.Refused()), true
}

// NotMade reports whether err, of the call that a policy made, says that the function
// at the end of the chain was not entered, and after what time it may be. rest is err
// without the mark.
func NotMade(err error) (rest error, after time.Duration, notMade bool) { //nolint:staticcheck // the error is what is read, not what went wrong
	var mark *unmade
	if errors.As(err, &mark) {
		after, _ = Refused(mark.error)
		return Plain(err), after, true
	}
	if byPolicy(err) {
		return err, 0, false
	}
	after, notMade = Refused(err)
	return err, after, notMade
}

// byPolicy reports whether it was a policy of this module that refused, by a method
// ByPolicy().
func byPolicy(err error) bool {
	var refused refusal
	if !errors.As(err, &refused) {
		return false
	}
	_, is := refused.(interface{ ByPolicy() })
	return is
}

// Unmade marks err, if a policy refused the call, as that of a function that was not
// entered.
func Unmade(err error) error {
	if _, refused := Refused(err); !refused || isMarked(err) {
		return err
	}
	return &unmade{err}
}

// Made marks err, if a policy refused something, as that of a function that was
// entered.
func Made(err error) error {
	if _, refused := Refused(err); !refused || !byPolicy(err) || isMarked(err) {
		return err
	}
	return &made{err}
}

func isMarked(err error) bool {
	var no *unmade
	var yes *made
	return errors.As(err, &no) || errors.As(err, &yes)
}

// Plain takes the mark of [Unmade] off.
func Plain(err error) error {
	if mark, ok := err.(*unmade); ok { //nolint:errorlint // only a mark on the outside can be taken off
		return mark.error
	}
	return err
}
