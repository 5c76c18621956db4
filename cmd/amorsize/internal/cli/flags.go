package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/run"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// runFlags are those that run, http and exec have in common.
type runFlags struct {
	input  inputFlags
	size   sizeFlags
	policy policyFlags
	output outputFlags
	grace  time.Duration
}

// defaultGrace is how long what runs is given to end.
const defaultGrace = 10 * time.Second

// check checks all flags, and returns how the jobs are run and where their items come from.
func (f *runFlags) check(c *cobra.Command, name string, args, list []string, given bool) (cfg run.Config, in items.Source, err error) {
	cfg = run.Config{Name: name, Args: args, Version: version(), Ordered: f.output.order, Bisect: f.size.bisect}
	c.Flags().Visit(func(flag *pflag.Flag) { cfg.Flags = append(cfg.Flags, [2]string{flag.Name, flag.Value.String()}) })
	if in, err = f.input.check(list, given); err != nil {
		return cfg, in, err
	}
	if cfg.Size, err = jobs.ParseSize(f.size.jobs); err != nil {
		return cfg, in, exit.Usage(err)
	}
	if cfg.Batch, err = jobs.ParseBatch(f.size.batch); err != nil {
		return cfg, in, exit.Usage(err)
	}
	if cfg.Policies, cfg.Ends, err = f.policy.check(); err != nil {
		return cfg, in, err
	}
	if err = f.output.check(); err != nil {
		return cfg, in, err
	}
	if f.size.bisect && f.output.order {
		return cfg, in, exit.Usagef("--bisect runs parts of a batch later: it excludes --order")
	}
	if f.grace < 0 {
		return cfg, in, exit.Usagef("--grace %v: want a time above 0", f.grace)
	}
	cfg.Ends.Grace = f.grace
	o := f.output
	cfg.Log = run.Log{Path: o.log, Resume: o.resume, ResumeFailed: o.again, Overwrite: o.overwrite, Extend: o.extend, From: o.from}
	cfg.Show = run.Show{Quiet: o.quiet, Verbose: o.verbose, Explain: o.explain, Progress: run.Progress(o.progress)}
	cfg.Summary = run.Summary{JSON: o.json, File: o.summary, ExitZero: o.exitZero}
	return cfg, in, nil
}

// open opens the items: those of the flags, or instead of them, if it is not nil.
func (f *runFlags) open(in items.Source, instead *items.Source) (*run.Environment, error) {
	if instead != nil {
		in = *instead
	}
	return run.Open(in, run.Standard(), ui.Color(f.output.color))
}

// group is a part of the flags, as the help shows it.
type group struct {
	title string
	set   *pflag.FlagSet
}

func newGroup(title string) group {
	return group{title, pflag.NewFlagSet(title, pflag.ContinueOnError)}
}

// addGroups adds the flags to a command, and has its help show them by group.
func addGroups(c *cobra.Command, groups ...group) {
	addMixed(c, groups...)
	c.Flags().SetInterspersed(false) // what follows the command is the command's
}

// addMixed is addGroups for a command whose flags may follow its arguments.
func addMixed(c *cobra.Command, groups ...group) {
	for _, g := range groups {
		g.set.SortFlags = false
		c.Flags().AddFlagSet(g.set)
	}
	c.Flags().SortFlags = false
	c.SetUsageFunc(func(c *cobra.Command) error {
		var b strings.Builder
		fmt.Fprintf(&b, "Usage:\n  %s\n", c.UseLine())
		for _, g := range groups {
			fmt.Fprintf(&b, "\n%s:\n%s", g.title, g.set.FlagUsagesWrapped(100))
		}
		_, err := c.OutOrStderr().Write([]byte(b.String()))
		return err
	})
}

// inputFlags say where the items come from.
type inputFlags struct {
	source    items.Source
	delimiter string
	colsep    string
	csv, tsv  bool
	jsonl     bool
}

