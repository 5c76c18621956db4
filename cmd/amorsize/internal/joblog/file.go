package joblog

import (
	"errors"
	"fmt"
	"os"

	"github.com/amorsize/amorsize/journal"
)

// Log is written line by line, so that a crash loses no line that was written before it. If the disk has no room
// for a line, nothing of it stays. One process at a time writes to a log. It is safe for concurrent use.
type Log struct{ file *journal.File }

// Mode says what to do with an existing log.
type Mode int

// The modes. In each, a file that is not a log is refused, and an empty one is a new log.
const (
	New       Mode = iota // it is refused
	Continue              // new lines are added to it
	Overwrite             // it is emptied, unless its latest run has not ended
)

// ErrInUse is the error of a log that another process writes to.
var ErrInUse = errors.New("another run writes to this log")

// Open opens a log, and returns its content; nil if it was empty or is not a regular file. A last line that was
// cut off is removed. Errors are ErrLog, and ErrInUse where that is the cause; then nothing is changed. Only its
// owner can read a new log: it has the arguments of the command, credentials too.
func Open(path string, mode Mode) (*Log, *Past, error) {
	file, err := journal.OpenFile(path)
	if err != nil {
		return nil, nil, refused(path, err)
	}
	l := &Log{file: file}
	past, err := l.prepare(path, mode)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return l, past, nil
}

// refused is why a log can't be opened.
func refused(path string, err error) error {
	holder, inUse := errors.AsType[*journal.InUseError](err)
	switch {
	case !inUse:
		if of, ok := errors.AsType[*journal.Error](err); ok {
			err = of.Err
		}
		return fmt.Errorf("%w: can't write the log: %w", ErrLog, err)
	case holder.PID == 0:
		return fmt.Errorf("%w: %s: %w", ErrLog, path, ErrInUse)
	}
	return fmt.Errorf("%w: %s: %w, process %d", ErrLog, path, ErrInUse, holder.PID)
}

func (l *Log) prepare(path string, mode Mode) (*Past, error) {
	if !l.file.Regular() {
		return nil, nil
	}
	past, err := readPast(l.file, path)
	if err != nil {
		return nil, err
	}
	size := int64(0)
	if past != nil {
		size = past.whole
		and := ""
		if past.runs == 0 {
			and = ", and " + headless
		}
		switch {
		case past.Header.Command == journal.Program:
			return nil, fmt.Errorf("%w: %s is the journal of a program: run the program again", ErrLog, path)
		case mode == New:
			return nil, fmt.Errorf("%w: %s exists already%s: --resume continues it, --overwrite replaces it", ErrLog, path, and)
		case mode == Overwrite && !past.Ended:
			return nil, fmt.Errorf("%w: the run in %s has not ended%s: --resume continues it; remove the file to start over", ErrLog, path, and)
		case mode == Overwrite:
			size, past = 0, nil
		}
	}
	if err := l.file.Resume(size, past == nil); err != nil {
		return nil, fmt.Errorf("%w: can't write the log: %w", ErrLog, err)
	}
	return past, nil
}

// Write adds a line. After an error, nothing of it is in the log.
func (l *Log) Write(line any) error { return l.file.Add(line) }

// Sync writes the lines to the disk.
func (l *Log) Sync() error { return l.file.Sync() }

// Close closes the log.
func (l *Log) Close() error { return l.file.Close() }

// Files calls each for every file with the result of an item that a log knows of, in the order in which they were
// written; ok says whether the item succeeded. A file that does not exist, or is not a regular file, has none.
// Errors are ErrLog.
func Files(path string, each func(id string, n int, file string, ok bool)) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil // reading a pipe would be useless; writing to the log reports what is wrong with it
	}
	_, err := eachLine(path, func(line journal.Line) error {
		if line.Type != "item" || !hasFile(line.Body) {
			return nil // most logs have none, and need not be read twice in full
		}
		e, err := entryOf(line.Body)
		if err != nil {
			return err
		}
		if e.File != "" {
			each(e.ID, e.N, e.File, e.OK)
		}
		return nil
	})
	return err
}
