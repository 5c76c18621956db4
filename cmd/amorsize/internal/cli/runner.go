package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

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
	nice    string // the program that sets a priority, empty if there is none to set
}

// prepare reads the command, and finds its program.
func (r *commandRunner) prepare(argv []string) (err error) {
	s := r.s
	bare := r.flags.stdin || r.flags.worker != ""
	if r.flags.script == "" {
		if r.command, err = template.ParseCommand(argv, s.scope, bare); err != nil {
			return exit.Usage(err)
		}
		if program, constant := r.command.Program(); constant {
			if r.path, err = findProgram(program); err != nil {
				return err
			}
		}
		s.what = ui.ShellLine(secrets.Args(argv))
	} else {
		if r.path, err = findProgram("sh"); err != nil {
			return err
		}
		s.what = "sh: " + r.flags.script
	}
	if r.flags.nice > 0 {
		if r.nice, err = findProgram("nice"); err != nil {
			return err
		}
	}
	r.tries = "AMORSIZE_ATTEMPTS=" + strconv.Itoa(1+s.flags.policy.o.Retries)
	s.out, err = output.New(s.term, s.flags.output.config(r.flags.drop, r.flags.output == "line" && s.flags.output.order), s.scope)
	return err
}

// findProgram returns the path of a program, or says in which of two ways there is none.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		return "", exit.With(exit.NotExecutable, fmt.Errorf("%s is in the current directory only: write ./%s", name, name))
	case errors.Is(err, fs.ErrPermission):
		return "", exit.With(exit.NotExecutable, fmt.Errorf("%s can't be executed: is it a program? chmod +x makes a script one", name))
	}
	return "", exit.With(exit.NotFound, fmt.Errorf("%s: command not found; a script of the shell is run with --sh", name))
}

func (r *commandRunner) dryRun() error {
	for it := range r.s.input.All() {
		argv, err := r.argv([]items.Item{it}, 0)
		if err != nil {
			return exit.Usage(err)
		}
		if err := r.s.term.Text([]byte(ui.ShellLine(argv)+"\n"), false); err != nil {
			return err
		}
	}
	if err := r.s.input.Err(); err != nil {
		return exit.Usage(err)
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
	if r.flags.pipe {
		return argv, nil
	}
	for _, it := range batch {
		if it.Fields != nil {
			argv = append(argv, it.Fields...)
		} else {
			argv = append(argv, it.Text)
		}
	}
	return argv, nil
}

// commandLine is how many bytes the items of a batch may add to a command line. It
// is what xargs takes, which every system has room for.
const commandLine = 128 << 10

// weigh returns how many bytes an item adds to a command line, with what the
// system needs to point to them.
func (r *commandRunner) weigh(it items.Item) int {
	var args []string
	if r.flags.script == "" {
		args = r.command.Adds(it)
	} else if args = it.Fields; args == nil {
		args = []string{it.Text}
	}
	n := 0
	for _, arg := range args {
		n += len(arg) + 1 + 8
	}
	return n
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
		Mode: mode, Merge: r.flags.merge, Dir: r.flags.dir, Env: env,
		Grace: s.flags.grace, Groups: &s.groups,
	})
	if err != nil {
		return err
	}
	if r.flags.worker != "" {
		r.workers = newWorkerPool(r)
		s.settle = r.workers.settle
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
	r.s.out.Close()
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
	path := r.path
	if r.nice != "" { // a priority that is set when the command runs already comes too late
		if path != "" {
			argv[0] = path
		}
		path, argv = r.nice, append([]string{"nice", "-n", strconv.Itoa(r.flags.nice)}, argv...)
	}
	c := process.Command{
		Path: path, Argv: argv, Slot: slot, Timeout: r.s.timeout(), Item: first.Text,
		Env: []string{
			"AMORSIZE_ITEM_NO=" + strconv.Itoa(first.N), "AMORSIZE_SLOT=" + strconv.Itoa(slot),
			"AMORSIZE_ATTEMPT=" + strconv.Itoa(j.Tries), r.tries,
		},
	}
	if r.flags.stdin {
		c.Feed = true
		for _, it := range j.Batch {
			if c.Stdin = append(c.Stdin, it.Text...); !r.flags.pipe {
				c.Stdin = append(c.Stdin, '\n')
			}
		}
	}
	if r.flags.output == "line" {
		if c.Line, err = r.lines(j, slot); err != nil {
			return err
		}
	}
	j.Outcome, err = r.spawner.Run(c)
	return err
}

// lines returns what passes on the lines of a job.
func (r *commandRunner) lines(j *jobs.Job, slot int) (func([]byte, bool), error) {
	pass, err := r.s.out.Lines(j, slot)
	return func(line []byte, stderr bool) {
		if err := pass(line, stderr); err != nil {
			r.s.outputFailed(err)
		}
	}, err
}

// seen completes what a failure is judged by with the end of the output.
func seen(j *jobs.Job, s *policies.Seen) {
	const most = 64 << 10
	s.Out = func() []byte { return j.Out.Tail(most) }
	s.Stderr = func() []byte { return j.Outcome.Err.Tail(most) }
}

// fileCaps returns how many slots open files allow. A job has two files of output
// and one for the process; where the number of slots is found, there are as many
// again that wait to be passed on, and some to spare.
func fileCaps() jobs.Caps {
	limit := process.OpenFiles()
	if limit == 0 {
		return jobs.Caps{}
	}
	return jobs.Caps{Files: process.FileSlots(), Fixed: max(1, (limit-16)/5)}
}
