// Package output passes on the output of jobs: to standard output, each job at once or their lines in turn, or to
// files.
package output

import (
	"bufio"
	"errors"
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

// Config says where results go.
type Config struct {
	Tag     string // a template, put before every line; "" is none
	Results string // a directory, or a template of the names of files; "" is standard output
	Drop    bool   // nothing is passed on
	InOrder bool   // lines of running jobs are passed on in the order of the jobs
}

// Output passes on the output of jobs, one job after the other.
type Output struct {
	term   *ui.Terminal
	tag    *template.Template
	names  *Names // nil writes to standard output
	turns  *turns // nil if lines of several jobs may mix
	drop   bool
	buffer []byte
}

// New returns an output, and creates the directory of cfg.Results. The error is one of usage.
func New(term *ui.Terminal, cfg Config, scope template.Scope) (*Output, error) {
	o := &Output{term: term, drop: cfg.Drop}
	if cfg.Tag != "" {
		t, err := template.Parse(strings.ReplaceAll(cfg.Tag, `\t`, "\t"), scope)
		if err != nil {
			return nil, exit.Usage(err)
		}
		o.tag = &t
	}
	if cfg.Results != "" {
		names, err := newNames(term, cfg.Results, scope)
		if err != nil {
			return nil, err
		}
		o.names = names
	}
	if cfg.InOrder {
		o.turns = newTurns(o)
	}
	return o, nil
}

// Close drops the kept lines of jobs that did not end.
func (o *Output) Close() {
	if o.turns != nil {
		o.turns.close()
	}
}

// Names returns the names of files that results are written to, nil if they go elsewhere.
func (o *Output) Names() *Names { return o.names }

// Over passes on the output of a job that has ended. It is called for one job at a time.
func (o *Output) Over(j *jobs.Job) error {
	err := o.emit(j)
	if o.turns != nil {
		err = errors.Join(err, o.turns.over(j.Place))
	}
	return err
}

// Lines returns a function that passes on the lines that a job writes while it runs, in a slot. It may be called
// by two goroutines, for standard output and standard error.
func (o *Output) Lines(j *jobs.Job, slot int) (func(line []byte, stderr bool) error, error) {
	tag := ""
	if o.tag != nil {
		var err error
		if tag, err = o.tag.Expand(j.First(), slot, nil); err != nil {
			return nil, err
		}
	}
	pass := o.line
	if o.turns != nil {
		pass = o.turns.of(j.Place).line
	}
	return func(line []byte, stderr bool) error { return pass(tag, line, stderr) }, nil
}

// emit writes the job's output.
func (o *Output) emit(j *jobs.Job) error {
	if o.drop {
		return nil
	}
	tag := ""
	if o.tag != nil {
		var err error
		if tag, err = o.tag.Expand(j.First(), 0, nil); err != nil {
			return err
		}
	}
	if o.names != nil {
		return o.toFiles(j)
	}
	if j.Out.Size() > 0 {
		err := o.term.Result(func(w *os.File) error { return o.write(w, &j.Out, tag) })
		if err != nil {
			return err
		}
	}
	if j.Outcome.Err.Size() > 0 {
		return o.term.Aside(func(w *os.File) error { return o.write(w, &j.Outcome.Err, tag) })
	}
	return nil
}

func (o *Output) write(w *os.File, c *process.Capture, tag string) error {
	if tag == "" {
		return c.SendTo(w)
	}
	if o.buffer == nil {
		o.buffer = make([]byte, 0, 2*tagBlock)
	}
	return tagged(w, c.Reader(), tag, o.buffer)
}

// tagBlock is how many bytes are tagged at a time.
const tagBlock = 256 << 10

// tagged copies lines, each after a tag, without looking at single bytes. out is an empty buffer.
func tagged(w io.Writer, r io.Reader, tag string, out []byte) error {
	in := bufio.NewReaderSize(r, tagBlock)
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

// File returns the name of the file that a job's output was written to, "" if there
// is none.
func (o *Output) File(j *jobs.Job) string {
	if o.drop || o.names == nil {
		return ""
	}
	name, err := o.names.of(j.First())
	if err != nil {
		return ""
	}
	return name
}

// toFiles writes a job's output to its own file, and its standard error, if any, to a file beside it; otherwise no
// file stays there.
func (o *Output) toFiles(j *jobs.Job) error {
	name, err := o.names.of(j.First())
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

// removeOld removes the standard error of an earlier attempt: beside a success, it would look like a failure.
func removeOld(name string) error {
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // there is none
	}
	return os.Remove(name)
}

// line passes on a line of a running command.
func (o *Output) line(tag string, line []byte, stderr bool) error {
	return o.term.Text(o.tagged(tag, line), stderr)
}

// tagged returns the line with its tag, if there are tags.
func (o *Output) tagged(tag string, line []byte) []byte {
	if o.tag == nil {
		return line
	}
	return append([]byte(tag), line...)
}
