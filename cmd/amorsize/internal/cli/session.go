package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
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

// session is one run of items from the command line, whatever a job is.
type session struct {
	flags *runFlags
	name  string   // of the sub-command
	what  string   // a job is, for a person
	args  []string // to be kept in the log
	given [][2]string

	source  items.Source
	input   *items.Input
	scope   template.Scope
	size    jobs.Size
	batch   jobs.BatchSize
	set     *policies.Set
	halt    policies.Halt
	term    *ui.Terminal
	control *jobs.Control
	groups  process.Groups
	state   jobs.State
	out     *output.Output
	collect *summary.Collector
	log     *joblog.Log
	logLost atomic.Bool // a line of it could not be written
	skipped int
	failed  atomic.Int64 // items, for --halt
	note    noteBox
	settle  func() // looks whether results were right, when all have been; may stop the run; nil if there is nothing to look at
	killed  func() // ends what runs and is no process group of its own; nil if there is none
}

// open checks all flags and opens the input: nothing has been run or written
// after an error.
func (f *runFlags) open(c *cobra.Command, name string, args []string, list []string, given bool) (*session, error) {
	s := &session{flags: f, name: name, args: args}
	c.Flags().Visit(func(flag *pflag.Flag) { s.given = append(s.given, [2]string{flag.Name, flag.Value.String()}) })
	var err error
	if s.source, err = f.input.check(list, given); err != nil {
		return nil, err
	}
	if s.size, err = jobs.ParseSize(f.size.jobs); err != nil {
		return nil, exit.Usage(err)
	}
	if s.batch, err = jobs.ParseBatch(f.size.batch); err != nil {
		return nil, exit.Usage(err)
	}
	if s.set, s.halt, err = f.policy.check(); err != nil {
		return nil, err
	}
	s.set.Opening = func(why string) {
		s.term.Sayf("amorsize: the breaker is open, calls are held back: %s", summary.Brief(secrets.Hide(why), 200))
	}
	if err = f.output.check(); err != nil {
		return nil, err
	}
	if f.size.bisect && f.output.order {
		return nil, exit.Usagef("--bisect runs parts of a batch later: it excludes --order")
	}
	if f.grace < 0 {
		return nil, exit.Usagef("--grace %v: want a time above 0", f.grace)
	}
	s.term = ui.NewTerminal(os.Stdout, os.Stderr, ui.Color(f.output.color))
	if s.input, err = s.source.Open(os.Stdin); err != nil {
		return nil, exit.Usage(err)
	}
	s.scope = template.Scope{Columns: s.input.Columns(), Several: s.input.Several(), Names: s.input.Names(), Any: s.input.Records()}
	return s, nil
}

// reopen takes the items from elsewhere.
func (s *session) reopen(source items.Source) (err error) {
	_ = s.input.Close()
	if s.input, err = source.Open(os.Stdin); err != nil {
		return exit.Usage(err)
	}
	s.scope = template.Scope{Columns: s.input.Columns(), Several: s.input.Several(), Names: s.input.Names(), Any: s.input.Records()}
	return nil
}

// resume opens the log, and reads which items are over.
func (s *session) resume() error {
	o := s.flags.output
	if err := s.apart(); err != nil {
		return err
	}
	if err := s.keepNames(); err != nil || o.log == "" {
		return err
	}
	mode := joblog.New
	switch again := o.resume || o.again; {
	case again || o.extend:
		mode = joblog.Continue
	case o.overwrite:
		mode = joblog.Overwrite
	}
	log, past, err := joblog.Open(o.log, mode)
	if err != nil {
		return exit.Usage(err)
	}
	s.log = log
	if past != nil && !o.extend {
		s.warnOther(past.Header)
		s.leaveOut(past.Finished(o.again))
	}
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	return s.write(joblog.Header{
		Type: "run", V: joblog.Version, Command: s.name, Args: s.args, Flags: s.given, Names: s.input.Names(),
		Dir: dir, Host: host, Started: time.Now().UTC().Truncate(time.Millisecond), Version: version(),
	})
}

// write adds a line to the log.
func (s *session) write(line any) error {
	if err := s.log.Write(line); err != nil {
		s.logLost.Store(true)
		return exit.Usagef("can't write the log: %w; free some room and continue with --resume", err)
	}
	return nil
}

// leaveOut leaves out the items that are over.
func (s *session) leaveOut(done *joblog.Finished) {
	s.input.Choose(func(all iter.Seq[items.Item]) iter.Seq[items.Item] {
		return done.Left(all, func() {
			if s.skipped++; s.input.Total() >= 0 {
				s.state.Total.Add(-1)
			}
		})
	})
}

// pending returns the items that are not over, each with a name for its result.
func (s *session) pending() iter.Seq[items.Item] {
	names := s.out.Names()
	if names == nil {
		return s.input.All()
	}
	names.Reserve(s.reserved())
	return func(yield func(items.Item) bool) {
		for it := range s.input.All() {
			if err := names.Claim(it); err != nil {
				s.control.Stop(err)
				return
			}
			if !yield(it) {
				return
			}
		}
	}
}

