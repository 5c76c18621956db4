package cli

import (
	"bytes"
	"encoding/json"
	"os"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/htmlreport"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/profiling"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

func newReport() *cobra.Command {
	var out, scaling string
	c := &cobra.Command{
		Use:   "report RUN.jsonl [-o report.html]",
		Short: "Draw a run as one HTML file that needs nothing else",
		Long: `Draw a run, from its log, as one HTML file without scripts and without network: the
plan and why, limit, in flight, goodput and latency over time, a histogram, what
failed and why. With --tune, the scaling curve is that of a table of amorsize tune
--json; such a table can also be drawn alone.`,
		Example: `  amorsize run --log run.jsonl -a urls -- curl -sf {}
  amorsize report run.jsonl -o report.html`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := newReportOf(args, scaling)
			if err != nil {
				return err
			}
			var b bytes.Buffer
			if err := r.Write(&b); err != nil {
				return err
			}
			if out == "-" {
				_, err := os.Stdout.Write(b.Bytes())
				return err
			}
			if err := outfile.Write(out, outfile.Bytes(b.Bytes())); err != nil {
				return exit.Usagef("-o: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "report.html", "the `file` to write; - is standard output")
	c.Flags().StringVar(&scaling, "tune", "", "a `file` with the output of amorsize tune --json")
	return c
}

func newReportOf(args []string, scaling string) (*htmlreport.Report, error) {
	r := &htmlreport.Report{Title: "amorsize"}
	if len(args) == 0 && scaling == "" {
		return nil, exit.Usagef("want the log of a run: amorsize report RUN.jsonl")
	}
	if len(args) == 1 {
		if err := addRun(r, args[0]); err != nil {
			return nil, err
		}
	}
	if scaling == "" {
		return r, nil
	}
	raw, err := os.ReadFile(scaling)
	if err != nil {
		return nil, exit.Usagef("--tune: %w", err)
	}
	var t profiling.Table
	if err := json.Unmarshal(raw, &t); err != nil || t.Cmd != "tune" || len(t.Rows) == 0 {
		return nil, exit.Usagef("--tune: %s is no output of amorsize tune --json", scaling)
	}
	drawn := &htmlreport.Table{Target: t.Target, Knee: t.Knee, USL: t.USL}
	for _, row := range t.Rows {
		if row.Batch <= 1 {
			drawn.Rows = append(drawn.Rows, htmlreport.Row{Workers: row.Workers, Rate: row.Rate})
		}
	}
	r.Table = drawn
	if r.Command == "" {
		r.Title, r.Command = "amorsize tune", t.Target
	}
	return r, nil
}

// addRun reads the log of a run.
func addRun(r *htmlreport.Report, path string) error {
	content, err := joblog.Read(path)
	if err != nil {
		return exit.Usage(err)
	}
	h := content.Header
	r.Title = "amorsize " + h.Command
	argv := []string{"amorsize", h.Command}
	for _, flag := range h.Flags {
		argv = append(argv, "--"+flag[0]+"="+secrets.Flag(flag[0], flag[1]))
	}
	if h.Command == "run" && len(h.Args) > 0 {
		argv = append(argv, "--")
	}
	r.Command = ui.ShellLine(append(argv, secrets.Args(h.Args)...))
	if content.End != nil {
		r.Summary = new(summary.Summary)
		if err := json.Unmarshal(content.End, r.Summary); err != nil {
			return exit.Usagef("%s: the summary can't be read: %w", path, err)
		}
	} else {
		r.Note = "The run has not ended: there is no summary."
	}
	for _, e := range content.Failed() {
		text, _ := e.Text()
		r.Failed = append(r.Failed, summary.Failure{N: e.N, Item: secrets.Hide(summary.Brief(text, 200)), Why: e.Why, Tries: e.Tries, Err: secrets.Hide(e.Err)})
	}
	return nil
}
