package run

import (
	"encoding/json"
	"errors"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// Summary says where the summary goes, in addition to the terminal, the log and the history.
type Summary struct {
	JSON     bool   // to standard output
	File     string // "" is none
	ExitZero bool   // failed items do not fail the command
}

// finish reports the outcome of the run, and returns how the command ends.
func (s *Session) finish(result jobs.Result) error {
	sum := s.summarize(result)
	lost := s.log.end(sum)
	if !s.cfg.Show.Quiet && !errors.Is(result.Err, jobs.ErrPipe) {
		s.env.Terminal.Say(s.env.Terminal.Summary(sum, again(sum)))
	}
	if err := s.export(sum); err != nil {
		return err
	}
	s.env.Keep(s.cfg.Name, secrets.Hide(s.display.what), sum)
	switch {
	case lost != nil && sum.Exit <= exit.Failed:
		return exit.Usagef("%w", lost)
	case sum.Exit == exit.BadUsage:
		return exit.Usage(result.Err)
	case sum.Exit != exit.OK:
		return exit.With(sum.Exit, nil)
	}
	return nil
}

func (s *Session) summarize(result jobs.Result) summary.Summary {
	sum := s.collector.Summary(s.cfg.Name, result, s.skipped)
	switch total := s.env.Input.Total(); {
	case total >= 0:
		sum.Total = total
	case sum.Total >= 0:
		sum.Total += s.skipped
	}
	sum.Exit = exit.OfRun(result.Err, sum.Failed)
	if s.cfg.Summary.ExitZero && sum.Exit == exit.Failed {
		sum.Exit = exit.OK
	}
	sum.Log = s.cfg.Log.Path
	if r, ok := s.runner.(Metered); ok {
		sum.Usage = r.Usage()
	}
	return sum
}

// export writes the summary as JSON where requested.
func (s *Session) export(sum summary.Summary) error {
	sum.Timeline, sum.Histogram = nil, nil
	raw, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	if file := s.cfg.Summary.File; file != "" {
		if err := outfile.Write(file, outfile.Bytes(raw)); err != nil {
			return exit.Usagef("--summary: %w", err)
		}
	}
	if s.cfg.Summary.JSON {
		return s.env.Terminal.Text(raw, false)
	}
	return nil
}

// Keep keeps the measurement in the history. If that fails, it says so, but the command does not fail.
func (e *Environment) Keep(cmd, what string, data any) {
	if err := history.Save(cmd, what, data); err != nil {
		e.Terminal.Say("amorsize: not saved in the history: " + err.Error())
	}
}

// again returns how to run failed or remaining items again, "" if there are none.
func again(sum summary.Summary) string {
	switch {
	case sum.Failed == 0 && sum.Stopped == "":
		return ""
	case sum.Log == "" && sum.Stopped != "":
		return "next time add --log run.jsonl: then the same command with --resume runs the remaining items"
	case sum.Log == "":
		return "next time add --log run.jsonl: then amorsize retry run.jsonl runs what failed"
	case sum.Stopped != "":
		return "the same command with --resume runs the remaining items"
	}
	return "amorsize retry " + ui.Shell(sum.Log)
}
