//go:build !plan9

package transport

import (
	"errors"
	"net"
	"syscall"
)

// scarce reports whether a connection could not be made for want of open files or of
// memory for it, of this process or this machine: the host has no part in it.
func scarce(err error) bool {
	if dialed, ok := errors.AsType[*net.OpError](err); !ok || dialed.Op != "dial" {
		return false // something of the request may have been sent
	}
	for _, cause := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
