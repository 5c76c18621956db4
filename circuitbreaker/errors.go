package circuitbreaker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize/invalid"
)

// Sentinels, for errors.Is.
var (
	// ErrOpen matches every [*OpenError].
	ErrOpen = errors.New("circuitbreaker: open")
	// ErrInvalid matches every [*InvalidError].
	ErrInvalid = invalid.ErrInvalid
	// ErrTooManyKeys matches every [*TooManyKeysError].
	ErrTooManyKeys = errors.New("circuitbreaker: too many keys are in use")
	// ErrNoReturn is the latest error, for Policy.OnOpen, of a call that panicked or
	// called runtime.Goexit.
	ErrNoReturn = errors.New("circuitbreaker: the call did not return")
	// ErrSlow is the latest error, for Policy.OnOpen, of a call that was slow.
	ErrSlow = errors.New("circuitbreaker: slow call")
)

// InvalidError says which setting or argument is out of range.
type InvalidError = invalid.Error

// OpenError is returned for a call that was not allowed. The call was not made.
type OpenError struct {
	State    State     // Open or HalfOpen
	OpenedAt time.Time // when the breaker opened
	// RetryAfter is when a call may be allowed: when the breaker becomes half-open, or,
	// if it is half-open and all probes are in use, a tenth of OpenFor. The largest
	// duration means never.
	RetryAfter time.Duration
	cause      error
}

func (e *OpenError) Error() string {
	text := fmt.Sprintf("circuitbreaker: %v since %v: retry after %v", e.State, e.OpenedAt.Format(time.RFC3339), e.RetryAfter)
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns [ErrOpen], and why a waiting call gave up: the context's error and its
// cause, or [context.DeadlineExceeded] if the wait would have exceeded its deadline and
// was not begun.
func (e *OpenError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrOpen}
	}
	return []error{ErrOpen, e.cause}
}

// Refused tells other policies that the call was not made, and when it may be.
func (e *OpenError) Refused() time.Duration { return e.RetryAfter }

// ByPolicy tells them that a policy refused, and not the function.
func (e *OpenError) ByPolicy() {}

// contextError is both the error of an ended context and its cause.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// TooManyKeysError is returned at once by a [Keyed] that has no room for another key. The
// call was not made.
type TooManyKeysError struct {
	Keys int // how many there are
}

func (e *TooManyKeysError) Error() string { return fmt.Sprintf("%v: %d", ErrTooManyKeys, e.Keys) }

// Unwrap returns [ErrTooManyKeys].
func (e *TooManyKeysError) Unwrap() error { return ErrTooManyKeys }

// Refused tells other policies that the call was not made. It is not known when one of
// the keys can be dropped.
func (e *TooManyKeysError) Refused() time.Duration { return unknownWait }

// ByPolicy tells them that a policy refused, and not the function.
func (e *TooManyKeysError) ByPolicy() {}

// unknownWait is when to come back if the time is not known.
const unknownWait = 100 * time.Millisecond
