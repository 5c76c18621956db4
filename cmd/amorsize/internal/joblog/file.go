package joblog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/amorsize/amorsize/journal"
)

// Log is written to line by line, so that no line is lost that was written before
// a crash. Of a line that the disk has no room for, nothing stays. One process at
// a time writes to a log. It is safe for concurrent use.
type Log struct{ file *journal.File }

// Mode says what is done with a log that is there already.
type Mode int

// The modes. In each, a file that is not a log is refused, and an empty one is a new log.
const (
	New       Mode = iota // it is refused
	Continue              // what is new is added to it
	Overwrite             // it is emptied, unless its latest run has not ended
)

// ErrInUse is the error of a log that another process writes to.
var ErrInUse = errors.New("another run writes to this log")

// Open opens a log, and says what it had; nil if it was empty or is not a regular
// file. A last line that was cut off is taken out. Errors are ErrLog, and ErrInUse
// where that is the cause; nothing is changed then. A new log can be read by its owner
// alone: it has what the command was given, credentials too.
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
		switch {
		case past.Header.Command == journal.Program:
			return nil, fmt.Errorf("%w: %s is the journal of a program: run that again", ErrLog, path)
		case mode == New:
			return nil, fmt.Errorf("%w: %s is there already: --resume continues it, --overwrite replaces it", ErrLog, path)
		case mode == Overwrite && !past.Ended:
			return nil, fmt.Errorf("%w: the run in %s has not ended: --resume goes on with it; remove the file to begin anew", ErrLog, path)
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

// Sync puts what was written onto the disk.
func (l *Log) Sync() error { return l.file.Sync() }

// Close closes the log.
func (l *Log) Close() error { return l.file.Close() }

// Files calls each for every file with the result of an item that a log knows of, in
// the order in which they were written; ok is whether that went well. A file that is not there, or no regular one,
// has none. Errors are ErrLog.
func Files(path string, each func(id string, n int, file string, ok bool)) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil // a pipe would be read in vain; whoever writes to the log tells what is wrong with it
	}
	return eachLine(path, func(line journal.Line) error {
		var e Entry
		if line.Type != "item" || !hasFile(line.Body) {
			return nil // most logs have none, and need not be read twice in full
		}
		if err := json.Unmarshal(line.Body, &e); err != nil {
			return err
		}
		if e.File != "" {
			each(e.ID, e.N, e.File, e.OK)
		}
		return nil
	})
}
