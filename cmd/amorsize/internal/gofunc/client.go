package gofunc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// record is a line of the harness's output.
type record struct {
	Type    string            `json:"type"`
	ID      int64             `json:"id"`
	N       int               `json:"n"`
	Items   int               `json:"items"`
	Wall    int64             `json:"wall_ns"`
	CPU     int64             `json:"cpu_ns"`
	Bytes   float64           `json:"bytes"`
	Allocs  float64           `json:"allocs"`
	Max     int64             `json:"max_ns"`
	P95     int64             `json:"p95_ns"`
	Failed  int               `json:"failed"`
	Err     string            `json:"err"`
	Panic   bool              `json:"panic"`
	Frame   string            `json:"frame"`
	Results []json.RawMessage `json:"results"`
}

func (r *record) failure() error {
	if r.Err == "" {
		return nil
	}
	return &CallError{Text: r.Err, Panic: r.Panic, Frame: r.Frame}
}

// CallError is the error that the function returned, or its panic.
type CallError struct {
	Text  string
	Panic bool
	Frame string // the first place of the user's below a panic
}

func (e *CallError) Error() string {
	if e.Frame != "" {
		return e.Text + " at " + e.Frame
	}
	return e.Text
}

// tail keeps the end of the function's standard error.
type tail struct {
	mu   sync.Mutex
	text []byte
	also io.Writer
}

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text = append(t.text, p...); len(t.text) > 2*tailSize {
		t.text = append([]byte(nil), t.text[len(t.text)-tailSize:]...)
	}
	if t.also != nil {
		_, _ = t.also.Write(p)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// program is a running harness.
type program struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	outFile *os.File
	errs    tail
	ended   func()
}

// start starts the harness. What the function prints goes to also, if that is not nil.
func (b *Binary) start(ctx context.Context, also io.Writer, dir string, env ...string) (*program, error) {
	p := &program{cmd: exec.CommandContext(ctx, b.Path)}
	isolate(p.cmd)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.WaitDelay = time.Second
	p.errs.also = also
	p.cmd.Stderr = &p.errs
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = write.Close() }()
	if runtime.GOOS == "windows" { // passes on no other files
		p.cmd.Stdout = write
	} else {
		p.cmd.ExtraFiles = []*os.File{write}
		if also != nil {
			p.cmd.Stdout = &p.errs
		}
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		_ = read.Close()
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		_ = read.Close()
		return nil, err
	}
	p.outFile, p.out, p.ended = read, bufio.NewReaderSize(read, 64<<10), func() {}
	if b.Started != nil {
		p.ended = b.Started(p.cmd.Process.Pid)
	}
	return p, nil
}

// next returns the next record, io.EOF after the last.
func (p *program) next() (*record, error) {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return nil, io.EOF
	}
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("the harness wrote %.100q: %w", line, err)
	}
	return &r, nil
}

// read passes each record to take, up to the last; ended says that the harness came to its end. A read failure, or
// an invalid item, ends the program.
func (p *program) read(take func(*record)) (ended bool, err error) {
	for {
		r, err := p.next()
		if errors.Is(err, io.EOF) {
			return ended, nil
		}
		if err != nil {
			_ = p.end()
			return false, err
		}
		take(r)
		switch r.Type {
		case "bad":
			_ = p.end()
			return false, refuse("item %d: %s", r.N, r.Err)
		case "end":
			ended = true
		}
	}
}

// end waits for the end of the program.
func (p *program) end() error {
	_, _ = p.in.Close(), p.outFile.Close()
	defer p.ended()
	return p.cmd.Wait()
}

// died explains an end in the middle of item n.
func (p *program) died(n, of int, err error) error {
	how := "exit 0"
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		how = "exit " + strconv.Itoa(exit.ExitCode())
		if exit.ExitCode() < 0 {
			how = exit.String()
		}
	} else if err != nil {
		how = err.Error()
	}
	text := strings.TrimSpace(p.errs.String())
	if at := strings.Index(text, "\ngoroutine "); at > 0 {
		text = text[:at]
	}
	lines := strings.Split(text, "\n")
	text = strings.Join(lines[max(0, len(lines)-5):], "\n")
	if text != "" {
		text = ": " + text
	}
	if of > 1 {
		return refuse("one of the items %d to %d ended the process (%s)%s", n, n+of-1, how, text)
	}
	return refuse("item %d ended the process (%s)%s", n, how, text)
}

func writeLines(w io.WriteCloser, lines [][]byte) {
	b := bufio.NewWriterSize(w, 64<<10)
	for _, line := range lines {
		if _, err := b.Write(append(bytes.ReplaceAll(line, []byte("\n"), []byte(" ")), '\n')); err != nil {
			break // it has ended: that is reported elsewhere
		}
	}
	_ = b.Flush()
	_ = w.Close()
}
