//go:build !plan9

package transport

import (
	"errors"
	"net"
	"syscall"
)

// scarce reports whether a connection could not be made because this process or machine
// had no open files or no memory left: it is not the host's fault.
func scarce(err error) bool {
	if dialed, ok := errors.AsType[*net.OpError](err); !ok || dialed.Op != "dial" {
		return false // part of the request may have been sent
	}
	for _, cause := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
