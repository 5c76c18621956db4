package journal

import (
	"errors"
	"os"
)

// swap replaces a file by another one. On Windows both must be closed for that: if another
// process opens the journal in between, it gets the lock, and this one an error.
func swap(old, temp *os.File, path string) (file *os.File, swapped bool, err error) {
	if err := errors.Join(temp.Close(), old.Close()); err != nil {
		return old, false, err
	}
	failed := os.Rename(temp.Name(), path)
	if failed != nil { // another process reads it
		_ = os.Remove(temp.Name())
	}
	file, err = openLocked(path)
	return file, failed == nil, err
}
