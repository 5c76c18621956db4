package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/invalid"
)

// Sentinels, for errors.Is.
var (
	// ErrExceeded matches every [*ExceededError].
	ErrExceeded = errors.New("ratelimit: limit exceeded")
	// ErrWouldExceedDeadline matches every [*DeadlineError].
	ErrWouldExceedDeadline = errors.New("ratelimit: the wait would exceed the deadline")
	// ErrInvalid matches every [*InvalidError].
	ErrInvalid = invalid.ErrInvalid
	// ErrTooManyKeys matches every [*TooManyKeysError].
	ErrTooManyKeys = errors.New("ratelimit: too many keys in use")
)

// InvalidError says which setting or argument is out of range.
type InvalidError = invalid.Error

// ExceededError is returned at once for a call that was not allowed. The call
// was not made.
type ExceededError struct {
	// RetryAfter is when the tokens would be available if all calls that were refused
	// before come back, each at its time. So calls that are refused together don't come
	// back together. Since some never come back, it is at most a minute longer than
	// without them. No token is reserved: the first call to come takes what is there. The
	// largest duration means never, for example for more tokens than the bucket can hold.
	RetryAfter time.Duration
}

func (e *ExceededError) Error() string {
	return fmt.Sprintf("%v: retry after %v", ErrExceeded, e.RetryAfter)
}

// Unwrap returns [ErrExceeded].
func (e *ExceededError) Unwrap() error { return ErrExceeded }

// Refused tells other policies that the call was not made, and when it may be.
func (e *ExceededError) Refused() time.Duration { return e.RetryAfter }

// ByPolicy tells them that a policy refused, and not the function.
func (e *ExceededError) ByPolicy() {}

// DeadlineError is returned at once for a call whose turn would come after the context's
// deadline. It took no token. It matches [context.DeadlineExceeded], too.
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

// ByPolicy tells them that a policy refused, and not the function.
func (e *DeadlineError) ByPolicy() {}

// TooManyKeysError is returned at once by a [Keyed] that has no room for another key. The
// call was not made.
type TooManyKeysError struct {
	Keys int // how many there are
	// RetryAfter is when the first of the keys that were used longest ago has a full
	// bucket, and makes room if it is not used meanwhile; above 0. It is 100 ms if all of
	// them have calls in progress. No room is reserved: calls that are refused together
	// get the same time.
	RetryAfter time.Duration
}

func (e *TooManyKeysError) Error() string {
	return fmt.Sprintf("%v: %d; retry after %v", ErrTooManyKeys, e.Keys, e.RetryAfter)
}

// Unwrap returns [ErrTooManyKeys].
func (e *TooManyKeysError) Unwrap() error { return ErrTooManyKeys }

// Refused tells other policies that the call was not made, and when it may be.
func (e *TooManyKeysError) Refused() time.Duration { return e.RetryAfter }

// ByPolicy tells them that a policy refused, and not the function.
func (e *TooManyKeysError) ByPolicy() {}

// canceled is the error of a call whose context has ended before its turn.
func canceled(ctx context.Context) error { return answer.Canceled("ratelimit", ctx) }
