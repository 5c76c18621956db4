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

// File is the file of a journal without what its lines mean: for those who keep others. Each
// line is written at once and left to the system to sync. It is safe for concurrent use.
type File struct {
	file    *os.File
	regular bool // else it has no end that could be cut off, and nothing to sync, as a pipe

	mu  sync.Mutex
	end int64
}

// OpenFile opens a file that nobody else writes to, and makes it if there is none. Its owner
// alone can read a new one. One that is not regular, as a pipe, has no lock, and may be one
// that can't be read. Errors are [*Error], with [*InUseError] where that is the cause: after
// two seconds, in which a process that was killed may be over in full.
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
	if failed == nil && err != nil && info.Mode().IsRegular() { // it can be written to, and not be read
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

// Regular reports whether the file can be read, cut off and synced.
func (f *File) Regular() bool { return f.regular }

// Lines is [Read] for the file, and size how long it is.
func (f *File) Lines(visit func(Line) error) (whole, size int64, err error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, 0, err
	}
	whole, err = Read(io.NewSectionReader(f.file, 0, info.Size()), visit)
	return whole, info.Size(), err
}

// Resume has lines be added behind so many bytes: what is there now is cut off. fresh says that
// the file is as good as new: its owner alone can read it from now on.
func (f *File) Resume(size int64, fresh bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end = size
	if !f.regular {
		return nil
	}
	if fresh {
		_ = f.file.Chmod(0o600) // of somebody else's file that is not ours to say
	}
	return f.file.Truncate(size)
}

// Add adds an object as a line. After an error nothing of it is in the file; the next one may
// go well.
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
	if _, err := f.file.WriteAt(line, f.end); err != nil { // how much of it is there it does not say
		return errors.Join(err, f.file.Truncate(f.end))
	}
	f.end += int64(len(line))
	return nil
}

// Sync puts what was written onto the disk.
func (f *File) Sync() error {
	if !f.regular {
		return nil
	}
	return f.file.Sync()
}

// Close syncs and closes the file.
func (f *File) Close() error { return errors.Join(f.Sync(), f.file.Close()) }

// InUseError says who writes to a file.
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

// How long to wait for a file's lock, and how often to look. A process that begins another one
// gives it a copy of every descriptor up to its exec, so that a lock outlives a process that is
// killed just then, or a Close: by milliseconds, or more where all cores are busy.
const (
	lockPatience = 2 * time.Second
	lockPause    = 10 * time.Millisecond
)

// openLocked opens a file that nobody else writes to.
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
			_ = file.Close() // another one can be in its place by then
			time.Sleep(lockPause)
			waited += lockPause
			continue
		}
		there, gone := os.Stat(path)
		if gone == nil && os.SameFile(mine, there) {
			return file, nil
		}
		if err := file.Close(); err != nil { // another one has replaced it meanwhile
			return nil, err
		}
	}
}

// holder says who writes to a file, which its latest header tells.
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
