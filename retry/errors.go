package retry

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/amorsize/amorsize/invalid"
)

// Sentinels, for errors.Is.
var (
	// ErrExhausted matches every [*ExhaustedError].
	ErrExhausted = errors.New("retry: given up")
	// ErrBudget is a cause of an [*ExhaustedError] when the [Budget] was used up.
	ErrBudget = errors.New("retry: the budget is used up")
	// ErrMaxElapsed is a cause when the next delay would exceed Policy.MaxElapsed.
	ErrMaxElapsed = errors.New("retry: out of time")
	// ErrMaxDelay is a cause when the service, or a policy that refused the call, asks
	// for a longer delay than Policy.MaxDelay; ExhaustedError.Delay is what it asks for.
	ErrMaxDelay = errors.New("retry: asked to wait for longer than MaxDelay")
	// ErrRefused is a cause when the call was refused 100 times in a row before it was
	// made.
	ErrRefused = errors.New("retry: refused too often")
	// ErrInvalid matches every [*InvalidError].
	ErrInvalid = invalid.ErrInvalid
)

// InvalidError says which setting or argument is out of range.
type InvalidError = invalid.Error

// keptErrors is how many errors of attempts are kept: the first, which often shows the
// original cause, and the latest.
const keptErrors = 8

// ExhaustedError says that a call was given up, and keeps the errors of its attempts.
// errors.Is, and errors.As for a type, find all kept errors, and the cause. errors.As for
// an interface, such as one with a method RetryAfter, finds only the latest attempt's
// error: the waits that earlier ones asked for are over.
type ExhaustedError struct {
	Attempts int     // how often the call was made
	Errs     []error // of the attempts, in order: the first and the latest seven
	// Cause is why the attempts ended before the retries were used up, or nil: the
	// context's error and its cause, [context.DeadlineExceeded] if the next delay would
	// have exceeded its deadline, [ErrMaxElapsed], [ErrMaxDelay], [ErrBudget], or
	// [ErrRefused].
	Cause error
	// Delay is the delay that was too long, if that is the cause. The largest duration
	// means never.
	Delay time.Duration
}

func (e *ExhaustedError) Error() string {
	var last error
	if len(e.Errs) > 0 {
		last = e.Errs[len(e.Errs)-1]
	}
	text := fmt.Sprintf("retry: given up after %d attempts", e.Attempts)
	if e.Attempts == 1 {
		text = "retry: given up after 1 attempt"
	}
	if e.Cause != nil && (last == nil || !strings.Contains(last.Error(), e.Cause.Error())) { // otherwise the last error has both texts
		if e.Delay > 0 {
			text += fmt.Sprintf(", before a delay of %v", e.Delay)
		}
		text += ": " + e.Cause.Error()
	}
	if last != nil {
		text += ": " + last.Error()
	}
	return text
}

// Ran tells other policies whether the call was ever made.
func (e *ExhaustedError) Ran() bool { return e.Attempts > 0 }

// Timeout reports whether a timeout was the final reason, like net.Error.
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
	for i, err := range slices.Backward(e.Errs) {
		if i < len(e.Errs)-1 {
			err = earlier{err}
		}
		all = append(all, err)
	}
	if e.Cause != nil {
		all = append(all, e.Cause)
	}
	return all
}

// earlier is the error of an attempt that was followed by another. errors.Is and
// errors.As find its type, but not interfaces, which ask what to do next.
type earlier struct{ err error }

func (e earlier) Error() string        { return e.err.Error() }
func (e earlier) Is(target error) bool { return errors.Is(e.err, target) }

func (e earlier) As(target any) bool {
	return reflect.TypeOf(target).Elem().Kind() != reflect.Interface && errors.As(e.err, target)
}

// Permanent marks err as not worth a retry. The retrier removes the mark: for a call that
// returns Permanent(err) it returns err. Permanent(nil) is nil.
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
