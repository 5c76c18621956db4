package executor

import (
	"context"
	"unsafe"
)

// function identifies a function value: nil for functions whose runs share nothing.
type function struct{ value unsafe.Pointer }

// functionOf returns the identity of f. A function value is a pointer to its code and
// captured variables.
func functionOf[T, R any](f func(context.Context, T) (R, error)) function {
	return function{*(*unsafe.Pointer)(unsafe.Pointer(&f))}
}

// functionKey finds, from a context, the call of the function that it was made in.
type functionKey struct{ function }
