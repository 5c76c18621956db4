package process

import (
	"errors"

	"golang.org/x/sys/unix"
)

// await waits until the process has ended and leaves it a zombie, so that its number can't be reused before it is
// removed from the list.
func await(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
