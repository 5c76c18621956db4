package lookback

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/htmlreport"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/profiling"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/journal"
)

// Report returns the content to draw: of the log of a run, if one is named, and of a file with the output of
// amorsize tune --json, if scaling names one. The error is one of usage.
func Report(args []string, scaling string) (*htmlreport.Report, error) {
	r := &htmlreport.Report{Title: "amorsize"}
	if len(args) == 0 && scaling == "" {
		return nil, exit.Usagef("give the log of a run: amorsize report RUN.jsonl")
	}
	if len(args) == 1 {
		if err := addRun(r, args[0]); err != nil {
			return nil, err
		}
	}
	if scaling == "" {
		return r, nil
	}
	return r, addTable(r, scaling)
}

// addTable reads the output of amorsize tune --json.
func addTable(r *htmlreport.Report, path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return exit.Usagef("--tune: %w", err)
	}
	var t profiling.Table
	if err := json.Unmarshal(raw, &t); err != nil || t.Cmd != "tune" || len(t.Rows) == 0 {
		return exit.Usagef("--tune: %s is not the output of amorsize tune --json", path)
	}
	r.Table = &htmlreport.Table{Target: t.Target, Knee: t.Knee, USL: t.USL}
	for _, row := range t.Rows {
		if row.Batch <= 1 {
			r.Table.Rows = append(r.Table.Rows, htmlreport.Row{Workers: row.Workers, Rate: row.Rate})
		}
	}
	if r.Command == "" {
		r.Title, r.Command = "amorsize tune", t.Target
	}
	return nil
}

// commandOf returns the command line of a run.
func commandOf(h journal.Header) string {
	if h.Command == journal.Program {
		return strings.TrimSpace(ui.ShellLine(secrets.Args(h.Args)) + " " + h.Run)
	}
	argv := []string{"amorsize", h.Command}
	for _, flag := range h.Flags {
		argv = append(argv, "--"+flag[0]+"="+secrets.Flag(flag[0], flag[1]))
	}
	if h.Command == "run" && len(h.Args) > 0 {
		argv = append(argv, "--")
	}
	return ui.ShellLine(append(argv, secrets.Args(h.Args)...))
}

// addRun reads the log of a run.
func addRun(r *htmlreport.Report, path string) error {
	content, err := joblog.Read(path)
	if err != nil {
		return exit.Usage(err)
	}
	h := content.Header
	if h.Command == journal.Program {
		return addJournal(r, path)
	}
	r.Title = "amorsize " + h.Command
	r.Command = commandOf(h)
	if content.End != nil {
		r.Summary = new(summary.Summary)
		if err := json.Unmarshal(content.End, r.Summary); err != nil {
			return exit.Usagef("%s: the summary can't be read: %w", path, err)
		}
	} else {
		r.Notes = append(r.Notes, "The run has not ended: there is no summary.")
	}
	if content.Damaged > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Damaged lines skipped: %d.", content.Damaged))
	}
	for _, e := range content.Failed() {
		text, _ := e.Text()
		r.Failed = append(r.Failed, summary.Failure{N: e.N, Item: secrets.Hide(summary.Brief(text, 200)), Why: e.Why, Tries: e.Tries, Err: secrets.Hide(e.Err)})
	}
	return nil
}
