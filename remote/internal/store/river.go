package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
)

// Working is a worker: who it is, and what it does with a job.
type Working struct {
	ID string
	// Do works the chunk of a job. It returns true when the job is finished, and otherwise the time after which it
	// is to be run again.
	Do   func(ctx context.Context, job Job, id int64) (done bool, again time.Duration)
	Poll time.Duration
	// SoftStop is how long chunks in flight may take once the worker is stopped.
	SoftStop time.Duration
	Log      *slog.Logger
}

// jobs are the operations of River that need no worker.
type jobs interface {
	pause(ctx context.Context, queue string) error
	resume(ctx context.Context, queue string) error
	drop(ctx context.Context, queue string) (more bool, err error)
}

// working is River's client for a worker.
type working interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
	add(queue string, at int) error
	remove(ctx context.Context, queue string) error
}

// attempts is how often River may hand out a job before it is discarded: practically forever, since only the
// machinery can make it fail.
const attempts = 30_000

// retention is how long River keeps a finished job: it is not used any more.
const retention = 10 * time.Minute

// never is when River may consider a job stuck. River relies on the clocks of workers; the reaper relies on that
// of the database.
const never = 10 * 365 * 24 * time.Hour

// engine is River over one of the drivers.
type engine[TTx any] struct {
	driver riverdriver.Driver[TTx]
	schema string
	clock  *clock
	river  *river.Client[TTx] // inserts only
}

func newEngine[TTx any](driver riverdriver.Driver[TTx], schema string, log *slog.Logger, c *clock) (*engine[TTx], error) {
	client, err := river.NewClient(driver, &river.Config{Schema: schema, Logger: log, FetchCooldown: cooldown, Test: river.TestConfig{Time: c}})
	if err != nil {
		return nil, err
	}
	return &engine[TTx]{driver, schema, c, client}, nil
}

// cooldown bounds how often a queue is polled for jobs; at 10 ms a chunk's way takes 8 ms, at River's 100 ms it
// takes 80.
const cooldown = 10 * time.Millisecond

func (e *engine[TTx]) migrator(log *slog.Logger) (*rivermigrate.Migrator[TTx], error) {
	return rivermigrate.New(e.driver, &rivermigrate.Config{Schema: e.schema, Logger: log})
}

func (e *engine[TTx]) check(ctx context.Context, log *slog.Logger) ([]string, error) {
	m, err := e.migrator(log)
	if err != nil {
		return nil, err
	}
	found, err := m.Validate(ctx, nil)
	if err != nil {
		return nil, err
	}
	return found.Messages, nil
}

func (e *engine[TTx]) insert(ctx context.Context, tx TTx, jobs []queued) error {
	params := make([]river.InsertManyParams, len(jobs))
	for i, q := range jobs {
		params[i] = river.InsertManyParams{Args: q.job, InsertOpts: &river.InsertOpts{Queue: q.queue, Priority: q.when, MaxAttempts: attempts}}
	}
	_, err := e.river.InsertManyFastTx(ctx, tx, params)
	return err
}

func (e *engine[TTx]) pause(ctx context.Context, queue string) error {
	return ignoreNotFound(e.river.QueuePause(ctx, queue, nil))
}

func (e *engine[TTx]) resume(ctx context.Context, queue string) error {
	return ignoreNotFound(e.river.QueueResume(ctx, queue, nil))
}

// ignoreNotFound: River does not know a queue that was never worked.
func ignoreNotFound(err error) error {
	if errors.Is(err, river.ErrNotFound) {
		return nil
	}
	return err
}

// drop deletes jobs that do not run, a bounded number at a time.
func (e *engine[TTx]) drop(ctx context.Context, queue string) (more bool, err error) {
	const batch = 10_000
	deleted, err := e.river.JobDeleteMany(ctx, river.NewJobDeleteManyParams().Queues(queue).First(batch))
	if err != nil {
		return false, err
	}
	return len(deleted.Jobs) == batch, nil
}

func (e *engine[TTx]) work(w Working) (*client[TTx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{do: w.Do})
	c, err := river.NewClient(e.driver, &river.Config{
		ID:                          w.ID,
		Schema:                      e.schema,
		Logger:                      w.Log,
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{Quarantine: {MaxWorkers: 1}},
		FetchCooldown:               cooldown,
		FetchPollInterval:           w.Poll,
		JobTimeout:                  -1, // items have time-outs
		RescueStuckJobsAfter:        never,
		CompletedJobRetentionPeriod: retention,
		SoftStopTimeout:             w.SoftStop,
		Test:                        river.TestConfig{Time: e.clock}, // there is no other way to give it a clock
	})
	if err != nil {
		return nil, err
	}
	return &client[TTx]{c}, nil
}

type client[TTx any] struct{ river *river.Client[TTx] }

func (c *client[TTx]) start(ctx context.Context) error { return c.river.Start(ctx) }
func (c *client[TTx]) stop(ctx context.Context) error  { return c.river.Stop(ctx) }
func (c *client[TTx]) add(queue string, at int) error {
	return c.river.Queues().Add(queue, river.QueueConfig{MaxWorkers: at})
}
func (c *client[TTx]) remove(ctx context.Context, queue string) error {
	return c.river.Queues().Remove(ctx, queue)
}

// worker passes jobs to the function that works chunks.
type worker struct {
	river.WorkerDefaults[Job]
	do func(ctx context.Context, job Job, id int64) (bool, time.Duration)
}

func (w *worker) Work(ctx context.Context, job *river.Job[Job]) error {
	done, again := w.do(ctx, job.Args, job.ID)
	if done {
		return nil
	}
	return river.JobSnooze(max(again, 0))
}

// Fetch is a running worker.
type Fetch struct{ w working }

// Work makes a worker that fetches no job yet; see [Fetch.Start].
func (s *Store) Work(ctx context.Context, w Working) (*Fetch, error) {
	working, err := s.db.work(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("start River: %w", err)
	}
	return &Fetch{working}, nil
}

// Start begins to fetch jobs, until ctx ends or Stop is called.
func (f *Fetch) Start(ctx context.Context) error { return f.w.start(ctx) }

// Stop fetches no further job, and waits for those under way until ctx ends.
func (f *Fetch) Stop(ctx context.Context) error { return f.w.stop(ctx) }

// Add also fetches from a queue, up to at jobs at once.
func (f *Fetch) Add(queue string, at int) error { return f.w.add(queue, at) }

// Remove stops fetching from a queue, and waits for its jobs in flight until ctx ends. It returns true if there
// are none.
func (f *Fetch) Remove(ctx context.Context, queue string) (gone bool, err error) {
	err = f.w.remove(ctx, queue)
	var unknown *river.QueueNotFoundError
	if err == nil || errors.As(err, &unknown) {
		return true, nil
	}
	return false, err
}

// Clients returns River's client for this database: the other is nil.
func (s *Store) Clients() (postgresql *river.Client[pgx.Tx], lite *river.Client[*sql.Tx]) {
	switch db := s.db.(type) {
	case *postgres:
		return db.river, nil
	case *sqlite:
		return nil, db.river
	}
	return nil, nil
}
