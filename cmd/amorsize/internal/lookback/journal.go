package lookback

import (
	"slices"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/htmlreport"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/journal"
)

// addJournal adds the journal of a program: all its runs together.
func addJournal(r *htmlreport.Report, path string) error {
	j, err := journal.View(path)
	if err != nil {
		return exit.Usage(err)
	}
	defer func() { _ = j.Close() }()
	runs, err := runsOf(path)
	if err != nil {
		return err
	}
	found := j.Found()
	r.Title, r.Command = "amorsize: the journal of a program", commandOf(found.Latest)
	r.Notes = found.Warnings()
	r.Summary = together(runs, found)
	for f, err := range j.Failed() {
		if err != nil {
			return exit.Usage(err)
		}
		why := ""
		if len(f.Types) > 0 {
			why = f.Types[len(f.Types)-1]
		}
		r.Failed = append(r.Failed, summary.Failure{
			N: f.Index + 1, Item: secrets.Hide(summary.Brief(f.Item, 200)), Why: why, Tries: f.Attempts, Err: secrets.Hide(f.Err),
		})
	}
	return nil
}

// together is the summary of all runs of a journal.
func together(runs []*counted, found journal.Found) *summary.Summary {
	s := &summary.Summary{
		Cmd: journal.Program, Started: found.Header.Started, Total: found.Items, OK: found.Items - found.Failed, Failed: found.Failed,
		Host: summary.Host{Name: found.Latest.Host},
	}
	var calls []float64
	ok := 0
	for _, r := range runs {
		s.Wall += r.took
		s.Job.Tries += r.tries
		ok += r.ok
		calls = append(calls, r.calls...)
	}
	if s.Wall > 0 {
		s.PerSecond = float64(ok) / s.Wall
	}
	if slices.Sort(calls); len(calls) > 0 {
		at := func(share float64) float64 { return calls[int(share*float64(len(calls)-1))] }
		s.Job.P50, s.Job.P95, s.Job.P99, s.Job.Max = at(0.5), at(0.95), at(0.99), at(1)
	}
	return s
}
