package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// subject is what is measured: a command, or a Go function.
type subject interface {
	// sample runs items one after the other for as long as the budget allows.
	sample(ctx context.Context, list []items.Item, budget time.Duration) (measured, error)
	// at runs all the items by so many workers.
	at(ctx context.Context, list []items.Item, workers int) (rung, error)
	close()
}

// measured is what a sample says.
type measured struct {
	jobs.Cost
	Bytes, Allocs float64 // a call; of Go functions
	Failed        int
	First         error
	Served        float64 // items per second, if what is waited for takes no more; 0 if it does
}

// rung is what so many workers achieved.
type rung struct {
	Items  int
	Wall   time.Duration
	P95    time.Duration
	CPU    time.Duration
	Memory int64
	Failed int
}

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
	g.set.DurationVar(&f.budget, "budget", budget, "how long to measure, about")
	g.set.StringVar(&f.batch, "batch", "1", "items of a job, or of a call of a batch function")
	g.set.BoolVar(&f.json, "json", false, "write what was measured as JSON to standard output")
	g.set.BoolVarP(&f.verbose, "verbose", "v", false, "show what the subject prints")
	g.set.StringVar(&f.output.color, "color", "auto", "`auto`, always or never")
	addMixed(c, append([]group{f.input.group(), f.golang.group(), f.commandGroup(), g}, more...)...)
}

// commandGroup are the flags of a command that matter for what it costs.
func (f *measureFlags) commandGroup() group {
	g := newGroup("Command")
	g.set.StringVar(&f.command.script, "sh", "", "measure this `script`; the item is its \"$1\"")
	g.set.BoolVar(&f.command.stdin, "stdin", false, "the command reads the item from its standard input")
	g.set.StringVar(&f.command.dir, "chdir", "", "run commands in this `directory`")
	g.set.StringArrayVar(&f.command.env, "env", nil, "set `NAME=value` for commands")
	return g
}

// open loads the subject: arguments behind -- are a command, others a function.
func (f *measureFlags) open(c *cobra.Command, args []string) (*session, subject, *heading, error) {
	argv, list, given := splitItems(args)
	if f.budget <= 0 {
		return nil, nil, nil, exit.Usagef("--budget %v: want a time above 0", f.budget)
	}
	f.size.jobs, f.size.batch, f.output.progress, f.command.output, f.grace = "auto", f.batch, "none", "group", defaultGrace
	isCommand := c.ArgsLenAtDash() >= 0 || f.command.script != ""
	if isCommand && c.ArgsLenAtDash() > 0 {
		return nil, nil, nil, exit.Usagef("name a function or, behind --, a command, not both")
	}
	s, err := f.runFlags.open(c, c.Name(), argv, list, given)
	if err != nil {
		return nil, nil, nil, err
	}
	if isCommand {
		sub, head, err := f.openCommand(s, argv)
		return s, sub, head, err
	}
	sub, head, err := f.openFunction(s, argv)
	return s, sub, head, err
}

// heading says what is measured.
type heading struct {
	what  string // for a person, in a line
	lines []string
	code  string // how its caller would write it in Go; empty for commands
	argv  []string
	fn    *gofunc.Function
}

func (f *measureFlags) openCommand(s *session, argv []string) (subject, *heading, error) {
	if len(argv) == 0 && f.command.script == "" {
		return nil, nil, exit.Usagef("no command: write it behind --")
	}
	spec, err := command.Parse(f.command.config(&f.runFlags, argv), s.scope)
	if err != nil {
		return nil, nil, err
	}
	s.what = spec.What()
	if s.out, err = output.New(s.term, f.output.config(!f.verbose, false), s.scope); err != nil {
		return nil, nil, err
	}
	runner, err := command.New(spec, s.surroundings())
	if err != nil {
		return nil, nil, err
	}
	return &commandSubject{s: s, r: runner, guard: s.startGuard()}, &heading{what: s.what, argv: argv}, nil
}

func (f *measureFlags) openFunction(s *session, argv []string) (subject, *heading, error) {
	target, err := oneTarget(argv, f.golang.fn)
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	fn, err := function.Load(ctx, f.golang.config(target, f.batch != "1"), ownOutput(f.verbose))
	if err != nil {
		return nil, nil, err
	}
	binary, err := function.Build(ctx, fn, &s.groups)
	if err != nil {
		return nil, nil, err
	}
	batch := 1
	if f.batch != "1" {
		if batch = s.batch.Fixed; s.batch.Auto {
			batch = 100
		}
	}
	sub := &functionSubject{binary: binary, batch: batch, verbose: f.verbose, guard: s.startGuard()}
	head := &heading{
		what: strings.TrimSpace(fn.Name + "   " + fn.Type + "   " + fn.Place), lines: []string{buildNote(binary)}, code: fn.Code, fn: fn,
	}
	return sub, head, nil
}

// commandSubject is a command.
type commandSubject struct {
	s     *session
	r     *command.Runner
	guard *process.Guard
}

func (c *commandSubject) close() {
	c.r.Close()
	c.guard.Close()
}

