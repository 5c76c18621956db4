package journal

import (
	"errors"
	"fmt"

	"github.com/amorsize/amorsize/invalid"
)

// Sentinels, for errors.Is.
var (
	// ErrJournal matches every [*Error].
	ErrJournal = errors.New("journal")
	// ErrInvalid matches every [*InvalidError].
	ErrInvalid = invalid.ErrInvalid
	// ErrInUse is the cause when the file is already open for writing.
	ErrInUse = errors.New("another one writes to it")
	// ErrOtherRun is the cause when the file belongs to another run, or was written by another
	// codec.
	ErrOtherRun = errors.New("it is of another run")
	// ErrVersion is the cause when the format is newer than this package.
	ErrVersion = errors.New("its version is newer than this one knows")
	// ErrNotJournal is the cause when the file is not a journal.
	ErrNotJournal = errors.New("it is not a journal that amorsize wrote")
	// ErrClosed is the cause when the journal has been closed.
	ErrClosed = errors.New("it is closed")
)

// InvalidError says which setting is out of range.
type InvalidError = invalid.Error

// Error says what is wrong with a journal.
type Error struct {
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("journal %s: %v", e.Path, e.Err) }

// Unwrap returns [ErrJournal] and the cause.
func (e *Error) Unwrap() []error { return []error{ErrJournal, e.Err} }

// PastError is the failure of an item in an earlier run. It has the text of the error, not the
// error itself, which did not outlive its process.
type PastError struct{ Failure Failure }

func (e *PastError) Error() string { return e.Failure.Err }
