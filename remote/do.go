package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/amorsize/amorsize/remote/internal/store"
)

// soon is when a job that this worker cannot do is tried again: another worker may be able to.
const soon = 5 * time.Second

// do works the chunk of a job.
func (c *crew) do(ctx context.Context, job store.Job, id int64) (done bool, again time.Duration) {
	c.mark(id, job.Run, true)
	defer c.mark(id, job.Run, false)
	defer func() {
		if p := recover(); p != nil { // our mistake, not the job's
			c.log.ErrorContext(ctx, "a chunk failed", "run", c.called(job.Run), "panic", p, "stack", string(debug.Stack()))
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
	if !there { // the chunk is done, or its run was canceled
		return true, 0
	}
	pipe, err := c.pipe(c.items, job.Run)
	if errors.Is(err, store.ErrNoRun) {
		return true, 0
	}
	if err != nil {
		return false, c.decline(ctx, job, err)
	}
	result, err := pipe.work(c.items, chunk)
	if err != nil {
		return false, c.decline(ctx, job, err)
	}
	return c.keep(context.WithoutCancel(ctx), result)
}

// decline leaves a chunk to other workers, at once if this worker is being stopped.
func (c *crew) decline(ctx context.Context, job store.Job, err error) (again time.Duration) {
	switch {
	case errors.Is(err, errGivenBack):
		return 0
	case errors.Is(err, errEnough):
		return goneFor/3 + rand.N(goneFor/3) // or this worker would get it again at once
	}
	c.log.WarnContext(ctx, "chunk not run here, left to other workers", "run", c.called(job.Run), "from", job.Start, "error", err)
	return soon
}

// keep writes a result to the database.
func (c *crew) keep(ctx context.Context, result store.Done) (done bool, again time.Duration) {
	// When the database is away, a stopped worker does not wait forever: results that are not written are computed
	// again.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(c.items, func() { time.AfterFunc(c.cfg.Heartbeat, stop) })()
	accepted := false
	err := patiently(ctx, c.log, "write a result", func(ctx context.Context) (err error) {
		accepted, err = c.commit.put(ctx, result)
		return err
	})
	switch {
	case err != nil:
		return false, 0
	case !accepted:
		// Another worker has the chunk, since this worker was considered dead, or has done it. If that worker dies
		// too, the job is still needed; if not, the job is done by then.
		c.log.WarnContext(ctx, "result discarded: the chunk was reassigned to another worker, or its run was canceled", "run", c.called(result.Run), "from", result.Start)
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
			q.under = max(0, q.under-1) // it may have been started again meanwhile
		}
	}
	if busy {
		c.busy[id] = true
	} else {
		delete(c.busy, id)
	}
}

// pipe returns the pipe of a run's function.
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

// called is the user's name for a run.
func (c *crew) called(run string) string {
	c.lock.Lock()
	defer c.lock.Unlock()
	if q := c.queues[run]; q != nil {
		return q.run.ID
	}
	return run
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
