package executor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// TimeoutError is the cause of a failure that came after Config.ItemTimeout had ended the
// context of the call. It matches [context.DeadlineExceeded] and Err.
type TimeoutError struct {
	After time.Duration // the bound
	Err   error         // what the function returned; nil in the context's cause
}

func (e *TimeoutError) Error() string {
	if e.Err == nil || e.Err == context.DeadlineExceeded { //nolint:errorlint // nothing to add
		return fmt.Sprintf("the call took longer than %v", e.After)
	}
	return fmt.Sprintf("the call took longer than %v: %v", e.After, e.Err)
}

// Timeout returns true.
func (e *TimeoutError) Timeout() bool { return true }

// Unwrap returns [context.DeadlineExceeded] and what the function returned.
func (e *TimeoutError) Unwrap() []error {
	if e.Err == nil {
		return []error{context.DeadlineExceeded}
	}
	return []error{context.DeadlineExceeded, e.Err}
}

// within returns fn with every call bounded by d; 0 is no bound. It wraps the function
// itself, inside the policies, so that every attempt has d.
func within[T, R any](d time.Duration, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	if d == 0 || fn == nil {
		return fn
	}
	cause := error(&TimeoutError{After: d})
	return func(ctx context.Context, item T) (R, error) {
		call, cancel := context.WithTimeoutCause(ctx, d, cause)
		defer cancel()
		result, err := fn(call, item)
		// Only if the bound has ended the call: the run may have ended it, too.
		if err != nil && call.Err() != nil && context.Cause(call) == cause && !errors.Is(err, cause) { //nolint:errorlint // this very one
			err = &TimeoutError{After: d, Err: err}
		}
		return result, err
	}
}