func (f *inputFlags) group() group {
	g := newGroup("Items")
	s := g.set
	s.StringVarP(&f.source.File, "arg-file", "a", "", "read the items from this `file` (default: standard input)")
	s.BoolVarP(&f.source.NUL, "null", "0", false, "items end with a NUL byte, as find -print0 writes them")
	s.StringVarP(&f.delimiter, "delimiter", "d", "", "items are separated by this `character` (\\n, \\t, \\0 are understood)")
	s.BoolVar(&f.csv, "csv", false, "items are CSV records: {1} is the first column")
	s.BoolVar(&f.tsv, "tsv", false, "items are tab separated columns")
	s.StringVarP(&f.colsep, "colsep", "C", "", "columns are separated by this `text`: {1}, {2}; with --csv, where they may be quoted, by this character")
	s.IntVarP(&f.source.Group, "per-item", "N", 0, "`n` lines, or items behind :::, are the columns of one: {1}, {2}")
	s.BoolVar(&f.source.Header, "header", false, "the first record names the columns: {name}")
	s.BoolVar(&f.jsonl, "jsonl", false, "items are JSON values, one a line: {name} is a member of an object")
	s.StringVar(&f.source.Range, "range", "", "the items are numbers: `10` is 1 to 10, 5-10, 0-100/10")
	s.BoolVar(&f.source.SkipEmpty, "skip-empty", false, "leave empty items out")
	s.IntVar(&f.source.Limit, "limit", 0, "no more than `n` items")
	s.BoolVar(&f.source.Shuffle, "shuffle", false, "in random order (holds all items in memory)")
	return g
}

// check completes the source. args are items that follow :::, given says that
// there was a :::.
func (f *inputFlags) check(args []string, given bool) (items.Source, error) {
	s := f.source
	if s.Lists = lists(args); s.Lists == nil {
		s.Args, s.UseArgs = args, given
	}
	if f.colsep != "" {
		s.Separator = f.colsep
		f.tsv = f.tsv || !f.csv
	}
	formats := 0
	for _, c := range []struct {
		on     bool
		format items.Format
	}{{f.csv, items.CSV}, {f.tsv, items.TSV}, {f.jsonl, items.JSONL}} {
		if c.on {
			s.Format = c.format
			formats++
		}
	}
	sources := 0
	for _, on := range []bool{given, s.Range != "", s.File != ""} {
		if on {
			sources++
		}
	}
	switch {
	case s.Group < 0 || s.Group > 1 && formats > 0:
		return s, exit.Usagef("--per-item %d: want 1 or more lines, which have no columns of their own", s.Group)
	case f.csv && len(f.colsep) > 1 || f.jsonl && f.colsep != "":
		return s, exit.Usagef("--colsep %q: CSV has one character between columns, JSON none", f.colsep)
	case formats > 1:
		return s, exit.Usagef("choose one of --csv, --tsv and --jsonl")
	case sources > 1:
		return s, exit.Usagef("items come from one place: choose one of ::: items, --range and --arg-file")
	case s.Limit < 0:
		return s, exit.Usagef("--limit %d: want 1 or more", s.Limit)
	case s.Header && s.Format != items.CSV && s.Format != items.TSV:
		return s, exit.Usagef("--header needs --csv or --tsv")
	case formats > 0 && (s.NUL || f.delimiter != "" || given || s.Range != ""):
		return s, exit.Usagef("--csv, --tsv and --jsonl read records from a file or standard input: leave out --null, --delimiter, --range and :::")
	}
	switch f.delimiter {
	case "":
	case `\n`:
		s.Delimiter = '\n'
	case `\t`:
		s.Delimiter = '\t'
	case `\0`:
		s.NUL = true
	default:
		if len(f.delimiter) != 1 {
			return s, exit.Usagef("--delimiter %q: want one character", f.delimiter)
		}
		s.Delimiter = f.delimiter[0]
	}
	return s, nil
}

// sizeFlags say how many jobs run at a time, and how large they are.
type sizeFlags struct {
	jobs, batch string
	bisect      bool
}

