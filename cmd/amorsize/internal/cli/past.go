package cli

import (
	"bytes"
	"errors"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/lookback"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
)

func newHistory() *cobra.Command {
	c := &cobra.Command{
		Use:   "history",
		Short: "Show earlier measurements: list, show, diff, rm",
		Long: `Show earlier measurements. The latest 200 runs, profiles and tables are kept in
$AMORSIZE_HISTORY, by default in ~/.local/state/amorsize/history; AMORSIZE_HISTORY=off
keeps none. An entry is named by its id or the start of it; -1 is the latest entry,
-2 the one before.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show an entry", Args: cobra.ExactArgs(1), DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return lookback.Show(os.Stdout, args[0]) },
	}
	diff := &cobra.Command{
		Use: "diff ID ID", Short: "Compare two entries", Args: cobra.ExactArgs(2), DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return lookback.Diff(os.Stdout, args[0], args[1]) },
	}
	rm := &cobra.Command{
		Use: "rm ID...", Short: "Remove entries", Args: cobra.MinimumNArgs(1), DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			var all error
			for _, id := range args {
				all = errors.Join(all, history.Remove(id))
			}
			if all != nil {
				return exit.Usage(all)
			}
			return nil
		},
	}
	c.AddCommand(newHistoryList(), show, diff, rm)
	return c
}

func newHistoryList() *cobra.Command {
	return &cobra.Command{
		Use: "list [RUN.jsonl]", Short: "List the entries, oldest first, or the runs in a log", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return lookback.Runs(os.Stdout, args[0])
			}
			return lookback.List(os.Stdout)
		},
	}
}

func newReport() *cobra.Command {
	var out, scaling string
	c := &cobra.Command{
		Use:   "report RUN.jsonl [-o report.html]",
		Short: "Draw a run as one self-contained HTML file",
		Long: `Draw a run, from its log, as one HTML file that needs no scripts and no network: the
plan and its reason; limit, jobs in flight, goodput and latency over time; a histogram;
failures and their causes. With --tune, the scaling curve comes from the output of
amorsize tune --json, which can also be drawn alone.`,
		Example: `  amorsize run --log run.jsonl -a urls -- curl -sf {}
  amorsize report run.jsonl -o report.html`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if slices.ContainsFunc(append(args, scaling), func(in string) bool { return in != "" && outfile.SamePath(out, in) }) {
				return exit.Usagef("-o: %s is what is drawn: it would be overwritten", out)
			}
			r, err := lookback.Report(args, scaling)
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