// run runs the items, and returns how the command ends.
func (s *session) run(cfg jobs.Config) error {
	defer func() { _ = s.input.Close() }()
	if err := s.resume(); err != nil {
		return err
	}
	s.control = jobs.NewControl(context.Background())
	s.collect = summary.NewCollector(&s.state, s.set)
	cfg.Items, cfg.Total, cfg.Control, cfg.Set = s.counted(), s.input.Total(), s.control, s.set
	cfg.Size, cfg.Batch, cfg.Ordered, cfg.Bisect = s.size, s.batch, s.flags.output.order, s.flags.size.bisect
	cfg.Planned, cfg.Tried, cfg.Lost, cfg.Over = s.planned, s.tried, s.lost, s.over
	if s.flags.policy.deadline > 0 {
		timer := time.AfterFunc(s.flags.policy.deadline, func() { s.control.Stopf(jobs.ErrDeadline, "%v", s.flags.policy.deadline) })
		defer timer.Stop()
	}
	stopSignals := s.handleSignals()
	s.state.Began = time.Now() // before somebody looks at it
	stopProgress := s.showProgress()
	result := jobs.Run(cfg, &s.state)
	if s.settle != nil {
		s.settle()
		result.Err = s.control.Stopped()
	}
	stopProgress()
	stopSignals()
	return s.finish(result)
}

// counted returns the items and learns their number when they are all read.
func (s *session) counted() iter.Seq[items.Item] {
	return func(yield func(items.Item) bool) {
		n := int64(0)
		for it := range s.pending() {
			n++
			if !yield(it) {
				return
			}
		}
		s.state.Total.CompareAndSwap(-1, n)
		if err := s.input.Err(); err != nil {
			s.control.Stop(err)
		}
	}
}

func (s *session) tried(j *jobs.Job, err error) error {
	s.collect.Tried(j)
	if err == nil {
		return nil
	}
	if s.flags.output.verbose {
		s.term.Sayf("  #%d %q try %d: %s", j.First().N, summary.Brief(secrets.Hide(j.First().Text), 60), j.Tries,
			summary.Brief(secrets.Hide(err.Error()), 300))
	}
	if s.log == nil {
		return nil
	}
	return s.record("try", j, err)
}

// record writes a line for each item of a job.
func (s *session) record(kind string, j *jobs.Job, err error) error {
	e := joblog.Entry{
		Type: kind, OK: err == nil, Tries: j.Tries, At: time.Since(s.state.Began).Seconds(), Wall: j.Wall.Seconds(),
		CPU: j.CPU.Seconds(), Memory: j.Memory,
	}
	if len(j.Batch) > 1 {
		e.Batch = len(j.Batch)
	}
	if kind == "item" {
		e.Took = j.Took.Seconds()
	}
	if err != nil {
		failed := *j
		failed.Err = err
		e.Why, e.Err = summary.Why(err, j.Status), summary.Message(&failed)
	}
	if kind == "item" {
		e.File = s.out.File(j)
	}
	for _, it := range j.Batch {
		e.Item, e.Item64 = nil, ""
		e.Describe(it)
		if err := s.write(e); err != nil {
			return err
		}
		e.File = "" // it is the first one's
	}
	return nil
}

// lost ends the run if so many items have failed that it is to be halted.
func (s *session) lost(items int) {
	failed := int(s.failed.Add(int64(items)))
	if !s.halt.Reached(failed, max(failed, int(s.state.Done.Load()))) {
		return
	}
	s.control.Stopf(jobs.ErrHalted, "--halt %s", s.flags.policy.halt)
	if s.flags.policy.haltNow {
		s.groups.Raise(process.Asked)
		if s.killed != nil {
			s.killed()
		}
	}
}

// over passes on a job that is over. Once the log can't be written, nothing is.
func (s *session) over(j *jobs.Job) {
	defer j.Release()
	if s.logLost.Load() {
		return // the log would not tell that it is over: its result would come twice
	}
	if err := s.out.Over(j); err != nil {
		s.outputFailed(err)
		return // what has no result is not over: it is run again
	}
	if s.log != nil {
		if err := s.record("item", j, j.Err); err != nil {
			s.control.Stop(errors.Join(jobs.ErrLog, err))
		}
	}
	s.collect.Over(j)
}

func (s *session) outputFailed(err error) {
	if ui.ErrPipe(err) {
		s.control.Stop(jobs.ErrPipe)
		s.groups.Raise(process.Asked)
		return
	}
	s.control.Stop(fmt.Errorf("%w: %w", jobs.ErrOutput, err))
}

// keepNames has the items of the past keep the files of their results. It reads the
// log before that is opened: a file that is closed is no longer locked by anybody
// in this process.
func (s *session) keepNames() error {
	o := s.flags.output
	from := o.from
	if from == "" && (o.resume || o.again) {
		from = o.log
	}
	if from == "" || s.out.Names() == nil {
		return nil
	}
	if err := joblog.Files(from, s.out.Names().Keep); err != nil {
		return exit.Usage(err)
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

// timeout returns how long an attempt may take; 0 is for ever.
func (s *session) timeout() time.Duration {
	t := s.set.Timeout
	if t.Times > 0 {
		return time.Duration(t.Times * float64(s.state.Usual()))
	}
	return t.Fixed
}

// surroundings are what commands need of a session.
func (s *session) surroundings() command.Surroundings {
	return command.Surroundings{
		Groups: &s.groups, Grace: s.flags.grace, Timeout: s.timeout, Lines: s.lines,
		Stop: func(err error) { s.control.Stop(err) },
	}
}

// lines returns what passes on the lines of a job while it runs.
func (s *session) lines(j *jobs.Job, slot int) (func([]byte, bool), error) {
	pass, err := s.out.Lines(j, slot)
	return func(line []byte, stderr bool) {
		if err := pass(line, stderr); err != nil {
			s.outputFailed(err)
		}
	}, err
}

// preview writes what would be run for each item.
func (s *session) preview(of func(items.Item) (string, error)) error {
	for it := range s.input.All() {
		line, err := of(it)
		if err != nil {
			return exit.Usage(err)
		}
		if err := s.term.Text([]byte(line+"\n"), false); err != nil {
			return err
		}
	}
	if err := s.input.Err(); err != nil {
		return exit.Usage(err)
	}
	return nil
}
