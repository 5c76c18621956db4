//go:build linux || darwin

package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// waiting returns how many bytes of a pipe nobody has read, at either end of it.
func waiting(file *os.File) (n int) {
	conn, err := file.SyscallConn()
	if err != nil {
		return 0
	}
	_ = conn.Control(func(fd uintptr) {
		if k, err := unix.IoctlGetInt(int(fd), fionread); err == nil {
			n = k
		}
	})
	return n
}
