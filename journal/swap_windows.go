package journal

import (
	"errors"
	"os"
)

// swap puts a file in the place of another one. Here both must be closed for it: whoever opens
// the journal in between has it then, and this one is told so.
func swap(old, temp *os.File, path string) (file *os.File, swapped bool, err error) {
	if err := errors.Join(temp.Close(), old.Close()); err != nil {
		return old, false, err
	}
	failed := os.Rename(temp.Name(), path)
	if failed != nil { // somebody looks at it
		_ = os.Remove(temp.Name())
	}
	file, err = openLocked(path)
	return file, failed == nil, err
}
