package answer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Canceled returns the error of a call that a policy of the package did not make, since
// its context has ended before its turn. It is the context's error and its cause.
func Canceled(pkg string, ctx context.Context) error {
	return &canceledError{pkg, ctx.Err(), context.Cause(ctx)}
}

type canceledError struct {
	pkg        string
	err, cause error
}

func (e *canceledError) Error() string {
	if errors.Is(e.err, e.cause) {
		return e.pkg + ": " + e.err.Error()
	}
	return fmt.Sprintf("%s: %v: %v", e.pkg, e.err, e.cause)
}

// Unwrap returns the context's error and its cause.
func (e *canceledError) Unwrap() []error { return []error{e.err, e.cause} }

// Refused tells other policies that the call was not made.
func (e *canceledError) Refused() time.Duration { return 0 }
func (e *canceledError) ByPolicy()              {}
