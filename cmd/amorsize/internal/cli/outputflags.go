package cli

import (
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
)

// outputFlags say what becomes of results.
type outputFlags struct {
	order     bool
	tag       string
	results   string
	log       string
	resume    bool
	again     bool
	overwrite bool
	json      bool
	summary   string
	quiet     bool
	verbose   bool
	progress  string
	color     string
	explain   bool
	dryRun    bool
	exitZero  bool
	extend    bool   // the log, without leaving anything out
	from      string // the log of the run whose items are run again
}

func (f *outputFlags) group() group {
	g := newGroup("Output")
	s := g.set
	s.BoolVarP(&f.order, "order", "k", false, "results in the order of the items")
	s.StringVar(&f.tag, "tag", "", "put this `template` before every line (default {} and a tab)")
	s.Lookup("tag").NoOptDefVal = "{}\t"
	s.StringVar(&f.results, "results", "", "write results to files in this `directory`, or to a template with {#} or {}")
	s.StringVar(&f.log, "log", "", "keep what becomes of each item in this `file` of JSON lines")
	s.BoolVar(&f.resume, "resume", false, "leave out items that are over in the log, known by their text")
	s.BoolVar(&f.again, "resume-failed", false, "the same, but run those again that failed")
	s.BoolVar(&f.overwrite, "overwrite", false, "replace a log that is there, unless its run has not ended")
	s.BoolVar(&f.json, "json", false, "write the summary as JSON to standard output, results elsewhere or nowhere")
	s.StringVar(&f.summary, "summary", "", "write the summary as JSON to this `file`")
	s.BoolVarP(&f.quiet, "quiet", "q", false, "no plan, no progress, no summary")
	s.BoolVarP(&f.verbose, "verbose", "v", false, "tell every failed attempt")
	s.StringVar(&f.progress, "progress", "auto", "`auto`, tty, log, json or none")
	s.StringVar(&f.color, "color", "auto", "`auto`, always or never")
	s.BoolVar(&f.explain, "explain", false, "tell what a job costs and what each limit allows")
	s.BoolVarP(&f.dryRun, "dry-run", "n", false, "print what would be run, and run nothing")
	s.BoolVar(&f.exitZero, "exit-zero", false, "exit with 0 also if items failed")
	g.are(ofRun, "log", "resume", "resume-failed", "overwrite", "dry-run")
	g.are(ofUser, "tag", "results", "json", "summary", "exit-zero")
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
		return exit.Usagef("--progress %q: want auto, tty, log, json or none", f.progress)
	case !oneOf(f.color, "auto", "always", "never"):
		return exit.Usagef("--color %q: want auto, always or never", f.color)
	case (f.resume || f.again) && f.log == "":
		return exit.Usagef("--resume needs --log: it tells which items are over")
	case f.overwrite && (f.log == "" || f.resume || f.again):
		return exit.Usagef("--overwrite begins a --log anew: it needs one, and excludes --resume")
	}
	return nil
}
