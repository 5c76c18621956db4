//go:build unix

package joblog

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the file for this process until it ends or closes the file, by a
// record lock, which the system gives back also after a crash. A file system that
// knows no locks is written to without.
func lock(file *os.File, path string) error {
	want := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &want)
	if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EAGAIN) {
		return nil
	}
	holder := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if unix.FcntlFlock(file.Fd(), unix.F_GETLK, &holder) == nil && holder.Type != unix.F_UNLCK && holder.Pid > 0 {
		return fmt.Errorf("%w: %s: %w, process %d", ErrLog, path, ErrInUse, holder.Pid)
	}
	return fmt.Errorf("%w: %s: %w", ErrLog, path, ErrInUse)
}
