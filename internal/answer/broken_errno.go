//go:build !plan9

package answer

import (
	"io"
	"syscall"
)

// broken are the causes of a connection that was refused or broken.
var broken = []error{syscall.ECONNREFUSED, connectionRefused, syscall.ECONNRESET, syscall.EPIPE, io.ErrUnexpectedEOF}