func (c *commandSubject) config(list []items.Item, failed *int, first *error, collect *summary.Collector) jobs.Config {
	return jobs.Config{
		Items: slices.Values(list), Total: len(list), Attempt: c.r.Attempt, Control: c.s.control, Set: c.s.set,
		Batch: c.s.batch, Planned: func(jobs.Plan) {},
		Tried: func(j *jobs.Job, err error) error { collect.Tried(j); return nil },
		Over: func(j *jobs.Job) {
			if j.Err != nil {
				if *failed++; *first == nil {
					*first = fmt.Errorf("item %d: %w: %s", j.First().N, j.Err, summary.Message(j))
				}
			}
			_ = c.s.out.Over(j)
			j.Release()
		},
	}
}

func (c *commandSubject) sample(_ context.Context, list []items.Item, budget time.Duration) (m measured, err error) {
	var state jobs.State
	cfg := c.config(list, &m.Failed, &m.First, summary.NewCollector(&state, c.s.set))
	cfg.Budget = budget
	m.Cost = jobs.Measure(cfg, &state)
	return m, c.s.control.Stopped()
}

func (c *commandSubject) at(_ context.Context, list []items.Item, workers int) (r rung, err error) {
	var state jobs.State
	var first error
	collect := summary.NewCollector(&state, c.s.set)
	cfg := c.config(list, &r.Failed, &first, collect)
	cfg.Size = jobs.Size{Fixed: workers}
	if cfg.Batch.Auto {
		cfg.Batch = jobs.BatchSize{Fixed: 1}
	}
	result := jobs.Run(cfg, &state)
	sum := collect.Summary("tune", result, 0)
	r.Items, r.Wall, r.CPU, r.Memory = len(list), result.Took, time.Duration(state.CPU.Load()), sum.Peak.RSS
	r.P95 = time.Duration(sum.Job.P95 * float64(time.Second))
	return r, result.Err
}

// functionSubject is a Go function.
type functionSubject struct {
	binary  *gofunc.Binary
	batch   int
	verbose bool
	guard   *process.Guard
}

func (f *functionSubject) close() {
	f.binary.Close()
	f.guard.Close()
}

func (f *functionSubject) run(list []items.Item) gofunc.Run {
	return gofunc.Run{Items: list, Batch: f.batch, Output: ownOutput(f.verbose)}
}

func (f *functionSubject) sample(ctx context.Context, list []items.Item, budget time.Duration) (m measured, err error) {
	run := f.run(list)
	run.Budget = budget
	s, err := f.binary.Sample(ctx, run)
	if err != nil {
		return m, function.WithStatus(err)
	}
	m.Bytes, m.Allocs, m.Failed, m.First = s.Bytes, s.Allocs, s.Failed, s.First
	m.Cost = blockCost(s)
	return m, nil
}

// blockCost sums up blocks of calls. The first is left out: it is cold.
func blockCost(s *gofunc.Sample) jobs.Cost {
	blocks := s.Blocks
	if len(blocks) > 1 {
		blocks = blocks[1:]
	}
	c := jobs.Cost{Jobs: s.Items, Items: s.Items, Elapsed: s.Wall}
	calls, wall := 0, time.Duration(0)
	for _, b := range blocks {
		calls, wall = calls+b.Items, wall+b.Wall
	}
	if calls == 0 || s.Wall <= 0 {
		return c
	}
	mean := float64(wall) / float64(calls)
	deviation := 0.0
	for _, b := range blocks {
		d := float64(b.Wall)/float64(b.Items) - mean
		deviation += float64(b.Items) * d * d
	}
	if len(blocks) > 1 {
		c.CV = sqrt(deviation/float64(len(blocks)-1)) / mean
	}
	c.Wall = time.Duration(mean)
	c.CPU = time.Duration(mean * functionShare(s))
	return c
}

// functionShare is the part of the calls' time that was spent on a core. What is
// too short to tell counts as computing.
func functionShare(s *gofunc.Sample) float64 {
	all := time.Duration(0)
	for _, b := range s.Blocks {
		all += b.Wall
	}
	if all < time.Millisecond {
		return 1
	}
	return min(1, float64(s.CPU)/float64(all))
}

func (f *functionSubject) at(ctx context.Context, list []items.Item, workers int) (rung, error) {
	run := f.run(list)
	run.Workers = workers
	p, err := f.binary.Parallel(ctx, run)
	if err != nil {
		return rung{}, function.WithStatus(err)
	}
	return rung{Items: p.Items, Wall: p.Wall, P95: p.P95, CPU: p.CPU, Failed: p.Failed}, nil
}

// interrupted returns how the command ends: interrupted, if it was, whatever
// else that led to.
func (s *session) interrupted(err error) error {
	if s.control != nil && errors.Is(s.control.Stopped(), jobs.ErrInterrupted) {
		return exit.With(exit.Interrupted, nil)
	}
	if s.control != nil && errors.Is(s.control.Stopped(), jobs.ErrTerminated) {
		return exit.With(exit.Terminated, nil)
	}
	return err
}

// interruptible returns a context that ends with the first interrupt, and has the
// session's control stopped by it.
func (s *session) interruptible() (context.Context, func()) {
	s.control = jobs.NewControl(context.Background())
	stop := s.handleSignals()
	go func() {
		<-s.control.Context().Done()
		s.groups.Raise(process.Asked)
	}()
	return s.control.Context(), func() {
		stop()
		s.control.Stop(nil)
	}
}
