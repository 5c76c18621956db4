package retry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/amorsize/amorsize/internal/invalid"
)

// Sentinels, for errors.Is.
var (
	// ErrExhausted is what every [*ExhaustedError] is.
	ErrExhausted = errors.New("retry: given up")
	// ErrBudget is a cause of an [*ExhaustedError] when the [Budget] was used up.
	ErrBudget = errors.New("retry: the budget is used up")
	// ErrMaxElapsed is a cause when the next delay would exceed Policy.MaxElapsed.
	ErrMaxElapsed = errors.New("retry: out of time")
	// ErrInvalid is what every [*InvalidError] is.
	ErrInvalid = invalid.ErrInvalid
)

// InvalidError says which setting or argument is out of range.
type InvalidError = invalid.Error

// keptErrors is how many errors of attempts are kept: the first, which often says
// what began it, and the latest.
const keptErrors = 8

// ExhaustedError says that a call was given up, and keeps the errors of its
// attempts: errors.Is and errors.As find all that are kept, and the cause.
type ExhaustedError struct {
	Attempts int     // how often the call was made
	Errs     []error // of the attempts, in order: the first and the latest seven
	// Cause is why there was no other attempt before the retries were used up, or
	// nil: the context's error and its cause, [context.DeadlineExceeded] if the next
	// delay would have exceeded its deadline, [ErrMaxElapsed], or [ErrBudget].
	Cause error
	// Delay is the delay that was not begun, if that is the cause.
	Delay time.Duration
}

func (e *ExhaustedError) Error() string {
	var last error
	if len(e.Errs) > 0 {
		last = e.Errs[len(e.Errs)-1]
	}
	switch {
	case e.Cause != nil && e.Delay > 0:
		return fmt.Sprintf("retry: given up after %d attempts, before a delay of %v: %v: %v", e.Attempts, e.Delay, e.Cause, last)
	case e.Cause != nil:
		return fmt.Sprintf("retry: given up after %d attempts: %v: %v", e.Attempts, e.Cause, last)
	}
	return fmt.Sprintf("retry: given up after %d attempts: %v", e.Attempts, last)
}

// Ran tells other policies whether the call was ever made.
func (e *ExhaustedError) Ran() bool { return e.Attempts > 0 }

// Timeout reports whether it was a time that ran out, at last, as net.Error has it.
func (e *ExhaustedError) Timeout() bool {
	last := e.Cause
	if last == nil && len(e.Errs) > 0 {
		last = e.Errs[len(e.Errs)-1]
	}
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](last)
	return errors.Is(last, ErrMaxElapsed) || ok && timeout.Timeout()
}

// Unwrap returns [ErrExhausted], the errors of the attempts, the latest first,
// and the cause.
func (e *ExhaustedError) Unwrap() []error {
	all := []error{ErrExhausted}
	for _, err := range slices.Backward(e.Errs) {
		all = append(all, err)
	}
	if e.Cause != nil {
		all = append(all, e.Cause)
	}
	return all
}

// Permanent marks err as not worth a retry. The mark is taken off again: a call
// that returns Permanent(err) has a retrier return err. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// contextError is both the error of an ended context and its cause.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}
