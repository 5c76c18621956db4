package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/amorsize/amorsize"
)

// How often a plain line is written if the output is no terminal, at first and in a long run.
const (
	plainInterval = 10 * time.Second
	longInterval  = 30 * time.Second
	longRun       = time.Minute
)

// Bars shows runs on one terminal, a line each, in the order in which they began. It is safe for
// concurrent use, and has no goroutine: it draws when a run reports progress. Write other output
// to the terminal through [Bars.Write].
type Bars struct {
	w     io.Writer
	watch bool // the output is a terminal
	color bool
	size  func() int

	mu    sync.Mutex
	lines []*shownRun
	drawn int // lines on the terminal now
}

// shownRun is a run that is shown.
type shownRun struct {
	name string
	text string
	next time.Duration // when a plain line is due
}

// New returns a display on w: a terminal, if w is an [os.File] that is one, or plain lines.
func New(w io.Writer) *Bars {
	b := &Bars{w: w, size: func() int { return 80 }}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		b.watch, b.color = true, os.Getenv("NO_COLOR") == ""
		b.size = func() int {
			if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
				return columns
			}
			return 80
		}
	}
	return b
}

// Bar returns a function for amorsize.WithProgress, which shows one run on w.
func Bar(w io.Writer) func(amorsize.Progress) { return New(w).Bar("") }

// Bar returns a function for amorsize.WithProgress, which shows one run under a name.
func (b *Bars) Bar(name string) func(amorsize.Progress) {
	r := &shownRun{name: name, next: plainInterval}
	begun := false
	return func(p amorsize.Progress) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !begun {
			begun = true
			b.lines = append(b.lines, r)
		}
		b.show(r, p, time.Now())
	}
}

// Write writes a text above the lines, so that they stay whole. It should end with a newline.
func (b *Bars) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	n, err := b.w.Write(text)
	b.draw()
	return n, err
}

// show shows a run as it is now. mu is held.
func (b *Bars) show(r *shownRun, p amorsize.Progress, now time.Time) {
	l := Of(p)
	l.Name = r.name
	switch {
	case p.Over:
		b.end(r, p)
	case b.watch:
		r.text = b.paint(Fit(l.Text(b.size(), now), b.size()-1), p)
		b.erase()
		b.draw()
	case p.Elapsed >= r.next:
		l.Bar = false
		_, _ = io.WriteString(b.w, strings.TrimSpace(l.Text(80, now))+"\n")
		if r.next += plainInterval; p.Elapsed > longRun {
			r.next = p.Elapsed + longInterval
		}
	}
}

// end writes the final line of a run, which stays. mu is held.
func (b *Bars) end(r *shownRun, p amorsize.Progress) {
	b.erase()
	for i, other := range b.lines {
		if other == r {
			b.lines = append(b.lines[:i], b.lines[i+1:]...)
			break
		}
	}
	text := Plural(p.Completed, "item")
	if p.Total > p.Completed {
		text = Count(p.Completed) + " of " + Plural(p.Total, "item")
	}
	if r.name != "" {
		text = printable(r.name) + ": " + text
	}
	text += " in " + round(p.Elapsed).String()
	if p.Rate > 0 {
		text += ", " + PerSecond(p.Rate)
	}
	if p.Failed > 0 {
		text += ", " + b.red(fmt.Sprintf("%d failed", p.Failed))
	}
	if p.Calls != nil && p.Calls.Retried > 0 {
		text += fmt.Sprintf(", %d retried", p.Calls.Retried)
	}
	_, _ = io.WriteString(b.w, text+"\n")
	b.draw()
}

// erase removes the lines. mu is held.
func (b *Bars) erase() {
	if b.drawn == 0 {
		return
	}
	_, _ = io.WriteString(b.w, "\r\x1b[K"+strings.Repeat("\x1b[A\x1b[K", b.drawn-1))
	b.drawn = 0
}

// draw draws the lines, without a newline after the last. mu is held.
func (b *Bars) draw() {
	if !b.watch || len(b.lines) == 0 {
		return
	}
	texts := make([]string, 0, len(b.lines))
	for _, r := range b.lines {
		texts = append(texts, r.text)
	}
	_, _ = io.WriteString(b.w, strings.Join(texts, "\n"))
	b.drawn = len(texts)
}

// paint highlights failures.
func (b *Bars) paint(line string, p amorsize.Progress) string {
	if p.Failed == 0 {
		return line
	}
	failed := fmt.Sprintf("%d failed", p.Failed)
	return strings.Replace(line, failed, b.red(failed), 1)
}

func (b *Bars) red(text string) string {
	if !b.color {
		return text
	}
	return "\x1b[31m" + text + "\x1b[0m"
}

// round keeps three digits.
func round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for limit := time.Duration(1000); d >= limit && limit > 0; limit *= 10 {
		unit *= 10
	}
	return d.Round(unit)
}
