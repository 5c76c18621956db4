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
	// ErrExceeded is what every [*ExceededError] is.
	ErrExceeded = errors.New("ratelimit: limit exceeded")
	// ErrWouldExceedDeadline is what every [*DeadlineError] is.
	ErrWouldExceedDeadline = errors.New("ratelimit: the wait would exceed the deadline")
	// ErrInvalid is what every [*InvalidError] is.
	ErrInvalid = invalid.ErrInvalid
	// ErrTooManyKeys is what every [*TooManyKeysError] is.
	ErrTooManyKeys = errors.New("ratelimit: too many keys in use")
)

// InvalidError says which setting or argument is out of range.
type InvalidError = invalid.Error

// ExceededError is returned at once for a call that was not allowed. The call
// was not made.
type ExceededError struct {
	// RetryAfter is when the tokens would be there, if all came back who were refused
	// before, each at its time: those who are refused together don't come back
	// together. As some never come, that is at most a minute more than if nobody did.
	// Nothing is kept for anybody: a call that comes first takes what is there. The
	// largest duration stands for never, as for more tokens than the bucket can hold.
	RetryAfter time.Duration
}

func (e *ExceededError) Error() string {
	return fmt.Sprintf("%v: retry after %v", ErrExceeded, e.RetryAfter)
}

// Unwrap returns [ErrExceeded].
func (e *ExceededError) Unwrap() error { return ErrExceeded }

// Refused tells other policies that the call was not made, and when it may be.
func (e *ExceededError) Refused() time.Duration { return e.RetryAfter }

// ByPolicy tells them that it was a policy, and not the function, which refused.
func (e *ExceededError) ByPolicy() {}

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

// ByPolicy tells them that it was a policy, and not the function, which refused.
func (e *DeadlineError) ByPolicy() {}

// TooManyKeysError is returned at once by a [Keyed] that has no room for another key. The
// call was not made.
type TooManyKeysError struct {
	Keys int // how many there are
	// RetryAfter is when the first of those keys that were used longest ago has a full
	// bucket, and makes room if nobody uses it meanwhile; above 0. It is 100 ms if calls
	// are under way for all of them. Nothing is kept for anybody: many who are refused
	// together are told the same.
	RetryAfter time.Duration
}

func (e *TooManyKeysError) Error() string {
	return fmt.Sprintf("%v: %d; retry after %v", ErrTooManyKeys, e.Keys, e.RetryAfter)
}

// Unwrap returns [ErrTooManyKeys].
func (e *TooManyKeysError) Unwrap() error { return ErrTooManyKeys }

// Refused tells other policies that the call was not made, and when it may be.
func (e *TooManyKeysError) Refused() time.Duration { return e.RetryAfter }

// ByPolicy tells them that it was a policy, and not the function, which refused.
func (e *TooManyKeysError) ByPolicy() {}

// canceled is the error of a call whose context has ended before its turn.
func canceled(ctx context.Context) error { return answer.Canceled("ratelimit", ctx) }
