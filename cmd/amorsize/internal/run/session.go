// Package run owns the life of a run of any kind of jobs: its items, the log that it is resumed from, signals,
// results, progress, and the summary. A Runner runs the jobs.
package run

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

// Runner runs jobs of one kind. Its creator closes it, after the run.
type Runner interface {
	// Attempt runs a job once, as jobs.Attempt says.
	Attempt(ctx context.Context, j *jobs.Job, slot int) error
	// Traits returns what the run has to know of the jobs.
	Traits() jobs.Traits
	// Close releases what the runner holds, when no attempt is in flight.
	Close()
}

// Killer is a Runner whose attempts are not process groups: Kill ends those in flight, and those that are still to
// begin.
type Killer interface{ Kill() }

// Settler is a Runner that learns only when all jobs have ended whether their results were right: if not, Settle
// stops the run.
type Settler interface{ Settle() }

// Metered is a Runner that knows what calls have cost: nil if that was not requested.
type Metered interface{ Usage() *usage.Total }

// Config says how a session runs its jobs. It must have been checked.
type Config struct {
	Name     string      // of the sub-command
	Args     []string    // for the log
	Flags    [][2]string // that were given, with their values, for the log
	Version  string      // of this program
	What     string      // a job is, for a person
	Size     jobs.Size
	Batch    jobs.BatchSize
	Ordered  bool // results come in the order of the items
	Bisect   bool // batches that failed are run again in halves
	Policies *policies.Set
	Ends     Ends
	Log      Log
	Show     Show
	Summary  Summary
}

// Ends says when a run ends before all items have run.
type Ends struct {
	Halt     policies.Halt
	HaltText string // as given
	HaltNow  bool   // then running jobs are ended, too
	Deadline time.Duration
	Grace    time.Duration // between the steps of a termination
}

// Session is one run. It is complete when it is created, and runs once.
type Session struct {
	cfg       Config
	env       *Environment
	out       *output.Output
	runner    Runner
	log       *logger // nil if there is none
	display   *display
	collector *summary.Collector
	observers []jobs.Observer
	skipped   int          // items that had ended in the log
	failed    atomic.Int64 // items, for Ends.Halt
}

// New returns a session with an open log; the items that have ended in the log are left out. The error is one of
// usage.
func New(cfg Config, env *Environment, out *output.Output, runner Runner) (*Session, error) {
	s := &Session{
		cfg: cfg, env: env, out: out, runner: runner,
		collector: summary.NewCollector(env.State, cfg.Policies),
		display: &display{
			show: cfg.Show, what: cfg.What, term: env.Terminal, state: env.State, set: cfg.Policies, total: env.Input.Total(),
		},
	}
	for _, step := range []func() error{s.apart, s.keepNames, s.openLog} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if names := out.Names(); names != nil {
		names.Reserve(s.reserved())
	}
	cfg.Policies.Again = runner.Traits().Again
	cfg.Policies.Opening = func(why string) {
		env.Terminal.Sayf("amorsize: the breaker is open, calls are paused: %s", summary.Brief(secrets.Hide(why), 200))
	}
	s.observers = []jobs.Observer{s.collector, s.display}
	if s.log != nil {
		s.observers = append(s.observers, s.log)
	}
	return s, nil
}

// Run runs the items, and returns how the command ends.
func (s *Session) Run() error {
	if after := s.cfg.Ends.Deadline; after > 0 {
		timer := time.AfterFunc(after, func() { s.env.Control.Stopf(jobs.ErrDeadline, "%v", after) })
		defer timer.Stop()
	}
	stopSignals := s.env.HandleSignals(s.cfg.Ends.Grace, s.kill, s.display.say)
	stopPage, err := s.livePage()
	if err != nil {
		stopSignals()
		return exit.Usagef("--live %s: %v", s.cfg.Show.Live, err)
	}
	defer stopPage()
	s.env.State.Began = time.Now() // before it is read
	stopProgress := s.display.showProgress(s.collector.Tick)
	result := jobs.Run(jobs.Config{
		Traits: s.runner.Traits(), Items: s.items(), Total: s.env.Input.Total(), Attempt: s.runner.Attempt,
		Control: s.env.Control, Set: s.cfg.Policies, Size: s.cfg.Size, Batch: s.cfg.Batch,
		Ordered: s.cfg.Ordered, Bisect: s.cfg.Bisect, Observer: audience{s}, Lost: s.lost,
		Name: summary.Brief(secrets.Hide(s.cfg.What), 80),
	}, s.env.State)
	if r, ok := s.runner.(Settler); ok {
		r.Settle()
		result.Err = s.env.Control.Stopped()
	}
	stopProgress()
	stopSignals()
	return s.finish(result)
}

// items returns the items that have not ended, each with a name for its result. It learns their number when they
// have all been read.
func (s *Session) items() iter.Seq[items.Item] {
	return func(yield func(items.Item) bool) {
		n := int64(0)
		for it := range s.env.Input.All() {
			if err := s.claim(it); err != nil {
				s.env.Control.Stop(err)
				break
			}
			n++
			if !yield(it) {
				return
			}
		}
		s.env.State.Total.CompareAndSwap(-1, n)
		if err := s.env.Input.Err(); err != nil {
			s.env.Control.Stop(err)
		}
	}
}

// claim reserves a name for the item's result, if results are files.
func (s *Session) claim(it items.Item) error {
	if names := s.out.Names(); names != nil {
		return names.Claim(it)
	}
	return nil
}

// audience is the observers of the session's run.
type audience struct{ s *Session }

// Planned passes the plan to the observers.
func (a audience) Planned(p jobs.Plan) {
	for _, o := range a.s.observers {
		o.Planned(p)
	}
}

// Tried passes an attempt to the observers.
func (a audience) Tried(j *jobs.Job, err error) error {
	var failure error
	for _, o := range a.s.observers {
		failure = errors.Join(failure, o.Tried(j, err))
	}
	return failure
}

// Over passes on a job that has ended, and informs the observers. Once the log can't be written, it does neither:
// the log would not record that the job has ended, and its result would come twice.
func (a audience) Over(j *jobs.Job) error {
	defer j.Release()
	if a.s.log.lost() {
		return nil
	}
	if err := a.s.out.Over(j); err != nil {
		return a.s.env.outputError(err) // an item without a result has not ended: it is run again
	}
	var failure error
	for _, o := range a.s.observers {
		failure = errors.Join(failure, o.Over(j))
	}
	return failure
}

// lost ends the run if enough items have failed to halt it.
func (s *Session) lost(items int) {
	failed := int(s.failed.Add(int64(items)))
	if !s.cfg.Ends.Halt.Reached(failed, max(failed, int(s.env.State.Done.Load()))) {
		return
	}
	s.env.Control.Stopf(jobs.ErrHalted, "--halt %s", s.cfg.Ends.HaltText)
	if s.cfg.Ends.HaltNow {
		s.env.Groups.Raise(process.Asked)
		s.kill()
	}
}

// kill ends running attempts that are not process groups.
func (s *Session) kill() {
	if r, ok := s.runner.(Killer); ok {
		r.Kill()
	}
}
