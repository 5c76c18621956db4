package run

import (
	"encoding/json"
	"errors"
	"iter"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// Log says how to use the log.
type Log struct {
	Path         string // "" keeps none
	Resume       bool   // items that have ended in it are left out
	ResumeFailed bool   // the same, except failed items
	Overwrite    bool   // its content is replaced, unless its run has not ended
	Extend       bool   // its content stays, and nothing is left out
	// From is the log of the run whose items are run again, "" if there is none: they keep the files of their
	// results.
	From string
}

// past returns the log of the runs that this one continues, "" if there are none.
func (l Log) past() string {
	if l.From == "" && (l.Resume || l.ResumeFailed) {
		return l.Path
	}
	return l.From
}

func (l Log) mode() joblog.Mode {
	switch {
	case l.Resume || l.ResumeFailed || l.Extend:
		return joblog.Continue
	case l.Overwrite:
		return joblog.Overwrite
	}
	return joblog.New
}

// logger is the observer that keeps a log. A nil one keeps none.
type logger struct {
	log    *joblog.Log
	state  *jobs.State
	file   func(*jobs.Job) string // that a job's result is in, "" if there is none
	failed atomic.Bool            // a line could not be written
}

// lost reports whether a line could not be written: later results would come twice.
func (l *logger) lost() bool { return l != nil && l.failed.Load() }

func (l *logger) write(line any) error {
	if err := l.log.Write(line); err != nil {
		l.failed.Store(true)
		return exit.Usagef("can't write the log: %w; free some space and continue with --resume", err)
	}
	return nil
}

// Planned does nothing: the end of the log has the plan.
func (l *logger) Planned(jobs.Plan) {}

// Tried records a failed attempt.
func (l *logger) Tried(j *jobs.Job, err error) error {
	if err == nil {
		return nil
	}
	return l.record("try", j, err)
}

// Over records the outcome of the job's items.
func (l *logger) Over(j *jobs.Job) error { return l.record("item", j, j.Err) }

// record writes a line for each item of a job.
func (l *logger) record(kind string, j *jobs.Job, err error) error {
	e := joblog.Entry{
		Type: kind, OK: err == nil, Tries: j.Tries, At: time.Since(l.state.Began).Seconds(), Wall: j.Wall.Seconds(),
		CPU: j.CPU.Seconds(), Memory: j.Memory,
	}
	if len(j.Batch) > 1 {
		e.Batch = len(j.Batch)
	}
	if err != nil {
		failed := *j
		failed.Err = err
		e.Why, e.Err = summary.Why(err, j.Status), summary.Message(&failed)
	}
	if kind == "item" {
		e.Took = j.Took.Seconds()
		e.Keep(l.file(j))
	}
	for _, it := range j.Batch {
		e.Describe(it)
		if err := l.write(e); err != nil {
			return errors.Join(jobs.ErrLog, err)
		}
		e.Keep("") // it is the first one's
	}
	return nil
}

// end writes the summary, and closes the log.
func (l *logger) end(sum summary.Summary) error {
	if l == nil {
		return nil
	}
	raw, err := json.Marshal(sum)
	if err == nil {
		err = l.log.Write(joblog.End{Type: "end", Summary: raw})
	}
	return errors.Join(err, l.log.Close())
}

// keepNames lets the items of the past keep the files of their results. It reads the log before the log is opened:
// closing a file would release all of this process's locks on it.
func (s *Session) keepNames() error {
	from := s.cfg.Log.past()
	if from == "" || s.out.Names() == nil {
		return nil
	}
	if err := joblog.Files(from, s.out.Names().Keep); err != nil {
		return exit.Usage(err)
	}
	return nil
}

// openLog opens the log, writes that a run begins, and leaves out the items that have ended.
func (s *Session) openLog() error {
	if s.cfg.Log.Path == "" {
		return nil
	}
	log, past, err := joblog.Open(s.cfg.Log.Path, s.cfg.Log.mode())
	if err != nil {
		return exit.Usage(err)
	}
	s.log = &logger{log: log, state: s.env.State, file: s.out.File}
	if past != nil && past.Damaged > 0 {
		s.env.Terminal.Sayf("amorsize: damaged lines of the log skipped: %d; their items run again", past.Damaged)
	}
	if past != nil && !s.cfg.Log.Extend {
		s.warnOther(past.Header)
		s.leaveOut(past.Finished(s.cfg.Log.ResumeFailed))
	}
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	err = s.log.write(joblog.Header{
		Type: "run", V: joblog.Version, Command: s.cfg.Name, Args: s.cfg.Args, Flags: s.cfg.Flags, Names: s.env.Input.Names(),
		Dir: dir, Host: host, PID: os.Getpid(), Started: time.Now().UTC().Truncate(time.Millisecond), Version: s.cfg.Version,
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	return nil
}

// leaveOut leaves out the items that have ended.
func (s *Session) leaveOut(done *joblog.Finished) {
	s.env.Input.Choose(func(all iter.Seq[items.Item]) iter.Seq[items.Item] {
		return done.Left(all, func() {
			if s.skipped++; s.env.Input.Total() >= 0 {
				s.env.State.Total.Add(-1)
			}
		})
	})
}

// warnOther warns that a log is continued with another command, or perhaps with one: items that have ended in it
// are left out nevertheless.
func (s *Session) warnOther(h joblog.Header) {
	if h.V == 0 {
		s.env.Terminal.Sayf("amorsize: the first line of the log, which has its command, is damaged or gone; its finished items are still skipped")
		return
	}
	if h.Command == s.cfg.Name && slices.Equal(h.Args, s.cfg.Args) && flagOf(h.Flags, "sh") == flagOf(s.cfg.Flags, "sh") {
		return
	}
	then := strings.TrimSpace(h.Command + " " + ui.ShellLine(secrets.Args(h.Args)) + " " + secrets.Hide(flagOf(h.Flags, "sh")))
	s.env.Terminal.Sayf("amorsize: the log is of another command: %s; its finished items are still skipped", summary.Printable(then))
}

func flagOf(flags [][2]string, name string) string {
	for _, f := range flags {
		if f[0] == name {
			return f[1]
		}
	}
	return ""
}
