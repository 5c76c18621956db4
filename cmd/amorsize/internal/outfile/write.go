// Package outfile writes the files that a user names: whole or not at all, and none that is
// read or written otherwise meanwhile.
package outfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// Write writes a file that is there whole or not at all: what was there before
// stays until all has been written, and after an error. It is written beside, and
// renamed. What is no regular file, as a pipe, is written to as it is, and so is a
// file in a directory where no other may be made. The error names the file.
func Write(name string, write func(*os.File) error) error {
	target, mode := name, fs.FileMode(0o666)
	switch info, err := os.Stat(name); {
	case err == nil && !info.Mode().IsRegular():
		return writeInPlace(name, write)
	case err == nil:
		mode = info.Mode().Perm()
		if target, err = writable(name); err != nil {
			return failedTo(name, err)
		}
	}
	file, err := createBeside(target, mode)
	if errors.Is(err, fs.ErrPermission) {
		return writeInPlace(name, write)
	}
	if err != nil {
		return failedTo(name, err)
	}
	if err = write(file); err != nil {
		_ = file.Close()
	} else if err = file.Close(); err == nil {
		err = os.Rename(file.Name(), target)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return failedTo(name, err)
	}
	return nil
}

// writable returns what a file that is there is called, so that a link to it stays
// one, and refuses a file that may not be written to: renaming would not ask.
func writable(name string) (string, error) {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	_ = file.Close()
	return filepath.EvalSymlinks(name)
}

func writeInPlace(name string, write func(*os.File) error) error {
	file, err := os.Create(name)
	if err != nil {
		return failedTo(name, err)
	}
	if err = write(file); err != nil {
		_ = file.Close()
	} else {
		err = file.Close()
	}
	if err != nil {
		return failedTo(name, err)
	}
	return nil
}

// Bytes returns a function for Write that writes raw.
func Bytes(raw []byte) func(*os.File) error {
	return func(file *os.File) error {
		_, err := file.Write(raw)
		return err
	}
}

// createBeside creates a file of another name in the same directory. Its name is
// short, as the other one may have all the length that there is.
func createBeside(name string, mode fs.FileMode) (*os.File, error) {
	for tries := 0; ; tries++ {
		temporary := filepath.Join(filepath.Dir(name), ".amorsize-"+strconv.FormatUint(rand.Uint64(), 36))
		file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) // not CreateTemp, which hides files from others
		if errors.Is(err, fs.ErrExist) && tries < 100 {
			continue
		}
		return file, err
	}
}

// failedTo tells of the file that was to be written, not of the one beside it.
func failedTo(name string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("can't write %s: %w", name, err)
}
