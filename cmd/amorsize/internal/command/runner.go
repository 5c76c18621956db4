package command

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// Surroundings are what a Runner gets from its run.
type Surroundings struct {
	Groups  *process.Groups
	Grace   time.Duration        // between asking a command to end and killing it
	Timeout func() time.Duration // of an attempt that begins now; 0 is none
	// Lines returns a function that passes on the lines of a running job, in mode Line.
	Lines func(j *jobs.Job, slot int) (func(line []byte, stderr bool), error)
	// Stop ends the run: results that have been passed on may be wrong.
	Stop func(error)
}

// Runner runs a command. It is safe for concurrent use.
type Runner struct {
	*Spec
	around  Surroundings
	spawner *process.Spawner
	workers *workerPool // nil if each job has a process of its own
	tries   string
}

// New returns a runner. No process is started before the first attempt.
func New(spec *Spec, around Surroundings) (*Runner, error) {
	spawner, err := process.NewSpawner(process.Config{
		Mode: spec.cfg.Mode, Merge: spec.cfg.Merge, Dir: spec.cfg.Dir, Env: spec.environment(),
		Grace: around.Grace, Groups: around.Groups,
	})
	if err != nil {
		return nil, err
	}
	r := &Runner{Spec: spec, around: around, spawner: spawner, tries: attempts + "=" + strconv.Itoa(1+spec.cfg.Retries)}
	if spec.cfg.Worker != NoWorker {
		r.workers = newWorkerPool(r)
	}
	return r, nil
}

// The variables that are set for each job.
const (
	itemNo   = "AMORSIZE_ITEM_NO"
	slotNo   = "AMORSIZE_SLOT"
	attempt  = "AMORSIZE_ATTEMPT"
	attempts = "AMORSIZE_ATTEMPTS"
)

// environment returns our own environment, with what is set for commands. A name is there once, and not at all if it
// is set for each job: of two values, some programs take the first one and some the last one.
func (s *Spec) environment() []string {
	env := (&exec.Cmd{Env: append(os.Environ(), s.cfg.Env...)}).Environ()
	if s.cfg.Worker != NoWorker {
		return env
	}
	return slices.DeleteFunc(env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{itemNo, slotNo, attempt, attempts}, name)
	})
}

// Close ends the workers, when no attempt is running, and releases what is held.
func (r *Runner) Close() {
	if r.workers != nil {
		r.workers.close()
	}
	r.spawner.Close()
}

// Settle checks the workers when all jobs have ended: a worker that has written extra lines stops the run.
func (r *Runner) Settle() {
	if r.workers != nil {
		r.workers.settle()
	}
}

// Attempt runs the command for a job.
func (r *Runner) Attempt(_ context.Context, j *jobs.Job, slot int) error {
	if r.workers != nil {
		return r.workers.attempt(j, slot)
	}
	c, err := r.processOf(j, slot)
	if err != nil {
		return err
	}
	j.Outcome, err = r.spawner.Run(c)
	return err
}

// processOf returns the process for a job.
func (r *Runner) processOf(j *jobs.Job, slot int) (c process.Command, err error) {
	argv, err := r.argv(j.Batch, slot)
	if err != nil {
		return c, &process.SpawnError{Program: "the command", Err: err}
	}
	first, path := j.First(), r.path
	if r.nice != "" { // a priority that is set once the command runs comes too late
		if path != "" {
			argv[0] = path
		}
		path, argv = r.nice, append([]string{"nice", "-n", strconv.Itoa(r.cfg.Nice)}, argv...)
	}
	c = process.Command{
		Path: path, Argv: argv, Slot: slot, Timeout: r.around.Timeout(), Item: first.Text,
		Env: []string{
			itemNo + "=" + strconv.Itoa(first.N), slotNo + "=" + strconv.Itoa(slot),
			attempt + "=" + strconv.Itoa(j.Tries), r.tries,
		},
	}
	if r.cfg.Stdin {
		c.Feed, c.Stdin = true, r.stdin(j.Batch)
	}
	if r.cfg.Mode == process.Line {
		c.Line, err = r.around.Lines(j, slot)
	}
	return c, err
}

// Traits returns what a run has to know of commands.
func (r *Runner) Traits() jobs.Traits {
	caps := fileCaps(process.OpenFiles(), process.FileSlots(), r.cfg.InOrder)
	t := jobs.Traits{Caps: caps, Extra: policies.MaxLoad(r.cfg.MaxLoad), Seen: seen}
	if r.cfg.Pipe { // this number may wait in memory
		t.Caps.Works = max(1, blocksKept/r.cfg.Block)
	}
	if !r.cfg.Stdin {
		t.Weigh, t.Most = r.weigh, commandLine
	}
	return t
}

// blocksKept is how many bytes of blocks are in memory, if the slots do not need more.
const blocksKept = 64 << 20

// fileCaps returns how many slots open files allow. A job has two files of output and one for the process. If the
// number of slots is measured, the same number of jobs waits to be passed on, and some files are kept in reserve. In
// order, a job has the ends of two pipes, and two files of waiting lines.
func fileCaps(limit, slots int, inOrder bool) jobs.Caps {
	switch {
	case limit == 0: // it isn't known
		return jobs.Caps{}
	case inOrder:
		return jobs.Caps{Files: slots, Fixed: slots}
	}
	return jobs.Caps{Files: slots, Fixed: max(1, (limit-16)/5)}
}

// seen adds the end of the output to the information about a failure.
func seen(j *jobs.Job, s *policies.Seen) {
	const most = 64 << 10
	s.Out = func() []byte { return j.Out.Tail(most) }
	s.Stderr = func() []byte { return j.Outcome.Err.Tail(most) }
}
