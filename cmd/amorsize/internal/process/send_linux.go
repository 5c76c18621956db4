package process

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// send writes the first size bytes of from to w by sendfile(2), as far as that
// works: the rest is the caller's.
func send(w, from *os.File, size int64) (sent int64, err error) {
	out, err := w.SyscallConn()
	if err != nil {
		return 0, nil //nolint:nilerr // then they are copied
	}
	var failure error
	err = out.Write(func(fd uintptr) bool {
		for sent < size {
			at := sent
			n, err := unix.Sendfile(int(fd), int(from.Fd()), &at, int(min(size-sent, 1<<30)))
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.EAGAIN):
				return false
			case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
				return true // not for this kind of file: they are copied
			case err != nil:
				failure = os.NewSyscallError("sendfile", err)
				return true
			case n == 0:
				return true
			}
			sent += int64(n)
		}
		return true
	})
	return sent, errors.Join(failure, err)
}
