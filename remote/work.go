package remote

import (
	"context"
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
	// MaxChunks is the maximum number of chunks of a run that the process has at a time, 2 to 1000; 256 if 0. It is
	// a bound on memory. It does not set how many calls are in flight: measurement finds that, within the options
	// that the function was registered with.
	MaxChunks int

	only string // the run to work; "" for all
}

// Work works the runs of all functions that the program has registered, until ctx ends. Then items in flight are
// completed, items that have not begun are given back, and nil is returned. Any number of processes may do so, on
// any number of machines. It returns an error at once if a function was registered wrongly, or if the database is
// not there; later it waits for the database to come back.
//
// An item that ends the process, or makes the machine run out of memory, is found: docs/remote.md says how.
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
		return &ConfigError{"Functions", "none", "registered, with Register, before Work is called"}
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

// crew is a running worker.
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
	busy   map[int64]bool    // jobs in flight
	given  bool              // the worker is stopped: a pipe takes nothing
}

// work is the life of a worker: it is known to be alive from before its first chunk until its last is written.
func (c *crew) work(ctx context.Context) error {
	if _, err := c.store.Beat(ctx, c.me); err != nil {
		return c.unlessStopped(ctx, err)
	}
	defer c.signOff(ctx)
	if err := c.store.Sync(ctx); err != nil {
		return c.unlessStopped(ctx, err)
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx)) // for what continues while items are completed
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
		return c.unlessStopped(ctx, err)
	}
	var beats sync.WaitGroup
	beats.Go(func() { c.beat(running) })
	beats.Go(func() { c.follow(ctx) })
	<-ctx.Done()
	c.give()
	grace := time.AfterFunc(c.cfg.Grace, cut)
	// River waits for the database to record the ends of jobs; others find the jobs that it cannot record.
	stopping, stop := context.WithTimeout(running, c.cfg.Grace+c.cfg.Heartbeat)
	defer stop()
	if err := fetch.Stop(stopping); err != nil {
		c.log.WarnContext(ctx, "stopped before River had recorded which jobs have ended", "error", err)
	}
	grace.Stop()
	cut()
	for _, p := range c.pipes {
		p.close()
	}
	end()
	beats.Wait()
	return nil
}

// unlessStopped returns an error of starting, unless the worker was stopped meanwhile.
func (c *crew) unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return failed("work", err)
}

// signOff reports that the worker has ended, so that nobody looks for its chunks.
func (c *crew) signOff(ctx context.Context) {
	leaving, stop := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.Heartbeat)
	defer stop()
	if err := c.store.Leave(leaving, c.me.ID); err != nil {
		c.log.WarnContext(ctx, "the worker could not unregister; it will be considered dead after DeadAfter", "error", err)
	}
}

// give ends all chunks with the items that have begun.
func (c *crew) give() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.given = true
	for _, p := range c.pipes {
		p.give()
	}
}
