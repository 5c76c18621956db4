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

// canceled is both the context's error and its cause.
func canceled(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(err, cause) {
		return fmt.Errorf("ratelimit: %w", err)
	}
	return fmt.Errorf("ratelimit: %w: %w", err, cause)
}
