package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/amorsize/amorsize/remote/internal/store"
)

// Worker is how a process works for a cluster. The zero value is useful, and is what [Work] uses.
type Worker struct {
	// MaxChunks is how many chunks of a run the process has at most at a time, 2 to 1000; 256 if 0. It is a bound
	// on memory. How many calls are in flight is not its affair: measurement finds that, within the options that
	// the function was registered with.
	MaxChunks int

	only string // the run to work; "" for all
}

// Work works the runs of all functions that the program has registered, until ctx ends: then items under way are
// completed, those that were not begun are given back, and nil is returned. Any number of processes may do so, on
// any number of machines. It returns an error at once if a function was registered wrongly, or if the database
// is not there; later it waits for that to come back.
//
// An item that ends the process, or has the machine run out of memory, is found: docs/remote.md says how.
func Work(ctx context.Context, cluster *Cluster) error { return Worker{}.Work(ctx, cluster) }

// Work works with these settings; see the function [Work].
func (w Worker) Work(ctx context.Context, cluster *Cluster) error {
	if ctx.Err() != nil {
		return nil
	}
	defaults(&w.MaxChunks, 256)
	if w.MaxChunks < 2 || w.MaxChunks > 1000 {
		return &ConfigError{"MaxChunks", w.MaxChunks, "2 to 1000"}
	}
	functions := registered.all()
	if len(functions) == 0 {
		return &ConfigError{"Functions", "none", "registered, by Register, before a program works"}
	}
	crew := &crew{
		Cluster: cluster, settings: w, functions: map[string]function{},
		pipes: map[string]pipe{}, queues: map[string]*queue{}, busy: map[int64]bool{}, log: cluster.cfg.Logger,
	}
	for _, f := range functions {
		if err := f.problem(ctx); err != nil {
			return err
		}
		crew.functions[f.name()] = f
		crew.me.Functions = append(crew.me.Functions, f.name())
	}
	host, _ := os.Hostname()
	crew.me.ID = fmt.Sprintf("%.40s_%d_%08x", host, os.Getpid(), rand.Uint32())
	crew.me.Host, crew.me.PID, crew.me.Version = host, os.Getpid(), version()
	return crew.work(ctx)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Path + " " + info.Main.Version
	}
	return "unknown"
}

// crew is a worker that works.
type crew struct {
	*Cluster
	settings  Worker
	functions map[string]function
	me        store.Worker
	log       *slog.Logger
	fetch     *store.Fetch
	items     context.Context //nolint:containedctx // that of all items: it ends when the grace is over

	lock   sync.Mutex
	pipes  map[string]pipe   // by function
	queues map[string]*queue // by run
	busy   map[int64]bool    // jobs under way
	given  bool              // the worker is stopped: a pipe takes nothing
}

// work is the life of a worker: it is known to be alive before it has its first chunk, and until its last is written.
func (c *crew) work(ctx context.Context) error {
	if _, err := c.store.Beat(ctx, c.me); err != nil {
		return failed("work", err)
	}
	if err := c.store.Sync(ctx); err != nil {
		return failed("work", err)
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx)) // of what goes on while items are completed
	defer end()
	items, cut := context.WithCancel(running)
	defer cut()
	c.items = items
	fetch, err := c.store.Work(ctx, store.Working{ID: c.me.ID, Do: c.do, Poll: time.Second, Log: quiet(c.log)})
	if err != nil {
		return failed("work", err)
	}
	c.fetch = fetch
	if err := fetch.Start(running); err != nil {
		return failed("work", err)
	}
	var beats sync.WaitGroup
	beats.Go(func() { c.beat(running) })
	beats.Go(func() { c.follow(ctx) })
	<-ctx.Done()
	c.give()
	grace := time.AfterFunc(c.cfg.Grace, cut)
	err = fetch.Stop(running)
	grace.Stop()
	cut()
	for _, p := range c.pipes {
		p.close()
	}
	end()
	beats.Wait()
	leaving, stop := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.Heartbeat)
	defer stop()
	if left := c.store.Leave(leaving, c.me.ID); left != nil && err == nil {
		c.log.WarnContext(ctx, "the worker could not sign off; it will be considered dead after DeadAfter", "error", left)
	}
	return failed("stop", err)
}

// give has all chunks end with the items that were begun.
func (c *crew) give() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.given = true
	for _, p := range c.pipes {
		p.give()
	}
}

// soon is when a job is tried again that this worker cannot do: another may.
const soon = 5 * time.Second

