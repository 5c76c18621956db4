package process

import (
	"bufio"
	"errors"
	"os"
	"sync"
	"time"
)

// streams are the standard files of one command.
type streams struct {
	s            *Spawner
	line         func(line []byte, stderr bool)
	began        time.Time
	in, out, err *os.File
	fed          bool
	ours         []*os.File // ends of pipes that the command has now, too
	lines        []*os.File // the other ends
	readers      sync.WaitGroup
}

// open opens the files that a command writes to, and what it reads.
func (s *Spawner) open(c Command) (*streams, error) {
	st := &streams{s: s, line: c.Line, in: s.null, began: time.Now()}
	if c.Feed {
		in, err := s.feed(c.Stdin)
		if err != nil {
			return nil, err
		}
		st.in, st.fed = in, true
	}
	err := st.outputs()
	if err != nil {
		st.abandon()
	}
	return st, err
}

func (st *streams) outputs() (err error) {
	switch st.s.cfg.Mode {
	case Live:
		st.out, st.err = os.Stdout, os.Stderr
	case None:
		st.out, st.err = st.s.null, st.s.null
	case Line:
		if st.out, err = st.pipe(false); err == nil && !st.s.cfg.Merge {
			st.err, err = st.pipe(true)
		}
	default:
		if st.out, err = st.s.files.get(); err == nil && !st.s.cfg.Merge {
			st.err, err = st.s.files.get()
		}
	}
	if st.s.cfg.Merge {
		st.err = st.out
	}
	return err
}

func (st *streams) files() []*os.File { return []*os.File{st.in, st.out, st.err} }

// pipe returns the write end of a pipe whose lines are passed on.
func (st *streams) pipe(stderr bool) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	st.ours, st.lines = append(st.ours, write), append(st.lines, read)
	st.readers.Go(func() { st.pass(read, stderr) })
	return write, nil
}

// pass passes lines on, the last one also without an end. An exceeded deadline means that the command has ended:
// lines that are already there are still read, and what an orphan writes for a while.
func (st *streams) pass(read *os.File, stderr bool) {
	lines := bufio.NewReaderSize(read, 64<<10)
	var line []byte
	quiet := 0
	for {
		piece, err := lines.ReadBytes('\n')
		if line = append(line, piece...); len(piece) > 0 {
			quiet = 0
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && quiet < 2 {
			quiet++
			_ = read.SetReadDeadline(time.Now().Add(orphan / 2))
			continue
		}
		if len(line) > 0 {
			st.line(line, stderr)
			line = line[:0]
		}
		if err != nil {
			return
		}
	}
}

// started closes what only the command needs.
func (st *streams) started() {
	for _, f := range st.ours {
		_ = f.Close()
	}
}

// abandon releases everything: there is no command.
func (st *streams) abandon() {
	st.started()
	st.drain()
	if st.fed {
		st.s.files.put(st.in, false)
	}
	if st.s.cfg.Mode == Group {
		if st.out != nil {
			st.s.files.put(st.out, false)
		}
		if st.err != nil && st.err != st.out {
			st.s.files.put(st.err, false)
		}
	}
}

// orphan is how long the pipes must be silent until processes are given up that the command has left behind and
// that may still write.
const orphan = 200 * time.Millisecond

// drain reads the rest in the pipes.
func (st *streams) drain() {
	for _, f := range st.lines {
		_ = f.SetReadDeadline(time.Now().Add(orphan))
	}
	st.readers.Wait()
	for _, f := range st.lines {
		_ = f.Close()
	}
}

// finish takes the output. shared says that other processes may still write.
func (st *streams) finish(o *Outcome, shared bool) error {
	st.drain()
	if st.fed {
		st.s.files.put(st.in, shared)
	}
	if st.s.cfg.Mode != Group {
		return nil
	}
	var err, err2 error
	o.Out, err = st.s.files.capture(st.out, shared)
	if st.err != st.out {
		o.Err, err2 = st.s.files.capture(st.err, shared)
	}
	return errors.Join(err, err2, st.s.files.roomSince(st.began))
}
