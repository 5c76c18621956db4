package cli

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// commandFlags say how a command is run.
type commandFlags struct {
	script string
	stdin  bool
	worker string
	output string
	merge  bool
	dir    string
	env    []string
	nice   int
	load   float64
}

func (f *commandFlags) group(grace *time.Duration) group {
	g := newGroup("Command")
	s := g.set
	s.StringVar(&f.script, "sh", "", "run this `script` by sh instead of a command; the item is its \"$1\", never a part of its text")
	s.BoolVar(&f.stdin, "stdin", false, "the command reads the item from its standard input")
	s.StringVar(&f.worker, "worker", "", "keep one process per slot that answers each line with a line: `lines`, or jsonl")
	s.StringVar(&f.output, "output", "group", "`group`: when a job has ended; line: line by line; live: as it comes; none")
	s.BoolVar(&f.merge, "merge", false, "standard error goes where standard output goes")
	s.StringVar(&f.dir, "chdir", "", "run commands in this `directory`")
	s.StringArrayVar(&f.env, "env", nil, "set `NAME=value` for commands")
	s.IntVar(&f.nice, "nice", 0, "run commands with this priority (0 to 19)")
	s.Float64Var(&f.load, "max-load", 0, "start nothing while the load average is above that")
	s.DurationVar(grace, "grace", defaultGrace, "how long a command that is to end is given before it is killed")
	return g
}

func newRun() *cobra.Command {
	var f runFlags
	var cmd commandFlags
	c := &cobra.Command{
		Use:   "run [flags] -- command [argument | {}]... [::: item...]",
		Short: "Run a command per item",
		Long: `Run a command per item, without a shell, as many at a time as pay.

In the command, {} is the item, {.} without its extension, {/} its file name, {//}
its directory, {/.} its file name without the extension, {#} its number, {%} the
slot, {1} its first column, {name} a named one. Without any, the item is the last
argument. Commands see AMORSIZE_ITEM_NO, AMORSIZE_SLOT, AMORSIZE_ATTEMPT and
AMORSIZE_ATTEMPTS.

Exit status: 0 all ok, 1 some items failed, 2 flags or input, 4 ended by --halt or
--fatal-on, 75 ended by --deadline or --breaker-give-up and to be resumed, 126 and
127 the command can't be run, 130 and 143 interrupted and terminated.`,
		Example: `  ls *.png | amorsize run -- optipng -quiet {}
  amorsize run --rate 50/s --retries 3 --throttle-on exit:22 -a urls -- curl -sf {}
  find . -name '*.c' -print0 | amorsize run -0 --batch auto -- sha256sum
  amorsize run --csv --header -a users.csv -- mail -s 'Hello {name}' {email}`,
		RunE: func(c *cobra.Command, args []string) error {
			return runCommand(c, &f, &cmd, args, nil)
		},
	}
	bindRun(c, &f, &cmd)
	return c
}

func bindRun(c *cobra.Command, f *runFlags, cmd *commandFlags) {
	groups := []group{f.input.group(), cmd.group(&f.grace), f.size.group(true)}
	groups = append(groups, f.policy.groups(0, "off")...)
	addGroups(c, append(groups, f.output.group())...)
}

// runCommand is amorsize run. source, if not nil, is where the items come from
// instead of what the flags say.
func runCommand(c *cobra.Command, f *runFlags, cmd *commandFlags, args []string, source *items.Source) error {
	argv, list, given := splitItems(args)
	if err := cmd.check(f, argv); err != nil {
		return err
	}
	s, err := f.open(c, "run", argv, list, given)
	if err != nil {
		return err
	}
	if source != nil {
		if err := s.reopen(*source); err != nil {
			return err
		}
	}
	defer func() { _ = s.input.Close() }()
	r := &commandRunner{s: s, flags: cmd}
	if err := r.prepare(argv); err != nil {
		return err
	}
	if f.output.dryRun {
		return r.dryRun()
	}
	if err := r.start(); err != nil {
		return err
	}
	defer r.close()
	return s.run(jobs.Config{Attempt: r.attempt, Caps: jobs.Caps{Files: fileSlots()}, Extra: loadPolicies(cmd.load), Seen: seen})
}

// splitItems cuts arguments at :::.
func splitItems(args []string) (argv, list []string, given bool) {
	if i := slices.Index(args, ":::"); i >= 0 {
		return args[:i], args[i+1:], true
	}
	return args, nil, false
}

func (f *commandFlags) check(run *runFlags, argv []string) error {
	switch {
	case len(argv) == 0 && f.script == "":
		return usagef("no command: write it behind --, as in amorsize run -- gzip {}")
	case len(argv) > 0 && f.script != "":
		return usagef("--sh is instead of a command: leave out %q, or write it into the script", argv[0])
	case !oneOf(f.output, "group", "line", "live", "raw", "none"):
		return usagef("--output %q: want group, line, live or none", f.output)
	case !oneOf(f.worker, "", "lines", "jsonl"):
		return usagef("--worker %q: want lines or jsonl", f.worker)
	case f.worker != "" && (f.stdin || f.script != "" || run.size.batch != "1"):
		return usagef("--worker keeps processes that read items line by line: it excludes --stdin, --sh and --batch")
	case f.output != "group" && (run.output.order || run.output.results != ""):
		return usagef("--output %s passes output on as it comes: it excludes --order and --results", f.output)
	case oneOf(f.output, "live", "raw") && run.output.tag != "":
		return usagef("--output live is not touched: it excludes --tag")
	case run.output.json && run.output.results == "" && f.output != "none":
		return usagef("--json writes the summary to standard output, where results go: add --results DIR or --output none, or write it to a file with --summary FILE")
	case f.nice < 0 || f.nice > 19:
		return usagef("--nice %d: want 0 to 19", f.nice)
	case f.load < 0:
		return usagef("--max-load %v: want a number above 0", f.load)
	}
	return nil
}
