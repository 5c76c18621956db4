package run

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// Show says what to show to a person.
type Show struct {
	Quiet    bool // no plan, no progress, no summary
	Verbose  bool // every failed attempt
	Explain  bool // what each limit allows
	Progress Progress
	Live     string // the address of a web page that shows the run, empty for none
}

// Progress says how progress is shown.
type Progress string

// The ways to show progress.
const (
	ProgressAuto Progress = "auto" // a line on a terminal, else a log line at times
	ProgressLine Progress = "tty"
	ProgressLog  Progress = "log"
	ProgressJSON Progress = "json"
	ProgressNone Progress = "none"
)

// display is the observer that informs a person.
type display struct {
	show  Show
	what  string // a job is
	term  *ui.Terminal
	state *jobs.State
	set   *policies.Set
	total int // items; -1 if it is not known
	note  note
}

// Planned shows the plan, unless something else has been shown of the run since.
func (d *display) Planned(p jobs.Plan) {
	if p.Fixed && p.Binding == "files" {
		d.term.Say("amorsize: " + p.Why())
	}
	if d.show.Quiet || d.note.get() != "" {
		return
	}
	if p.Cost.Jobs == 0 && !p.Fixed && p.Reason == "" {
		return // nothing was run, so there is nothing to tell
	}
	d.term.Say(d.term.Plan(summary.Brief(secrets.Hide(d.what), 100), d.total, p, d.rate()))
	if d.show.Explain {
		d.term.Say(d.term.Explain(p))
	}
}

func (d *display) rate() string {
	switch {
	case d.set.Adapts():
		return "the rate is measured"
	case d.set.Limiter != nil:
		return fmt.Sprintf("%.4g/s", d.set.Limiter.Rate())
	case d.set.ByKey != nil && d.set.ByKey.Limiters != nil:
		return "one rate per key"
	}
	return "no rate given"
}

// Tried shows a failed attempt.
func (d *display) Tried(j *jobs.Job, err error) error {
	if err != nil && d.show.Verbose {
		d.term.Sayf("  #%d %q try %d: %s", j.First().N, summary.Brief(secrets.Hide(j.First().Text), 60), j.Tries,
			summary.Brief(secrets.Hide(err.Error()), 300))
	}
	return nil
}

// Over shows nothing: the progress line counts jobs.
func (d *display) Over(*jobs.Job) error { return nil }

// say shows a note, also in the progress line.
func (d *display) say(text string) {
	d.note.set(text)
	d.term.Say("amorsize: " + text)
}

// note replaces the usual progress line.
type note struct {
	mu   sync.Mutex
	text string
}

func (n *note) set(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text = text
}

func (n *note) get() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text
}

// mode returns how progress is shown here.
func (d *display) mode() Progress {
	switch {
	case d.show.Progress != ProgressAuto:
		return d.show.Progress
	case d.show.Quiet:
		return ProgressNone
	case d.term.Interactive():
		return ProgressLine
	}
	return ProgressLog
}

// Progress is shown at these intervals, at first, and later, when a run takes long.
const (
	tick         = 100 * time.Millisecond
	logInterval  = 10 * time.Second
	longInterval = 30 * time.Second
	longRun      = time.Minute
)

// showProgress updates a progress line, or writes one at times, until stop is called. ticked is called as well,
// also at the end.
func (d *display) showProgress(ticked func(time.Time)) (stop func()) {
	mode := d.mode()
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		next := logInterval
		for {
			select {
			case <-quit:
				d.term.Progress("")
				return
			case now := <-ticker.C:
				ticked(now)
				next = d.progress(mode, now, next)
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		ticked(time.Now())
	}
}

// progress shows the progress of the run, and returns when, since its beginning, it is logged next.
func (d *display) progress(mode Progress, now time.Time, next time.Duration) time.Duration {
	view := ui.View{State: d.state, Set: d.set, Width: d.term.Width(), Note: d.note.get(), Bar: mode == ProgressLine}
	elapsed := now.Sub(d.state.Began)
	switch {
	case mode == ProgressLine:
		d.term.Progress(view.Line(now))
	case mode == ProgressNone || elapsed < next:
	default:
		if next += logInterval; elapsed > longRun {
			next = elapsed + longInterval
		}
		if mode == ProgressJSON {
			d.term.Say(view.JSON(now))
		} else {
			d.term.Say("amorsize:" + strings.TrimRight(view.Line(now), " "))
		}
	}
	return next
}
