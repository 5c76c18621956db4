package cli

import (
	"errors"
	"fmt"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// The statuses with which the command ends. It is never the number of failures.
const (
	exitOK         = 0
	exitFailed     = 1 // some items failed
	exitUsage      = 2 // flags, configuration, input
	exitTarget     = 3 // the Go function does not build or can't be called
	exitHalted     = 4 // --halt, --fatal-on
	exitResumable  = 75
	exitNotRunable = 126
	exitNotFound   = 127
	exitInterrupt  = 130
	exitTerminated = 143
	exitPipe       = 141
)

// exitError ends the command with a status. With a nil err nothing is said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{exitUsage, err} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// code returns the status for how a run ended.
func code(stopped error, failed int) int {
	switch {
	case errors.Is(stopped, jobs.ErrInterrupted):
		return exitInterrupt
	case errors.Is(stopped, jobs.ErrTerminated):
		return exitTerminated
	case errors.Is(stopped, jobs.ErrHalted), errors.Is(stopped, jobs.ErrFatal):
		return exitHalted
	case errors.Is(stopped, jobs.ErrDeadline), errors.Is(stopped, jobs.ErrGaveUp):
		return exitResumable
	case errors.Is(stopped, jobs.ErrPipe):
		return exitPipe
	case stopped != nil:
		return exitUsage
	case failed > 0:
		return exitFailed
	}
	return exitOK
}
