package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize/internal/invalid"
)

// Sentinels, for errors.Is.
var (
	// ErrExceeded is what every [*ExceededError] is.
	ErrExceeded = errors.New("ratelimit: limit exceeded")
	// ErrWouldExceedDeadline is what every [*DeadlineError] is.
	ErrWouldExceedDeadline = errors.New("ratelimit: the wait would exceed the deadline")
	// ErrInvalid is what every [*InvalidError] is.
	ErrInvalid = invalid.ErrInvalid
	// ErrTooManyKeys is returned by [Keyed] when all its keys are in use.
	ErrTooManyKeys = errors.New("ratelimit: too many keys in use")
)

// InvalidError says which setting or argument is out of range.
type InvalidError = invalid.Error

// ExceededError is returned at once for a call that was not allowed. The call
// was not made.
type ExceededError struct {
	// RetryAfter is when the tokens would be there, if nobody else took them. The
	// largest duration stands for never.
	RetryAfter time.Duration
}

func (e *ExceededError) Error() string {
	return fmt.Sprintf("%v: retry after %v", ErrExceeded, e.RetryAfter)
}

// Unwrap returns [ErrExceeded].
func (e *ExceededError) Unwrap() error { return ErrExceeded }

// Refused tells other policies that the call was not made, and when it may be.
func (e *ExceededError) Refused() time.Duration { return e.RetryAfter }

// DeadlineError is returned at once for a call whose turn would come after the
// context's deadline. It took no token. It is [context.DeadlineExceeded], too.
type DeadlineError struct {
	Wait time.Duration // how long the wait would have been
	Left time.Duration // until the deadline
}

func (e *DeadlineError) Error() string {
	return fmt.Sprintf("%v: %v to wait, %v left", ErrWouldExceedDeadline, e.Wait, e.Left)
}

// Unwrap returns [ErrWouldExceedDeadline] and [context.DeadlineExceeded].
func (e *DeadlineError) Unwrap() []error {
	return []error{ErrWouldExceedDeadline, context.DeadlineExceeded}
}

// Refused tells other policies that the call was not made, and when it may be.
func (e *DeadlineError) Refused() time.Duration { return e.Wait }

// canceledError is returned for a call whose context has ended before its turn.
type canceledError struct{ err, cause error }

func canceled(ctx context.Context) error {
	return &canceledError{ctx.Err(), context.Cause(ctx)}
}

func (e *canceledError) Error() string {
	if errors.Is(e.err, e.cause) {
		return "ratelimit: " + e.err.Error()
	}
	return fmt.Sprintf("ratelimit: %v: %v", e.err, e.cause)
}

// Unwrap returns the context's error and its cause.
func (e *canceledError) Unwrap() []error { return []error{e.err, e.cause} }

// Refused tells other policies that the call was not made.
func (e *canceledError) Refused() time.Duration { return 0 }
