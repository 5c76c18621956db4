package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

func (s *session) planned(p jobs.Plan) {
	if p.Fixed && p.Binding == "files" {
		s.term.Say("amorsize: " + p.Why())
	}
	if s.flags.output.quiet || s.note.get() != "" {
		return
	}
	s.term.Say(s.term.Plan(summary.Brief(secrets.Hide(s.what), 100), s.input.Total(), p, s.rateText()))
	if s.flags.output.explain {
		s.term.Say(s.term.Explain(p))
	}
}

func (s *session) rateText() string {
	switch {
	case s.set.Adapts():
		return "the rate is to be found"
	case s.set.Limiter != nil:
		return fmt.Sprintf("%.4g/s", s.set.Limiter.Rate())
	}
	return "no rate given"
}

// showProgress keeps a line of progress, or writes one now and then, until it is
// told to stop.
func (s *session) showProgress() (stop func()) {
	mode := s.flags.output.progress
	if mode == "auto" {
		mode = "log"
		if s.term.Interactive() {
			mode = "tty"
		}
	}
	if s.flags.output.quiet && s.flags.output.progress == "auto" {
		mode = "none"
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		next := 10 * time.Second
		for {
			select {
			case <-quit:
				s.term.Progress("")
				return
			case now := <-ticker.C:
				s.collect.Tick(now)
				s.progress(mode, now, &next)
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		s.collect.Tick(time.Now())
	}
}

func (s *session) progress(mode string, now time.Time, next *time.Duration) {
	view := ui.View{State: &s.state, Set: s.set, Width: s.term.Width(), Note: s.note.get(), Bar: mode == "tty"}
	switch mode {
	case "tty":
		s.term.Progress(view.Line(now))
	case "log", "json":
		elapsed := now.Sub(s.state.Began)
		if elapsed < *next {
			return
		}
		if *next += 10 * time.Second; elapsed > time.Minute {
			*next = elapsed + 30*time.Second
		}
		if mode == "json" {
			s.term.Say(view.JSON(now))
			return
		}
		s.term.Say("amorsize:" + strings.TrimRight(view.Line(now), " "))
	}
}
