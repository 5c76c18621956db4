package cli

import (
	"cmp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/run"
)

// commandFlags say how to run a command.
type commandFlags struct {
	script string
	stdin  bool
	pipe   bool
	block  string
	worker string
	output string
	merge  bool
	dir    string
	env    []string
	nice   int
	load   float64

	blockBytes int // of --block, when it has been read
}

func (f *commandFlags) group(grace *time.Duration) group {
	g := newGroup("Command")
	s := g.set
	s.StringVar(&f.script, "sh", "", "run this `script` by sh instead of a command; the item is its \"$1\", never a part of its text")
	s.BoolVar(&f.stdin, "stdin", false, "the command reads the item from its standard input")
	s.BoolVar(&f.pipe, "pipe", false, "cut the input into blocks of whole lines, which the command reads from its standard input")
	s.StringVar(&f.block, "block", "1M", "the approximate size of a block, in `bytes` (k, M and G are understood)")
	s.StringVar(&f.worker, "worker", "", "keep one process per slot that answers each line with a line: `lines`, or jsonl")
	s.StringVar(&f.output, "output", "group", "`group`: when a job has ended; line: line by line, with -k the first job's lines, then the next job's; live: at once, unchanged; none")
	s.BoolVar(&f.merge, "merge", false, "send standard error to standard output")
	s.StringVar(&f.dir, "chdir", "", "run commands in this `directory`")
	s.StringArrayVar(&f.env, "env", nil, "set `NAME=value` for commands")
	s.IntVar(&f.nice, "nice", 0, "run commands with this priority (0 to 19)")
	s.Float64Var(&f.load, "max-load", 0, "start no jobs while the load average is above this")
	s.DurationVar(grace, "grace", defaultGrace, "how long a command that is told to end may take before it is killed")
	g.are(ofUser, "sh", "stdin", "pipe", "block", "worker", "output", "merge", "chdir", "env")
	g.are(ofAnyone, "nice", "max-load", "grace")
	return g
}

