package cli

import (
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/run"
)

// outputFlags say where results go.
type outputFlags struct {
	order    bool
	tag      string
	results  string
	log      run.Log
	show     run.Show
	summary  run.Summary
	progress string
	color    string
	dryRun   bool
}

func (f *outputFlags) group() group {
	g := newGroup("Output")
	s := g.set
	s.BoolVarP(&f.order, "order", "k", false, "write results in the order of the items")
	s.StringVar(&f.tag, "tag", "", "put this `template` before every line (default {} and a tab)")
	s.Lookup("tag").NoOptDefVal = "{}\t"
	s.StringVar(&f.results, "results", "", "write results to files in this `directory`, or to a template with {#} or {}")
	s.StringVar(&f.log.Path, "log", "", "keep each item's outcome in this `file` of JSON lines")
	s.BoolVar(&f.log.Resume, "resume", false, "skip items that the log has as finished, by their text")
	s.BoolVar(&f.log.ResumeFailed, "resume-failed", false, "the same, but run failed items again")
	s.BoolVar(&f.log.Overwrite, "overwrite", false, "replace an existing log, if its run has ended")
	s.BoolVar(&f.summary.JSON, "json", false, "write the summary as JSON to standard output; results go elsewhere or nowhere")
	s.StringVar(&f.summary.File, "summary", "", "write the summary as JSON to this `file`")
	s.BoolVarP(&f.show.Quiet, "quiet", "q", false, "no plan, no progress, no summary")
	s.BoolVarP(&f.show.Verbose, "verbose", "v", false, "show every failed attempt")
	s.StringVar(&f.progress, "progress", "auto", "`auto`, tty, log, json or none")
	s.StringVar(&f.show.Live, "live", "", "show the run on a web page at this `address`, such as :0; only to this machine, unless it names a host")
	s.StringVar(&f.color, "color", "auto", "`auto`, always or never")
	s.BoolVar(&f.show.Explain, "explain", false, "show what a job costs and what each limit allows")
	s.BoolVarP(&f.dryRun, "dry-run", "n", false, "print what would be run, and run nothing")
	s.BoolVar(&f.summary.ExitZero, "exit-zero", false, "exit with 0 even if items failed")
	g.are(ofRun, "log", "resume", "resume-failed", "overwrite", "dry-run")
	g.are(ofUser, "tag", "results", "live", "json", "summary", "exit-zero")
	g.are(ofAnyone, "order", "quiet", "verbose", "progress", "color", "explain")
	return g
}

// config returns where results go.
func (f *outputFlags) config(drop, lines bool) output.Config {
	return output.Config{Tag: f.tag, Results: f.results, Drop: drop, InOrder: lines}
}

func (f *outputFlags) check() error {
	switch {
	case !oneOf(f.progress, "auto", "tty", "log", "json", "none"):
		return exit.Usagef("--progress %q: must be auto, tty, log, json or none", f.progress)
	case !oneOf(f.color, "auto", "always", "never"):
		return exit.Usagef("--color %q: must be auto, always or never", f.color)
	case (f.log.Resume || f.log.ResumeFailed) && f.log.Path == "":
		return exit.Usagef("--resume needs --log, which has the finished items")
	case f.log.Overwrite && (f.log.Path == "" || f.log.Resume || f.log.ResumeFailed):
		return exit.Usagef("--overwrite needs --log, and can't be combined with --resume")
	}
	return nil
}

// resultsOnOutput refuses --json where results go to standard output, too.
func (f *outputFlags) resultsOnOutput() error {
	if f.summary.JSON && f.results == "" {
		return exit.Usagef("--json writes the summary to standard output, where results go: add --results DIR, or write it to a file with --summary FILE")
	}
	return nil
}
