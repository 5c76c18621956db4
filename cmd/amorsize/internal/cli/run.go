package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
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

// commandRunner runs the commands of a session.
type commandRunner struct {
	s       *session
	flags   *commandFlags
	command template.Command
	path    string
	spawner *process.Spawner
	workers *workerPool
	guard   *process.Guard
	tries   string
}

// prepare reads the command, and finds its program.
func (r *commandRunner) prepare(argv []string) (err error) {
	s := r.s
	bare := r.flags.stdin || r.flags.worker != ""
	if r.flags.script == "" {
		if r.command, err = template.ParseCommand(argv, s.scope, bare); err != nil {
			return usage(err)
		}
		if program, constant := r.command.Program(); constant {
			if r.path, err = findProgram(program); err != nil {
				return err
			}
		}
		s.what = shellLine(argv)
	} else {
		if r.path, err = findProgram("sh"); err != nil {
			return err
		}
		s.what = "sh: " + r.flags.script
	}
	r.tries = "AMORSIZE_ATTEMPTS=" + strconv.Itoa(1+s.flags.policy.o.Retries)
	s.emitter, err = newEmitter(s.term, s.flags.output, s.scope, r.flags.output == "none")
	return err
}

// findProgram returns the path of a program, or says in which of two ways there is none.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		return "", &exitError{exitNotRunable, fmt.Errorf("%s is in the current directory only: write ./%s", name, name)}
	case errors.Is(err, fs.ErrPermission):
		return "", &exitError{exitNotRunable, fmt.Errorf("%s can't be executed: is it a program? chmod +x makes a script one", name)}
	}
	return "", &exitError{exitNotFound, fmt.Errorf("%s: command not found; a script of the shell is run with --sh", name)}
}

func (r *commandRunner) dryRun() error {
	for it := range r.s.input.All() {
		argv, err := r.argv([]items.Item{it}, 0)
		if err != nil {
			return usage(err)
		}
		if err := r.s.term.Text([]byte(shellLine(argv)+"\n"), false); err != nil {
			return err
		}
	}
	if err := r.s.input.Err(); err != nil {
		return usage(err)
	}
	return nil
}

// argv returns the arguments for a batch. A script is given columns as $1, $2, …
// if there are any, and else the items.
func (r *commandRunner) argv(batch []items.Item, slot int) ([]string, error) {
	if r.flags.script == "" {
		return r.command.Expand(batch, slot)
	}
	argv := []string{"sh", "-c", r.flags.script, "sh"}
	for _, it := range batch {
		if it.Fields != nil {
			argv = append(argv, it.Fields...)
		} else {
			argv = append(argv, it.Text)
		}
	}
	return argv, nil
}

var modes = map[string]process.Mode{
	"group": process.Group, "line": process.Line, "live": process.Live, "raw": process.Live, "none": process.None,
}

// start makes what runs the commands.
func (r *commandRunner) start() (err error) {
	s := r.s
	r.guard = s.startGuard()
	var env []string
	if len(r.flags.env) > 0 {
		env = append(os.Environ(), r.flags.env...)
	}
	mode := modes[r.flags.output]
	r.spawner, err = process.NewSpawner(process.Config{
		Mode: mode, Merge: r.flags.merge, Dir: r.flags.dir, Env: env, Nice: r.flags.nice,
		Grace: s.flags.grace, Groups: &s.groups,
		Line: func(item string, line []byte, stderr bool) {
			if err := s.emitter.line(item, line, stderr); err != nil {
				s.outputFailed(err)
			}
		},
	})
	if err != nil {
		return err
	}
	if r.flags.worker != "" {
		r.workers = newWorkerPool(r)
	}
	return nil
}

// startGuard starts the process that ends what runs if this one is killed. Where
// there can be none, it is nil.
func (s *session) startGuard() *process.Guard {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	guard, err := process.StartGuard(self)
	if err != nil {
		return nil
	}
	s.groups.Watch(guard)
	return guard
}

func (r *commandRunner) close() {
	if r.workers != nil {
		r.workers.close()
	}
	r.spawner.Close()
	r.guard.Close()
}

// timeout returns how long an attempt may take; 0 is for ever.
func (s *session) timeout() time.Duration {
	t := s.set.Timeout
	if t.Times > 0 {
		return time.Duration(t.Times * float64(s.state.Usual()))
	}
	return t.Fixed
}

// attempt runs the command for a job.
func (r *commandRunner) attempt(ctx context.Context, j *jobs.Job, slot int) error {
	if r.workers != nil {
		return r.workers.attempt(j, slot)
	}
	argv, err := r.argv(j.Batch, slot)
	if err != nil {
		return &process.SpawnError{Program: "the command", Err: err}
	}
	first := j.First()
	c := process.Command{
		Path: r.path, Argv: argv, Slot: slot, Timeout: r.s.timeout(), Item: first.Text,
		Env: []string{
			"AMORSIZE_ITEM_NO=" + strconv.Itoa(first.N), "AMORSIZE_SLOT=" + strconv.Itoa(slot),
			"AMORSIZE_ATTEMPT=" + strconv.Itoa(j.Tries), r.tries,
		},
	}
	if r.flags.stdin {
		c.Feed = true
		for _, it := range j.Batch {
			c.Stdin = append(append(c.Stdin, it.Text...), '\n')
		}
	}
	if r.flags.output == "line" && r.s.emitter.tag != nil {
		if c.Item, err = r.s.emitter.tag.Expand(first, slot, nil); err != nil {
			return err
		}
	}
	j.Outcome, err = r.spawner.Run(c)
	return err
}

// seen completes what a failure is judged by with the end of the output.
func seen(j *jobs.Job, s *policies.Seen) {
	const most = 64 << 10
	s.Out = func() []byte { return j.Out.Tail(most) }
	s.Stderr = func() []byte { return j.Outcome.Err.Tail(most) }
}

// fileSlots returns how many slots open files allow: two files of output and one
// for the process, as many again that wait to be passed on, and some to spare.
func fileSlots() int {
	limit := openFiles()
	if limit == 0 {
		return 0
	}
	return max(1, (limit-64)/8)
}
