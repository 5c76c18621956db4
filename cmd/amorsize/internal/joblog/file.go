package joblog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Log is written to line by line, so that no line is lost that was written before
// a crash. Of a line that the disk has no room for, nothing stays. One process at
// a time writes to a log. It is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	file    *os.File
	regular bool  // else it has no end that could be cut off, as a pipe
	size    int64 // of whole lines, if it is regular
}

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
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		if file, err = os.OpenFile(path, os.O_WRONLY, 0o600); err != nil { // as a pipe, which can't be read
			return nil, nil, fmt.Errorf("%w: can't write the log: %w", ErrLog, err)
		}
	}
	l := &Log{file: file}
	past, err := l.prepare(path, mode)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return l, past, nil
}

func (l *Log) prepare(path string, mode Mode) (*Past, error) {
	info, err := l.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLog, err)
	}
	if l.regular = info.Mode().IsRegular(); !l.regular {
		return nil, nil
	}
	if err := lock(l.file, path); err != nil {
		return nil, err
	}
	past, err := readPast(l.file, path)
	if err != nil {
		return nil, err
	}
	if past != nil {
		l.size = past.whole
		switch {
		case mode == New:
			return nil, fmt.Errorf("%w: %s is there already: --resume continues it, --overwrite replaces it", ErrLog, path)
		case mode == Overwrite && !past.Ended:
			return nil, fmt.Errorf("%w: the run in %s has not ended: --resume goes on with it; remove the file to begin anew", ErrLog, path)
		case mode == Overwrite:
			l.size, past = 0, nil
		}
	}
	if err := l.file.Truncate(l.size); err != nil {
		return nil, fmt.Errorf("%w: can't write the log: %w", ErrLog, err)
	}
	if past == nil {
		_ = l.file.Chmod(0o600) // of somebody else's file that is not ours to say
	}
	return past, nil
}

// Write adds a line. After an error, nothing of it is in the log.
func (l *Log) Write(line any) error {
	raw, err := json.Marshal(line)
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.file.Write(raw)
	switch {
	case err == nil:
		l.size += int64(len(raw))
	case l.regular && n > 0:
		err = errors.Join(err, l.file.Truncate(l.size))
	}
	return err
}

// Sync puts what was written onto the disk.
func (l *Log) Sync() error {
	if !l.regular { // as pipes and /dev/null
		return nil
	}
	return l.file.Sync()
}

// Close closes the log.
func (l *Log) Close() error { return errors.Join(l.Sync(), l.file.Close()) }

// Files calls each for every file with the result of an item that a log knows of, in
// the order in which they were written; ok is whether that went well. A file that is not there, or no regular one,
// has none. Errors are ErrLog.
func Files(path string, each func(id string, n int, file string, ok bool)) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil // a pipe would be read in vain; whoever writes to the log tells what is wrong with it
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLog, err)
	}
	defer func() { _ = file.Close() }()
	_, err = eachLine(file, path, func(line []byte) error {
		var e Entry
		if !bytes.Contains(line, []byte(`"file":`)) {
			return nil // most logs have none, and need not be read twice in full
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if e.Type == "item" && e.File != "" {
			each(e.ID, e.N, e.File, e.OK)
		}
		return nil
	})
	return err
}

// start returns a reader of a file from its beginning, wherever it is written.
func start(file *os.File, size int64) io.Reader { return io.NewSectionReader(file, 0, size) }
