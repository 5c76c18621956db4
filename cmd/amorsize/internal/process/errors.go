package process

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// ErrCommand is wrapped by every error of a command, for errors.Is.
var ErrCommand = errors.New("command failed")

// ExitError says that a command ended with a status other than 0, or by a signal.
type ExitError struct {
	Code   int    // of the exit; -1 if a signal ended it
	Signal string // "killed", …; empty if none did
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "signal: " + e.Signal
	}
	return fmt.Sprintf("exit %d", e.Code)
}

// Unwrap returns ErrCommand.
func (e *ExitError) Unwrap() error { return ErrCommand }

// TimeoutError says that a command took longer than it may, and was ended.
type TimeoutError struct{ After time.Duration }

func (e *TimeoutError) Error() string { return fmt.Sprintf("timeout %v", e.After) }

// Timeout tells the engine that the service may be overloaded.
func (e *TimeoutError) Timeout() bool { return true }

// Unwrap returns ErrCommand.
func (e *TimeoutError) Unwrap() error { return ErrCommand }

// SpawnError says that a command could not be started.
type SpawnError struct {
	Program string
	Err     error
}

func (e *SpawnError) Error() string { return fmt.Sprintf("can't start %s: %v", e.Program, e.Err) }

// Unwrap returns ErrCommand and the cause.
func (e *SpawnError) Unwrap() []error { return []error{ErrCommand, e.Err} }

// OutputError says that a command's output may not have been kept completely.
type OutputError struct {
	Dir string // where it was kept
	Err error
}

func (e *OutputError) Error() string {
	return fmt.Sprintf("its output can't be kept in %s: %v; set TMPDIR to another directory", e.Dir, e.Err)
}

// Unwrap returns ErrCommand and the cause.
func (e *OutputError) Unwrap() []error { return []error{ErrCommand, e.Err} }

// Own reports whether an error is about this host and not about what was called: it has too few files, too little
// memory or room.
func Own(err error) bool {
	return scarce(err) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.ENOMEM)
}

// scarce reports whether a command could not be started for lack of open files or processes, which other commands
// release when they end.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EAGAIN)
}
