package executor

import (
	"cmp"
	"context"
	"runtime/pprof"
	"runtime/trace"
)

// labels mark a run in CPU profiles and execution traces. A nil *labels marks nothing.
type labels struct {
	before context.Context // with the labels of the run's caller
	marked context.Context // with the run's labels
	task   *trace.Task     // ends with the run
	title  string
}

// nothing is done where there is nothing to end.
func nothing() {}

// mark labels the goroutine as the run's, if labels are on, until unmark is called. It returns the
// context of the run's calls: goroutines that they start have the same labels.
func (c *Config) mark(ctx context.Context) (marked context.Context, unmark func()) {
	if !c.Labels {
		return ctx, nothing
	}
	l := newLabels(ctx, c)
	c.labels = l
	l.enter()
	return l.marked, func() {
		pprof.SetGoroutineLabels(l.before)
		l.task.End()
	}
}

func newLabels(ctx context.Context, cfg *Config) *labels {
	function := cmp.Or(nameOf(cfg.code), "unknown")
	l := &labels{before: ctx, title: cmp.Or(cfg.Name, function)}
	traced, task := trace.NewTask(ctx, "amorsize: "+l.title)
	l.task = task
	l.marked = pprof.WithLabels(traced, pprof.Labels("amorsize_run", l.title, "amorsize_function", function))
	return l
}

// enter labels a goroutine of the run.
func (l *labels) enter() {
	if l != nil {
		pprof.SetGoroutineLabels(l.marked)
	}
}

// claim begins the region of a claim, if a trace is being taken, and returns the function that
// ends it.
func (l *labels) claim() (end func()) {
	if l == nil {
		return nothing
	}
	l.enter() // an item may have set other labels, as a nested run does
	if !trace.IsEnabled() {
		return nothing
	}
	return trace.StartRegion(l.marked, "amorsize claim: "+l.title).End
}
