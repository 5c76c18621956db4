package profiling

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// Commands is a subject whose jobs are attempts of this process: commands.
type Commands struct {
	Attempt jobs.Attempt
	Control *jobs.Control // ends a measurement
	Set     *policies.Set
	Batch   jobs.BatchSize
	Results func(*jobs.Job) error // takes what jobs wrote
	Release func()                // is called by Close
}

// Close releases what the commands hold.
func (c *Commands) Close() { c.Release() }

// Sample runs commands one after the other.
func (c *Commands) Sample(_ context.Context, list []items.Item, budget time.Duration) (m Measured, err error) {
	var state jobs.State
	w := &watcher{Collector: summary.NewCollector(&state, c.Set), results: c.Results}
	cfg := c.config(list, w)
	cfg.Budget = budget
	m.Cost = jobs.Measure(cfg, &state)
	m.Failed, m.First = w.failed, w.first
	return m, c.Control.Stopped()
}

// RunAt runs the commands with that number of workers. Where the size of a batch is to be found, jobs have one
// item.
func (c *Commands) RunAt(_ context.Context, list []items.Item, workers, batch int) (Rung, error) {
	var state jobs.State
	w := &watcher{Collector: summary.NewCollector(&state, c.Set), results: c.Results}
	cfg := c.config(list, w)
	cfg.Size = jobs.Size{Fixed: workers}
	switch {
	case batch > 0:
		cfg.Batch = jobs.BatchSize{Fixed: batch}
	case cfg.Batch.Auto:
		cfg.Batch = jobs.BatchSize{Fixed: 1}
	}
	result := jobs.Run(cfg, &state)
	sum := w.Summary("tune", result, 0)
	return Rung{
		Items: len(list), Wall: result.Took, P95: time.Duration(sum.Job.P95 * float64(time.Second)),
		CPU: time.Duration(state.CPU.Load()), Memory: sum.Peak.RSS, Failed: w.failed,
	}, result.Err
}

func (c *Commands) config(list []items.Item, w *watcher) jobs.Config {
	return jobs.Config{
		Items: slices.Values(list), Total: len(list), Attempt: c.Attempt, Control: c.Control, Set: c.Set, Batch: c.Batch, Observer: w,
	}
}

// watcher is the observer of a measurement: it keeps the first failure, and passes on the output of jobs.
type watcher struct {
	*summary.Collector
	results func(*jobs.Job) error
	failed  int
	first   error
}

// Over counts a failure. It does not matter here that a job's output can't be passed on.
func (w *watcher) Over(j *jobs.Job) error {
	if j.Err != nil {
		if w.failed++; w.first == nil {
			w.first = fmt.Errorf("item %d: %w: %s", j.First().N, j.Err, summary.Message(j))
		}
	}
	_ = w.results(j)
	j.Release()
	return nil
}
