package executor

import (
	"context"
	"unsafe"
)

// function is what tells functions apart: nil for those whose runs share nothing.
type function struct{ value unsafe.Pointer }

// functionOf returns that of f. A function value is a pointer to its code and what it
// has captured.
func functionOf[T, R any](f func(context.Context, T) (R, error)) function {
	return function{*(*unsafe.Pointer)(unsafe.Pointer(&f))}
}

// functionKey finds the call of a function that a context comes from.
type functionKey struct{ function }
