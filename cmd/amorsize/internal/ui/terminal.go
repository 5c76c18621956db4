// Package ui shows the plan, the progress and the summary to a person.
package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/amorsize/amorsize/progress"
)

// Terminal writes results to standard output and everything else to standard error, and keeps a progress line
// below both. It is safe for concurrent use.
type Terminal struct {
	mu     sync.Mutex
	out    *os.File
	err    *os.File
	errTTY bool
	outTTY bool
	color  bool
	line   string // of progress, as displayed
	begun  bool   // the results on the terminal end within a line
}

// Color says when to use colors.
type Color string

// The choices.
const (
	ColorAuto   Color = "auto" // on a terminal, unless NO_COLOR is set (no-color.org)
	ColorAlways Color = "always"
	ColorNever  Color = "never"
)

// NewTerminal returns a terminal for these files.
func NewTerminal(out, err *os.File, color Color) *Terminal {
	t := &Terminal{out: out, err: err}
	t.outTTY, t.errTTY = term.IsTerminal(int(out.Fd())), term.IsTerminal(int(err.Fd()))
	t.color = color == ColorAlways ||
		color != ColorNever && t.errTTY && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return t
}

// Interactive reports whether progress is shown on a terminal.
func (t *Terminal) Interactive() bool { return t.errTTY && os.Getenv("TERM") != "dumb" }

// Width returns the columns of the terminal, 80 if there is none.
func (t *Terminal) Width() int {
	if width, _, err := term.GetSize(int(t.err.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// Say writes lines to standard error, above the progress. On a terminal they are broken between
// words.
func (t *Terminal) Say(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.line
	t.erase()
	if t.errTTY {
		text = progress.Wrap(text, t.Width())
	}
	_, _ = io.WriteString(t.err, strings.TrimSuffix(text, "\n")+"\n")
	t.draw(line)
}

// Sayf is Say with a format.
func (t *Terminal) Sayf(format string, args ...any) { t.Say(fmt.Sprintf(format, args...)) }

// Progress replaces the progress line; "" removes it.
func (t *Terminal) Progress(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if line == t.line {
		return
	}
	t.erase()
	t.draw(line)
}

func (t *Terminal) erase() {
	if t.line != "" {
		_, _ = io.WriteString(t.err, "\r\x1b[K")
		t.line = ""
	}
}

// draw writes the progress line, unless results have begun a line of their own.
func (t *Terminal) draw(line string) {
	if line == "" || t.begun {
		return
	}
	_, _ = io.WriteString(t.err, progress.Fit(line, t.Width()-1))
	t.line = line
}

// Result calls write to write results to standard output.
func (t *Terminal) Result(write func(*os.File) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.line
	if t.outTTY {
		t.erase()
	}
	err := write(t.out)
	if t.outTTY {
		t.draw(line)
	}
	return err
}

// Text writes a result that is a text, to standard output or to standard error.
func (t *Terminal) Text(text []byte, stderr bool) error {
	if len(text) == 0 {
		return nil
	}
	if !stderr {
		return t.Result(func(w *os.File) error {
			_, err := w.Write(text)
			t.begun = t.outTTY && !bytes.HasSuffix(text, []byte("\n"))
			return err
		})
	}
	return t.Aside(func(w *os.File) error {
		_, err := w.Write(text)
		return err
	})
}

// Aside calls write to write to standard error, beside the results.
func (t *Terminal) Aside(write func(*os.File) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.line
	t.erase()
	err := write(t.err)
	t.draw(line)
	return err
}

// Style is how a text is highlighted.
type Style string

// The styles.
const (
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Paint returns the text in a style, if there are colors.
func (t *Terminal) Paint(style Style, text string) string {
	if !t.color {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// ErrPipe reports whether the reader of the output has closed its end.
func ErrPipe(err error) bool { return errors.Is(err, brokenPipe) }

// AsideWriter returns a writer to standard error, above the progress.
func (t *Terminal) AsideWriter() io.Writer { return asideWriter{t} }

type asideWriter struct{ t *Terminal }

// Write writes p.
func (a asideWriter) Write(p []byte) (n int, err error) {
	err = a.t.Aside(func(w *os.File) error {
		n, err = w.Write(p)
		return err
	})
	return n, err
}
