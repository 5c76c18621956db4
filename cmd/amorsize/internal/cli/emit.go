package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// emitter passes on what jobs wrote, one job after the other.
type emitter struct {
	term    *ui.Terminal
	tag     *template.Template
	results *resultNames // nil writes to standard output
	drop    bool
	buffer  []byte
}

func newEmitter(term *ui.Terminal, o outputFlags, scope template.Scope, drop bool) (*emitter, error) {
	e := &emitter{term: term, drop: drop}
	if o.tag != "" {
		t, err := template.Parse(strings.ReplaceAll(o.tag, `\t`, "\t"), scope)
		if err != nil {
			return nil, exit.Usage(err)
		}
		e.tag = &t
	}
	if o.results != "" {
		names, err := newResultNames(term, o.results, scope)
		if err != nil {
			return nil, err
		}
		e.results = names
	}
	return e, nil
}

// over passes on a job that is over. Once the log can't be written, nothing is.
func (s *session) over(j *jobs.Job) {
	defer j.Release()
	if s.logLost.Load() {
		return // the log would not tell that it is over: its result would come twice
	}
	err := s.emitter.emit(j)
	if s.turns != nil {
		err = errors.Join(err, s.turns.over(j.Place))
	}
	if err != nil {
		s.outputFailed(err)
		return // what has no result is not over: it is run again
	}
	if s.log != nil {
		if err := s.record("item", j, j.Err); err != nil {
			s.control.Stop(errors.Join(jobs.ErrLog, err))
		}
	}
	s.collect.Over(j)
}

func (s *session) outputFailed(err error) {
	if ui.ErrPipe(err) {
		s.control.Stop(jobs.ErrPipe)
		s.groups.Raise(process.Asked)
		return
	}
	s.control.Stop(fmt.Errorf("%w: %w", jobs.ErrOutput, err))
}

// emit writes what the job wrote.
func (e *emitter) emit(j *jobs.Job) error {
	if e.drop {
		return nil
	}
	tag := ""
	if e.tag != nil {
		var err error
		if tag, err = e.tag.Expand(j.First(), 0, nil); err != nil {
			return err
		}
	}
	if e.results != nil {
		return e.toFiles(j)
	}
	if j.Out.Size() > 0 {
		err := e.term.Result(func(w *os.File) error { return e.write(w, &j.Out, tag) })
		if err != nil {
			return err
		}
	}
	if j.Outcome.Err.Size() > 0 {
		return e.term.Aside(func(w *os.File) error { return e.write(w, &j.Outcome.Err, tag) })
	}
	return nil
}

func (e *emitter) write(w *os.File, c *process.Capture, tag string) error {
	if tag == "" {
		return c.SendTo(w)
	}
	if e.buffer == nil {
		e.buffer = make([]byte, 0, 2*tagBlock)
	}
	return tagged(w, c.Reader(), tag, e.buffer)
}

// tagBlock is how much is tagged at a time.
const tagBlock = 256 << 10

// tagged copies lines, each behind a tag, without looking at single bytes.
func tagged(w io.Writer, r io.Reader, tag string, out []byte) error {
	in := bufio.NewReaderSize(r, tagBlock)
	out = out[:0]
	start := true // of a line
	for {
		piece, err := in.ReadSlice('\n')
		if len(piece) > 0 {
			if start {
				out = append(out, tag...)
			}
			out = append(out, piece...)
			start = piece[len(piece)-1] == '\n'
		}
		end := err != nil && !errors.Is(err, bufio.ErrBufferFull)
		if len(out) >= tagBlock || end {
			if _, err := w.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		if end {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// file returns the name of the file that a job's output was written to, "" if there
// is none.
func (e *emitter) file(j *jobs.Job) string {
	if e.drop || e.results == nil {
		return ""
	}
	name, err := e.results.of(j.First())
	if err != nil {
		return ""
	}
	return name
}

// toFiles writes a job's output to a file of its own, and what it wrote to
// standard error beside it, if anything; else nothing stays there.
func (e *emitter) toFiles(j *jobs.Job) error {
	name, err := e.results.of(j.First())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := outfile.Write(name, j.Out.SendTo); err != nil {
		return err
	}
	if j.Outcome.Err.Size() == 0 {
		return removeOld(beside(name))
	}
	return outfile.Write(beside(name), j.Outcome.Err.SendTo)
}

// removeOld removes what an earlier attempt wrote to standard error: beside a
// success, it would tell of a failure.
func removeOld(name string) error {
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // there is none
	}
	return os.Remove(name)
}

// line passes on a line that a command is writing.
func (e *emitter) line(tag string, line []byte, stderr bool) error {
	return e.term.Text(e.tagged(tag, line), stderr)
}

// tagged returns the line with its tag, if there are tags.
func (e *emitter) tagged(tag string, line []byte) []byte {
	if e.tag == nil {
		return line
	}
	return append([]byte(tag), line...)
}
