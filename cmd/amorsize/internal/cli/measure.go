package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/profiling"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/run"
)

// measureFlags are those of profile, tune and watch.
type measureFlags struct {
	runFlags
	command commandFlags
	golang  goFlags
	budget  time.Duration
	json    bool
	verbose bool
	batch   string
	race    bool
}

func (f *measureFlags) bind(c *cobra.Command, budget time.Duration, more ...group) {
	g := newGroup("Measurement")
	g.set.DurationVar(&f.budget, "budget", budget, "about how long to measure")
	g.set.StringVar(&f.batch, "batch", "1", "items per job, or per call of a batch function")
	g.set.BoolVar(&f.json, "json", false, "write the measurements as JSON to standard output")
	g.set.BoolVarP(&f.verbose, "verbose", "v", false, "show the output of the command or function")
	g.set.StringVar(&f.output.color, "color", "auto", "`auto`, always or never")
	addMixed(c, append([]group{f.input.group(), f.golang.group(), f.commandGroup(), g}, more...)...)
}

// commandGroup are the flags of a command that affect its cost.
func (f *measureFlags) commandGroup() group {
	g := newGroup("Command")
	g.set.StringVar(&f.command.script, "sh", "", "measure this `script`; the item is its \"$1\"")
	g.set.BoolVar(&f.command.stdin, "stdin", false, "the command reads the item from its standard input")
	g.set.StringVar(&f.command.dir, "chdir", "", "run commands in this `directory`")
	g.set.StringArrayVar(&f.command.env, "env", nil, "set `NAME=value` for commands")
	return g
}

// measurement is a target, the items to measure it with, and related objects.
type measurement struct {
	env    *run.Environment
	target *profiling.Target
	list   []items.Item
	batch  jobs.BatchSize
	stop   func()
}

// open loads the target and reads the items. Arguments after -- are a command, others name a function. From then
// on, signals end its context.
func (f *measureFlags) open(c *cobra.Command, args []string) (*measurement, error) {
	argv, list, given := splitItems(args)
	if f.budget <= 0 {
		return nil, exit.Usagef("--budget %v: must be a duration above 0", f.budget)
	}
	f.size.jobs, f.size.batch, f.output.progress, f.command.output, f.grace = "auto", f.batch, "none", "group", defaultGrace
	isCommand := c.ArgsLenAtDash() >= 0 || f.command.script != ""
	if isCommand && c.ArgsLenAtDash() > 0 {
		return nil, exit.Usagef("name a function, or a command after --, not both")
	}
	cfg, env, err := f.runFlags.open(c, c.Name(), argv, list, given, nil)
	if err != nil {
		return nil, err
	}
	m := &measurement{env: env, batch: cfg.Batch}
	if isCommand {
		m.target, err = f.openCommand(env, cfg, argv)
	} else {
		m.target, err = f.openFunction(env, cfg, argv)
	}
	if err == nil {
		m.interruptible(f.grace)
		if m.list, err = measurable(env); err != nil {
			m.close()
		}
	} else {
		env.Close()
	}
	return m, err
}

func (f *measureFlags) openCommand(env *run.Environment, cfg run.Config, argv []string) (*profiling.Target, error) {
	if len(argv) == 0 && f.command.script == "" {
		return nil, exit.Usagef("no command: write it after --")
	}
	spec, err := command.Parse(f.command.config(&f.runFlags, argv), env.Scope())
	if err != nil {
		return nil, err
	}
	out, err := output.New(env.Terminal, f.output.config(!f.verbose, false), env.Scope())
	if err != nil {
		return nil, err
	}
	runner, err := command.New(spec, surroundings(env, out, cfg.Policies.Timeout, f.grace))
	if err != nil {
		return nil, err
	}
	guard := env.StartGuard()
	return &profiling.Target{
		What: spec.What(), Argv: argv,
		Subject: &profiling.Commands{
			Attempt: runner.Attempt, Control: env.Control, Set: cfg.Policies, Batch: cfg.Batch, Results: out.Over,
			Release: func() {
				runner.Close()
				guard.Close()
			},
		},
	}, nil
}

// batchMeasured is how many items a call has if that is neither given nor measured.
const batchMeasured = 100

func (f *measureFlags) openFunction(env *run.Environment, cfg run.Config, argv []string) (*profiling.Target, error) {
	name, err := oneTarget(argv, f.golang.fn)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	fn, err := function.Load(ctx, f.golang.config(name, f.batch != "1"), ownOutput(f.verbose))
	if err != nil {
		return nil, err
	}
	binary, err := function.Build(ctx, fn, env.Groups)
	if err != nil {
		return nil, err
	}
	batch := cfg.Batch.Fixed
	if cfg.Batch.Auto {
		batch = batchMeasured
	}
	subject := &profiling.Functions{Binary: binary, Batch: batch, Output: ownOutput(f.verbose), Release: env.StartGuard().Close}
	t := &profiling.Target{
		Subject: subject, What: strings.TrimSpace(fn.Name + "   " + fn.Type + "   " + fn.Place), Notes: []string{buildNote(binary)}, Function: fn,
	}
	if f.race {
		t.CheckRace = func(ctx context.Context, list []items.Item) *profiling.Race {
			return subject.CheckRace(ctx, fn, f.golang.tags, list, f.budget)
		}
	}
	return t, nil
}

// interruptible ends the context with the first signal, and asks running processes to end.
func (m *measurement) interruptible(grace time.Duration) {
	stop := m.env.HandleSignals(grace, func() {}, func(note string) { m.env.Terminal.Say("amorsize: " + note) })
	ended := context.AfterFunc(m.ctx(), func() { m.env.Groups.Raise(process.Asked) })
	m.stop = func() {
		ended()
		stop()
	}
}

// ctx ends with the first signal.
func (m *measurement) ctx() context.Context { return m.env.Control.Context() }

// close ends what the measurement holds.
func (m *measurement) close() {
	m.stop()
	m.env.Close()
	m.target.Close()
}

// mostMeasured is the maximum number of items that are held for a measurement.
const mostMeasured = 100_000

// measurable reads the items.
func measurable(env *run.Environment) ([]items.Item, error) {
	list := jobs.Collect(env.Input.All(), mostMeasured)
	if err := env.Input.Err(); err != nil {
		return nil, exit.Usage(err)
	}
	if len(list) == 0 {
		return nil, exit.Usagef("no items to measure with: give some with --range, ::: or on standard input")
	}
	return list, nil
}

// total returns how many items are to be run, -1 if that is not known.
func (m *measurement) total() int {
	if total := m.env.Input.Total(); total >= 0 || len(m.list) == mostMeasured {
		return total
	}
	return len(m.list)
}

// interrupted returns how the command ends: as interrupted, if it was, whatever other error that caused.
func (m *measurement) interrupted(err error) error {
	switch stopped := m.env.Control.Stopped(); {
	case errors.Is(stopped, jobs.ErrInterrupted):
		return exit.With(exit.Interrupted, nil)
	case errors.Is(stopped, jobs.ErrTerminated):
		return exit.With(exit.Terminated, nil)
	}
	return err
}

// show writes the measurement, as JSON or as a text, and keeps it in the history.
func (m *measurement) show(cmd string, data any, asJSON bool, text string) error {
	if asJSON {
		raw, err := json.Marshal(data)
		if err != nil {
			return err
		}
		text = string(raw) + "\n"
	}
	if err := m.env.Terminal.Text([]byte(text), false); err != nil {
		return err
	}
	m.env.Keep(cmd, m.target.What, data)
	return nil
}
