package cli

import (
	"encoding/json"
	"errors"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// finish tells what came of the run.
func (s *session) finish(result jobs.Result) error {
	sum := s.collect.Summary(s.name, result, s.skipped)
	switch {
	case s.input.Total() >= 0:
		sum.Total = s.input.Total()
	case sum.Total >= 0:
		sum.Total += s.skipped
	}
	sum.Exit = exit.OfRun(result.Err, sum.Failed)
	if s.flags.output.exitZero && sum.Exit == exit.Failed {
		sum.Exit = exit.OK
	}
	sum.Log = s.flags.output.log
	var failure error
	if s.log != nil {
		failure = s.endLog(sum)
	}
	if !s.flags.output.quiet && !errors.Is(result.Err, jobs.ErrPipe) {
		s.term.Say(s.term.Summary(sum, s.again(sum)))
	}
	if err := s.export(sum); err != nil {
		return err
	}
	if err := keepHistory(s, s.name, secrets.Hide(s.what), sum); err != nil {
		return err
	}
	switch {
	case failure != nil && sum.Exit <= exit.Failed:
		return exit.Usagef("%w", failure)
	case sum.Exit == exit.BadUsage:
		return exit.Usage(result.Err)
	case sum.Exit != exit.OK:
		return exit.With(sum.Exit, nil)
	}
	return nil
}

func (s *session) endLog(sum summary.Summary) error {
	raw, err := json.Marshal(sum)
	if err == nil {
		err = s.log.Write(joblog.End{Type: "end", Summary: raw})
	}
	return errors.Join(err, s.log.Close())
}

// export writes the summary as JSON where it was asked for.
func (s *session) export(sum summary.Summary) error {
	sum.Timeline, sum.Histogram = nil, nil
	raw, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	if file := s.flags.output.summary; file != "" {
		if err := outfile.Write(file, outfile.Bytes(raw)); err != nil {
			return exit.Usagef("--summary: %w", err)
		}
	}
	if s.flags.output.json {
		return s.term.Text(raw, false)
	}
	return nil
}

// again returns how to run again what failed or was left.
func (s *session) again(sum summary.Summary) string {
	switch {
	case sum.Failed == 0 && sum.Stopped == "":
		return ""
	case sum.Log == "":
		return "add --log run.jsonl, then amorsize retry run.jsonl runs what failed"
	case sum.Stopped != "":
		return "the same command with --resume goes on with what is left"
	}
	return "amorsize retry " + ui.Shell(sum.Log)
}
