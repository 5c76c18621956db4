//go:build !windows

package journal

import (
	"errors"
	"os"
)

// swap puts a file in the place of another one, which is locked: so is this one, before anybody
// can find it there. It returns the file that is at path then.
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
