// Package exit has the command's exit statuses, and the errors that choose one.
package exit

import (
	"errors"
	"fmt"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// The command's exit statuses. None of them is a number of failures.
const (
	OK            = 0
	Failed        = 1 // some items failed
	BadUsage      = 2 // flags, configuration, input, files that can't be written
	BadTarget     = 3 // the Go function does not build or can't be called
	Halted        = 4 // --halt, --fatal-on
	Resumable     = 75
	NotExecutable = 126
	NotFound      = 127
	Interrupted   = 130
	PipeClosed    = 141
	Terminated    = 143
)

// Error ends the command with a status. If Err is nil, nothing is printed.
type Error struct {
	Code int
	Err  error
}

// With returns an error that ends the command with that status.
func With(code int, err error) *Error { return &Error{code, err} }

// Error returns the text to print.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Usage returns err as one that ends the command with BadUsage.
func Usage(err error) error { return With(BadUsage, err) }

// Usagef is Usage with a format.
func Usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// OfRun returns the status of a run: stopped is why it ended early, nil if it did not,
// and failed is how many items failed.
func OfRun(stopped error, failed int) int {
	switch {
	case errors.Is(stopped, jobs.ErrInterrupted):
		return Interrupted
	case errors.Is(stopped, jobs.ErrTerminated):
		return Terminated
	case errors.Is(stopped, jobs.ErrHalted), errors.Is(stopped, jobs.ErrFatal):
		return Halted
	case errors.Is(stopped, jobs.ErrDeadline), errors.Is(stopped, jobs.ErrGaveUp):
		return Resumable
	case errors.Is(stopped, jobs.ErrPipe):
		return PipeClosed
	case stopped != nil:
		return BadUsage
	case failed > 0:
		return Failed
	}
	return OK
}
