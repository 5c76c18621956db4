package answer

import (
	"io"
	"syscall"
)

// broken are the causes of a connection that was refused or broken. Errors of
// the system are strings: these are its Econrefused and Ehungup.
var broken = []error{syscall.ErrorString("connection refused"), syscall.ErrorString("i/o on hungup channel"), io.ErrUnexpectedEOF}