func newRun() *cobra.Command {
	var f runFlags
	var cmd commandFlags
	c := &cobra.Command{
		Use:   "run [flags] -- command [argument | {}]... [::: item...]...",
		Short: "Run a command per item",
		Long: `Run a command per item, without a shell. How many run at once is measured.

In the command, {} is the item, {.} without its extension, {/} its file name, {//}
its directory, {/.} its file name without the extension, {#} its number, {%} the
slot, {1} its first column, {name} a named one. Without any, the item is the last
argument. Several lists of items are combined: ::: a b ::: 1 2 runs a 1, a 2, b 1,
b 2, with :::+ instead of the second ::: a 1, b 2; :::: names files with the items.
Commands get AMORSIZE_ITEM_NO, AMORSIZE_SLOT, AMORSIZE_ATTEMPT and
AMORSIZE_ATTEMPTS in their environment.

Exit status: 0 all ok, 1 some items failed, 2 flags or input, 4 ended by --halt or
--fatal-on, 75 ended by --deadline or --breaker-give-up (resume it with --resume), 126
and 127 the command can't be run, 130 and 143 interrupted and terminated.`,
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

// runCommand is amorsize run. If source is not nil, the items come from it instead of from the flags.
func runCommand(c *cobra.Command, f *runFlags, cmd *commandFlags, args []string, source *items.Source) error {
	argv, list, given := splitItems(args)
	if err := cmd.check(f, argv); err != nil {
		return err
	}
	if err := cmd.blocks(f, given); err != nil {
		return err
	}
	cfg, env, err := f.open(c, "run", argv, list, given, source)
	if err != nil {
		return err
	}
	defer env.Close()
	spec, err := command.Parse(cmd.config(f, argv), env.Scope())
	if err != nil {
		return err
	}
	out, err := output.New(env.Terminal, f.output.config(cmd.output == "none", cmd.inOrder(f)), env.Scope())
	if err != nil {
		return err
	}
	if f.output.dryRun {
		return env.Preview(spec.Preview)
	}
	if strings.Contains(cmd.script, "{}") {
		env.Terminal.Say(`amorsize: {} in --sh is text, as a shell has it: the item is "$1"`)
	}
	defer env.StartGuard().Close()
	defer out.Close()
	runner, err := command.New(spec, surroundings(env, out, cfg.Policies.Timeout, f.grace))
	if err != nil {
		return err
	}
	defer runner.Close()
	cfg.What = spec.What()
	return runSession(cfg, env, out, runner)
}

// surroundings are what commands get from the run.
func surroundings(env *run.Environment, out *output.Output, timeout policies.Timeout, grace time.Duration) command.Surroundings {
	return command.Surroundings{
		Groups: env.Groups, Grace: grace, Timeout: env.Timeout(timeout), Lines: env.Lines(out), Stop: env.Control.Stop,
	}
}

// runSession runs jobs to their end.
func runSession(cfg run.Config, env *run.Environment, out *output.Output, runner run.Runner) error {
	s, err := run.New(cfg, env, out, runner)
	if err != nil {
		return err
	}
	return s.Run()
}

// blocks makes the items blocks of lines, if --pipe says so.
func (f *commandFlags) blocks(of *runFlags, given bool) (err error) {
	if !f.pipe {
		return nil
	}
	if f.blockBytes, err = parseBytes("block", f.block); err != nil {
		return err
	}
	in := &of.input
	if given || in.source.Range != "" || in.csv || in.tsv || in.jsonl || in.colsep != "" || in.source.Group > 1 {
		return exit.Usagef("--pipe reads blocks of lines from a file or standard input: omit flags for other items")
	}
	in.source.Format, in.source.Block = items.Blocks, f.blockBytes
	return nil
}

var modes = map[string]process.Mode{
	"group": process.Group, "line": process.Line, "live": process.Live, "raw": process.Live, "none": process.None,
}

// inOrder reports whether lines wait for those of earlier jobs.
func (f *commandFlags) inOrder(of *runFlags) bool { return f.output == "line" && of.output.order }

// config returns the command to run, from checked flags.
func (f *commandFlags) config(of *runFlags, argv []string) command.Config {
	return command.Config{
		Argv: argv, Script: f.script, Stdin: f.stdin || f.pipe, Pipe: f.pipe, Block: f.blockBytes, Worker: command.Worker(f.worker),
		Mode: modes[f.output], InOrder: f.inOrder(of), Merge: f.merge, Dir: f.dir, Env: f.env, Nice: f.nice, MaxLoad: f.load,
		Retries: of.policy.o.Retries,
	}
}

// check refuses flags that contradict each other.
func (f *commandFlags) check(of *runFlags, argv []string) error {
	switch {
	case len(argv) == 0 && f.script == "":
		return exit.Usagef("no command: write it after --, as in amorsize run -- gzip {}, or before a list of items: amorsize run gzip {} ::: a b")
	case numberOfArguments(argv, of.output.dryRun):
		return exit.Usagef("-n is --dry-run: use --batch %s for the items per job", argv[0])
	case len(argv) > 0 && f.script != "":
		return exit.Usagef("--sh replaces the command: omit %q, or write it into the script", argv[0])
	case f.nice < 0 || f.nice > 19:
		return exit.Usagef("--nice %d: must be 0 to 19", f.nice)
	case !(f.load >= 0): // NaN, too
		return exit.Usagef("--max-load %v: must be above 0", f.load)
	}
	return cmp.Or(f.checkInput(of), f.checkOutput(of))
}

// checkInput refuses combinations of ways to pass items to a command.
func (f *commandFlags) checkInput(of *runFlags) error {
	switch {
	case !oneOf(f.worker, "", "lines", "jsonl"):
		return exit.Usagef("--worker %q: must be lines or jsonl", f.worker)
	case f.pipe && (f.worker != "" || of.size.batch != "1"):
		return exit.Usagef("--pipe gives each command a block: it can't be combined with --batch or --worker")
	case f.worker != "" && (f.stdin || f.script != "" || of.size.batch != "1"):
		return exit.Usagef("--worker keeps processes that read items line by line: it can't be combined with --stdin, --sh or --batch")
	}
	return nil
}

// checkOutput refuses combinations of ways to handle the output.
func (f *commandFlags) checkOutput(of *runFlags) error {
	switch {
	case !oneOf(f.output, "group", "line", "live", "raw", "none"):
		return exit.Usagef("--output %q: must be group, line, live or none", f.output)
	case f.output != "group" && of.output.results != "":
		return exit.Usagef("--output %s passes output on at once: it can't be combined with --results", f.output)
	case oneOf(f.output, "live", "raw", "none") && of.output.order:
		return exit.Usagef("--output %s passes output on at once, or not at all: it can't be combined with --order", f.output)
	case oneOf(f.output, "live", "raw") && of.output.tag != "":
		return exit.Usagef("--output live leaves output unchanged: it can't be combined with --tag")
	case of.output.summary.JSON && of.output.results == "" && f.output != "none":
		return exit.Usagef("--json writes the summary to standard output, where results go: add --results DIR or --output none, or write it to a file with --summary FILE")
	}
	return nil
}