// do works the chunk of a job.
func (c *crew) do(ctx context.Context, job store.Job, id int64) (done bool, again time.Duration) {
	c.mark(id, job.Run, true)
	defer c.mark(id, job.Run, false)
	defer func() {
		if p := recover(); p != nil { // a mistake of ours, and not the job's
			c.log.ErrorContext(ctx, "a chunk failed", "run", job.Run, "panic", p, "stack", string(debug.Stack()))
			done, again = false, soon
		}
	}()
	var chunk store.Chunk
	there := false
	err := patiently(c.items, c.log, "read a chunk", func(ctx context.Context) (err error) {
		chunk, there, err = c.store.Chunk(ctx, job.Key())
		return err
	})
	if err != nil {
		return false, 0
	}
	if !there { // it is done, or its run was canceled
		return true, 0
	}
	pipe, err := c.pipe(c.items, job.Run)
	if err != nil {
		return false, c.decline(ctx, job, err)
	}
	result, err := pipe.work(c.items, chunk)
	if err != nil {
		return false, c.decline(ctx, job, err)
	}
	return c.keep(context.WithoutCancel(ctx), result)
}

// decline leaves a chunk to others, at once if this worker is being stopped.
func (c *crew) decline(ctx context.Context, job store.Job, err error) (again time.Duration) {
	switch {
	case errors.Is(err, errGivenBack):
		return 0
	case errors.Is(err, errEnough):
		return goneFor/3 + rand.N(goneFor/3) // or this worker would have it again at once
	}
	c.log.WarnContext(ctx, "chunk not run here, left to other workers", "run", job.Run, "from", job.Start, "error", err)
	return soon
}

// keep writes a result down.
func (c *crew) keep(ctx context.Context, result store.Done) (done bool, again time.Duration) {
	// When the database is away a worker that is stopped does not wait for it for ever: what is not written is done again.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(c.items, func() { time.AfterFunc(c.cfg.Grace, stop) })()
	accepted := false
	err := patiently(ctx, c.log, "write a result", func(ctx context.Context) (err error) {
		accepted, err = c.commit.put(ctx, result)
		return err
	})
	switch {
	case err != nil:
		return false, 0
	case !accepted:
		// Somebody else has the chunk, since this worker was considered dead, or has done it. Should that one die
		// too, the job is needed still; if not, it is done by then.
		c.log.WarnContext(ctx, "result discarded: the chunk was reassigned to another worker", "run", result.Run, "from", result.Start)
		return false, 2 * c.cfg.DeadAfter
	}
	c.news.tell()
	return true, 0
}

func (c *crew) mark(id int64, run string, busy bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if q := c.queues[run]; q != nil {
		if q.seen = time.Now(); busy {
			q.under++
		} else {
			q.under = max(0, q.under-1) // it may have been begun anew meanwhile
		}
	}
	if busy {
		c.busy[id] = true
	} else {
		delete(c.busy, id)
	}
}

// pipe returns that of a run's function.
func (c *crew) pipe(ctx context.Context, run string) (pipe, error) {
	name, known := c.functionOf(run)
	if !known { // a chunk in quarantine, of a run that is not followed yet
		trip, stop := context.WithTimeout(ctx, answers)
		defer stop()
		r, err := c.store.Run(trip, run)
		if err != nil {
			return nil, err
		}
		if r.State == store.RunPaused {
			return nil, errors.New("its run is paused")
		}
		if err := c.suits(r); err != nil {
			return nil, err
		}
		name = r.Function
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.given {
		return nil, errGivenBack
	}
	p := c.pipes[name]
	if p == nil || p.ended() {
		p = c.functions[name].open(c.items, limits{c.cfg.MaxResultBytes, c.cfg.ChunkTime, c.shed})
		c.pipes[name] = p
	}
	return p, nil
}

func (c *crew) functionOf(run string) (name string, known bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if q := c.queues[run]; q != nil {
		return q.function, true
	}
	return "", false
}

// suits says whether this worker can do a run.
func (c *crew) suits(r store.Run) error {
	f := c.functions[r.Function]
	if f == nil {
		return fmt.Errorf("function %s is not registered here", r.Function)
	}
	if f.signature() != r.Signature {
		return fmt.Errorf("%w: %s takes and returns %s here, and the run was submitted with %s", ErrOtherTypes, r.Function, f.signature(), r.Signature)
	}
	return nil
}

func (c *crew) shed(ctx context.Context, kept store.Chunk, pieces []store.Chunk) (shed bool, err error) {
	err = patiently(ctx, c.log, "give items to other workers", func(ctx context.Context) error {
		shed, err = c.store.Shed(ctx, kept, pieces)
		return err
	})
	if err != nil {
		return false, errGivenBack
	}
	return shed, nil
}