func (f *sizeFlags) group(batches bool) group {
	g := newGroup("Size")
	g.set.StringVarP(&f.jobs, "jobs", "j", "auto", "jobs at a time: `auto` measures, 8, 200% of the cores, max:8 for auto with a bound")
	if batches {
		g.set.StringVar(&f.batch, "batch", "1", "items of a job: `1`, 50, or auto to measure what a start and what an item costs")
		g.set.BoolVar(&f.bisect, "bisect", false, "run a batch that failed again in halves, down to the items that fail")
	}
	return g
}

// policyFlags are the library's policies.
type policyFlags struct {
	o        policies.Options
	halt     string
	haltNow  bool
	deadline time.Duration
}

func (f *policyFlags) groups(retries int, breaker string) []group {
	rate := newGroup("Rate")
	s := rate.set
	s.StringVar(&f.o.Rate, "rate", "", "no more calls than that: `50/s`, 3000/m, 10/h; auto finds out by what is refused")
	s.IntVar(&f.o.Burst, "burst", 0, "so many calls at once where the rate has been saved up (default 1: an even pace)")
	s.StringVar(&f.o.ThrottleOn, "throttle-on", "", "failures that mean \"too many calls\": a `spec` (default exit:75; 429 and 503 of http)")
	s.StringVar(&f.o.RetryAfter, "retry-after", "", "where a failed command says how many seconds to wait: `err:/retry-after: (\\d+)/i`")

	failure := newGroup("Failure")
	s = failure.set
	s.IntVar(&f.o.Retries, "retries", retries, "so many more attempts at an item that failed")
	s.StringVar(&f.o.Backoff, "backoff", "", "the delay before the first retry and the longest one (default `200ms..30s`)")
	s.StringVar(&f.o.RetryOn, "retry-on", "", "failures worth a retry: a `spec` (default any but a command that can't be started)")
	s.StringVar(&f.o.FatalOn, "fatal-on", "", "failures that end the run: a `spec`")
	s.StringVar(&f.o.RetryBudget, "retry-budget", "", "retries are at most that `share` of what succeeds, as 20%")
	s.StringVar(&f.o.Timeout, "timeout", "", "an attempt is ended after `30s`, or 5x for so many times the usual")
	s.StringVar(&f.o.Breaker, "breaker", breaker, "hold items back while the service is down: after `8` failures in a row, or 50%/20 of at least 20, or off")
	s.DurationVar(&f.o.BreakerWait, "breaker-wait", 0, "how long until one item asks whether the service is back (default 5s)")
	s.DurationVar(&f.o.BreakerGiveUp, "breaker-give-up", 0, "how long items are held back before the run ends, to be resumed (default 10m)")
	s.StringVar(&f.halt, "halt", "", "start nothing more after `n` failures, or 5% of at least 20 items")
	s.BoolVar(&f.haltNow, "halt-now", false, "then end what is running, too")
	s.DurationVar(&f.deadline, "deadline", 0, "start nothing more after that time")
	return []group{rate, failure}
}

func (f *policyFlags) check() (*policies.Set, run.Ends, error) {
	ends := run.Ends{HaltText: f.halt, HaltNow: f.haltNow, Deadline: f.deadline}
	var err error
	if ends.Halt, err = policies.ParseHalt(f.halt); err != nil {
		return nil, ends, exit.Usage(err)
	}
	switch {
	case f.o.Burst < 0:
		return nil, ends, exit.Usagef("--burst %d: want 1 or more", f.o.Burst)
	case f.o.Burst > 0 && f.o.Rate == "":
		return nil, ends, exit.Usagef("--burst needs --rate")
	case f.deadline < 0:
		return nil, ends, exit.Usagef("--deadline %v: want a time above 0", f.deadline)
	case f.o.BreakerWait < 0 || f.o.BreakerGiveUp < 0:
		return nil, ends, exit.Usagef("--breaker-wait and --breaker-give-up: want times above 0")
	case f.haltNow && f.halt == "":
		return nil, ends, exit.Usagef("--halt-now needs --halt")
	}
	set, err := policies.New(f.o)
	if err != nil {
		return nil, ends, exit.Usage(err)
	}
	return set, ends, nil
}

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

func oneOf(text string, choices ...string) bool {
	return slices.Contains(choices, text)
}
