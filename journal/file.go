package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// File is the file of a journal, regardless of the meaning of its lines: for code that stores
// its own lines. Each line is written at once; syncing is left to the system. It is safe for
// concurrent use.
type File struct {
	file    *os.File
	regular bool // otherwise (a pipe) it can't be truncated or synced

	mu  sync.Mutex
	end int64
}

// OpenFile opens a file for exclusive writing, and creates it if it doesn't exist. Only the
// owner can read a new file. A file that is not regular, such as a pipe, has no lock, and may
// be unreadable. Errors are [*Error], with [*InUseError] if another process writes to the file.
// That error comes after two seconds, in which a killed process may finish ending.
func OpenFile(path string) (*File, error) {
	file, err := openLocked(path)
	if err != nil {
		pipe, other := os.OpenFile(path, os.O_WRONLY, 0o600)
		if errors.Is(err, ErrInUse) || other != nil {
			return nil, &Error{path, errors.Join(err, closed(pipe))}
		}
		file = pipe
	}
	info, failed := file.Stat()
	if failed == nil && err != nil && info.Mode().IsRegular() { // it can be written, but not read
		failed = err
	}
	if failed != nil {
		return nil, &Error{path, errors.Join(failed, file.Close())}
	}
	return &File{file: file, regular: info.Mode().IsRegular()}, nil
}

// closed closes a file, if there is one.
func closed(file *os.File) error {
	if file == nil {
		return nil
	}
	return file.Close()
}

// Regular reports whether the file can be read, truncated and synced.
func (f *File) Regular() bool { return f.regular }

// Lines is [Read] for the file; size is the file's length.
func (f *File) Lines(visit func(Line) error) (whole, size int64, err error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, 0, err
	}
	whole, err = Read(io.NewSectionReader(f.file, 0, info.Size()), visit)
	return whole, info.Size(), err
}

// Resume makes lines be added after size bytes: the rest of the file is cut off. fresh says
// that the file counts as new: from now on only its owner can read it.
func (f *File) Resume(size int64, fresh bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end = size
	if !f.regular {
		return nil
	}
	if fresh {
		_ = f.file.Chmod(0o600) // on a file of another owner this may fail
	}
	return f.file.Truncate(size)
}

// Add adds an object as a line. After an error no part of it is in the file, and the next Add
// may succeed.
func (f *File) Add(object any) error {
	raw, err := json.Marshal(object)
	if err != nil {
		return err
	}
	line := sealObject(raw)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.regular {
		_, err := f.file.Write(line)
		return err
	}
	if _, err := f.file.WriteAt(line, f.end); err != nil { // it may have been written in part
		return errors.Join(err, f.file.Truncate(f.end))
	}
	f.end += int64(len(line))
	return nil
}

// Sync writes everything to disk.
func (f *File) Sync() error {
	if !f.regular {
		return nil
	}
	return f.file.Sync()
}

// Close syncs and closes the file.
func (f *File) Close() error { return errors.Join(f.Sync(), f.file.Close()) }

// InUseError says which process writes to a file.
type InUseError struct {
	PID  int // 0 if that is not known
	Host string
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return ErrInUse.Error()
	}
	return fmt.Sprintf("%v: process %d on %s", ErrInUse, e.PID, e.Host)
}

// Unwrap returns [ErrInUse].
func (e *InUseError) Unwrap() error { return ErrInUse }

// How long to wait for a file's lock, and how often to try. A process that starts another one
// gives it a copy of every descriptor until its exec. So a lock can outlive a process that is
// killed just then, or a Close: by milliseconds, or more if all cores are busy.
const (
	lockPatience = 2 * time.Second
	lockPause    = 10 * time.Millisecond
)

// openLocked opens a file for exclusive writing.
func openLocked(path string) (*os.File, error) {
	for waited := time.Duration(0); ; {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		mine, err := file.Stat()
		if err != nil || !mine.Mode().IsRegular() {
			return file, err
		}
		if err := lock(file); err != nil {
			if waited >= lockPatience {
				return nil, errors.Join(holder(file), file.Close())
			}
			_ = file.Close() // another file may have replaced it by then
			time.Sleep(lockPause)
			waited += lockPause
			continue
		}
		there, gone := os.Stat(path)
		if gone == nil && os.SameFile(mine, there) {
			return file, nil
		}
		if err := file.Close(); err != nil { // another file has replaced it meanwhile
			return nil, err
		}
	}
}

// holder returns an error that says which process writes to a file, from its latest header.
func holder(file *os.File) error {
	var latest Header
	_, _ = Read(file, func(line Line) error {
		if line.Type == "run" {
			_ = json.Unmarshal(line.Body, &latest)
		}
		return nil
	})
	return &InUseError{latest.PID, latest.Host}
}
