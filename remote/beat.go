package remote

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/amorsize/amorsize/remote/internal/store"
)

// crashes is when a chunk counts as one that ends processes.
var crashes = store.Crashes{Quarantine: 2, Dead: 2}

// strayEvery is how many heartbeats there are between two searches for lost jobs.
const strayEvery = 5

// beat reports that this worker is alive, and gives the chunks of dead workers to live ones.
func (c *crew) beat(ctx context.Context) {
	var suspects map[int64]bool
	var ghosts []string
	for n := 1; ; n++ {
		wait := c.cfg.Heartbeat - c.cfg.Heartbeat/10 + rand.N(c.cfg.Heartbeat/5) // or all workers would beat at the same time
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		tell, stop := context.WithTimeout(ctx, max(c.cfg.DeadAfter, time.Second))
		if buried, err := c.store.Beat(tell, c.me); err != nil {
			if ctx.Err() == nil {
				c.log.WarnContext(ctx, "heartbeat failed", "error", err)
			}
		} else if buried {
			c.log.WarnContext(ctx, "this worker missed its heartbeats and was considered dead; its chunks were reassigned", "DeadAfter", c.cfg.DeadAfter)
		} else {
			_ = c.store.Sync(tell) // or with the next beat
			c.reap(tell)
			if n%strayEvery == 0 {
				suspects = c.strays(tell, suspects)
				ghosts = c.ghosts(tell, ghosts)
			}
		}
		stop()
	}
}

func (c *Cluster) reap(ctx context.Context) {
	log := c.cfg.Logger
	reaped, err := c.store.Reap(ctx, c.cfg.DeadAfter, crashes)
	switch {
	case err != nil:
		log.WarnContext(ctx, "the search for dead workers failed", "error", err)
	case len(reaped.Workers) > 0:
		log.WarnContext(ctx, "workers missed their heartbeats and are considered dead; their chunks are reassigned",
			"workers", reaped.Workers, "chunks", reaped.Chunks, "quarantined", reaped.Alone, "halved", reaped.Split, "failed items", reaped.Items)
	}
}

// ghosts buries workers that have jobs but were unknown twice in a row: they ended without signing off.
func (c *crew) ghosts(ctx context.Context, before []string) []string {
	now, err := c.store.Ghosts(ctx)
	if err != nil {
		return before
	}
	for _, id := range now {
		if !slices.Contains(before, id) {
			continue
		}
		reaped, err := c.store.Bury(ctx, id, crashes)
		c.log.WarnContext(ctx, "chunks of a worker that nobody knows are reassigned", "worker", id, "chunks", reaped.Chunks, "error", err)
	}
	return now
}

// strays looks for lost jobs: jobs that River thinks are running here, twice in a row, and chunks without a job.
// Neither happens unless the database was away for long.
func (c *crew) strays(ctx context.Context, suspects map[int64]bool) map[int64]bool {
	now := map[int64]bool{}
	freed, err := c.store.Strays(ctx, c.me.ID, func(id int64) bool {
		c.lock.Lock()
		defer c.lock.Unlock()
		if c.busy[id] {
			return true
		}
		now[id] = true
		return !suspects[id] // it may have been fetched a moment ago
	})
	if err != nil || freed > 0 {
		c.log.WarnContext(ctx, "lost jobs are run again", "jobs", freed, "error", err)
	}
	for _, q := range c.followed() {
		found, err := c.store.Sweep(ctx, q.run)
		if err != nil || found > 0 {
			c.log.WarnContext(ctx, "chunks without a job were enqueued again", "run", q.run.ID, "chunks", found, "error", err)
		}
	}
	return now
}
