// Package invalid is the error of a setting or an argument that is out of range.
package invalid

import (
	"errors"
	"fmt"
)

// ErrInvalid is what every [*Error] is, for errors.Is.
var ErrInvalid = errors.New("invalid setting or argument")

// Error says which setting or argument is invalid.
type Error struct {
	Package string // where it was set: "ratelimit"
	Field   string // its name: "RequestsPerSecond"
	Value   any    // what it was set to
	Range   string // what it may be
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s = %v: must be %s", e.Package, e.Field, e.Value, e.Range)
}

// Unwrap returns [ErrInvalid].
func (e *Error) Unwrap() error { return ErrInvalid }

// Duration returns an error unless d is 0, which stands for a default, or above.
func Duration(pkg, field string, d interface{ Nanoseconds() int64 }) error {
	if d.Nanoseconds() < 0 {
		return &Error{pkg, field, d, "above 0, or 0 for the default"}
	}
	return nil
}
