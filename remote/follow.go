package remote

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/amorsize/amorsize/remote/internal/chunking"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// queue is a run's, that this worker fetches of.
type queue struct {
	run      store.Run
	function string
	slots    int
}

// lookAgain is how often a worker looks for runs that have come or gone.
const lookAgain = time.Second

// follow fetches of the queues of runs that this worker can do, each of its own, so that a run of a million items
// does not hold up one of ten.
func (c *crew) follow(ctx context.Context) {
	for ctx.Err() == nil {
		news := c.news.wait() // before the look, or it would be missed
		runs, err := c.store.Runs(ctx, true)
		if err != nil {
			if ctx.Err() == nil {
				c.log.WarnContext(ctx, "the runs cannot be read; trying again", "error", err)
			}
		} else {
			c.adjust(ctx, runs)
		}
		timer := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
		case <-news:
			select { // commits come in crowds
			case <-ctx.Done():
			case <-time.After(lookAgain / 20):
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// adjust begins with runs that are new, leaves those that are over, and has as many chunks at once of the others
// as keep this worker busy.
func (c *crew) adjust(ctx context.Context, runs []store.Run) {
	open := map[string]bool{}
	for _, r := range runs {
		if c.settings.only != "" && r.ID != c.settings.only || c.functions[r.Function] == nil {
			continue
		}
		if err := c.suits(r); err != nil {
			if r.Problem == "" {
				c.log.ErrorContext(ctx, "a run is left to other workers", "run", r.ID, "error", err)
				_ = c.store.SetProblem(ctx, r.ID, err.Error()) // told again with the next look
			}
			continue
		}
		open[r.ID] = true
		c.begin(ctx, r)
	}
	for id, q := range c.followed() {
		if !open[id] {
			c.leave(ctx, q)
		}
	}
}

func (c *crew) followed() map[string]*queue {
	c.lock.Lock()
	defer c.lock.Unlock()
	return maps.Clone(c.queues)
}

// change is how far off the number of slots must be before it is worth to wait for the chunks under way.
const change = 2

func (c *crew) begin(ctx context.Context, r store.Run) {
	q := c.followed()[r.ID]
	slots := c.slots(ctx, r)
	if q != nil {
		if slots <= q.slots*change && slots >= q.slots/(2*change) {
			return
		}
		if !c.leave(ctx, q) {
			return
		}
	}
	if err := c.fetch.Add(r.Queue, slots); err != nil {
		c.log.WarnContext(ctx, "a run cannot be worked; trying again", "run", r.ID, "error", err)
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.queues[r.ID] = &queue{r, r.Function, slots}
}

// slots is how many chunks of a run this worker should have at once.
func (c *crew) slots(ctx context.Context, r store.Run) int {
	c.lock.Lock()
	p := c.pipes[r.Function]
	c.lock.Unlock()
	rate := 0.0
	if p != nil {
		rate = p.rate()
	}
	if rate == 0 {
		rate, _, _ = c.store.Rate(ctx, r.Function)
	}
	items, err := c.store.ItemsPerChunk(ctx, r.ID)
	if err != nil {
		items = 0
	}
	return chunking.Slots(rate, items, c.cfg.ChunkTime, c.settings.MaxChunks)
}

// leave fetches of a queue no more, once its chunks under way are done.
func (c *crew) leave(ctx context.Context, q *queue) bool {
	if err := c.fetch.Remove(ctx, q.run.Queue); err != nil {
		if !errors.Is(err, context.Canceled) {
			c.log.WarnContext(ctx, "a queue cannot be left; trying again", "run", q.run.ID, "error", err)
		}
		return false
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	delete(c.queues, q.run.ID)
	return true
}
