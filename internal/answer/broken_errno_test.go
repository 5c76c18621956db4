//go:build !plan9

package answer_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/answer"
)

// Connections that were refused or broken are losses, and what else a system says is not.
func TestBrokenConnections(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{
		syscall.ECONNREFUSED: true, syscall.ECONNRESET: true, syscall.EPIPE: true, syscall.ENOENT: false, syscall.EACCES: false,
	} {
		for _, err := range []error{errno, &net.OpError{Op: "write", Err: errno}} {
			lost, throttled := answer.Lost(err)
			require.Equal(t, want, lost, "%v", err)
			require.False(t, throttled, "%v", err)
		}
	}
}
