//go:build unix && !solaris && !illumos && !aix

package journal

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the file for whoever opened it, until it is closed or the process ends: by
// flock(2), which keeps out others of the same process, too. A file system that knows no
// locks is written to without.
func lock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrInUse
		}
		return nil
	}
}

// syncDir puts the names in a directory onto the disk.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(ignore(dir.Sync()), dir.Close())
}

// ignore drops the error of a file system that has no such thing as syncing a directory.
func ignore(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
