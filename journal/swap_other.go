//go:build !windows

package journal

import (
	"errors"
	"os"
)

// swap replaces a locked file by another one, which is locked before it becomes visible at
// path. It returns the file that is then at path.
func swap(old, temp *os.File, path string) (file *os.File, swapped bool, err error) {
	err = lock(temp)
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = errors.Join(temp.Close(), os.Remove(temp.Name()))
		return old, false, nil //nolint:nilerr // the old one is as good
	}
	return temp, true, old.Close()
}
