// Package outfile writes the files that a user names: completely or not at all, and none that is otherwise read or
// written meanwhile.
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

// Write writes a file completely or not at all: the old content stays until everything has been written, and after
// an error. It writes another file in the directory, and renames it. A file that is not regular, such as a pipe,
// is written to directly, and so is a file in a directory where no other may be created. The error names the file.
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

// writable returns the real name of an existing file, so that a link to it stays a link. It refuses a file that
// may not be written to: renaming would not check that.
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

// createBeside creates a file of another name in the same directory. Its name is short, as the original name may
// have the maximum length.
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

// failedTo names the file that was to be written, not the temporary one.
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
