package remote

import (
	"context"
	"maps"
	"time"

	"github.com/amorsize/amorsize/remote/internal/chunking"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// queue is a run's queue, from which this worker fetches.
type queue struct {
	run      store.Run
	function string
	slots    int
	leaving  bool      // no further chunk is fetched; others are in flight
	seen     time.Time // when a chunk of it was last begun or ended
	under    int       // chunks in flight
}

// lookAgain is how often a worker looks for new and removed runs.
const lookAgain = time.Second

// follow fetches from the queues of the runs that this worker can do. Each run has its own queue, so that a run of
// a million items does not delay one of ten.
func (c *crew) follow(ctx context.Context) {
	for ctx.Err() == nil {
		news := c.news.wait() // before the look, or it would be missed
		trip, stop := context.WithTimeout(ctx, answers)
		runs, err := c.store.Runs(trip, true)
		stop()
		if err == nil {
			c.adjust(ctx, runs)
		} else if ctx.Err() == nil {
			c.log.WarnContext(ctx, "cannot list runs, retrying", "error", err)
		}
		timer := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
		case <-news:
			select { // many commits come at once
			case <-ctx.Done():
			case <-time.After(lookAgain / 20):
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// adjust starts new runs and leaves runs that have ended or are paused. For the others it keeps as many chunks at
// once as keep this worker busy.
func (c *crew) adjust(ctx context.Context, runs []store.Run) {
	open := map[string]bool{}
	for _, r := range runs {
		if c.settings.only != "" && r.ID != c.settings.only || c.functions[r.Function] == nil || r.State != store.RunOpen {
			continue
		}
		if err := c.suits(r); err != nil {
			if r.Problem == "" {
				c.log.ErrorContext(ctx, "run not worked here, left to other workers", "run", r.ID, "error", err)
				_ = c.store.SetProblem(ctx, r.Key, err.Error()) // reported again with the next look
			}
			continue
		}
		if r.Problem != "" {
			_ = c.store.SetProblem(ctx, r.Key, "") // or with the next look
		}
		open[r.Key] = true
		c.begin(ctx, r)
	}
	for key, q := range c.followed() {
		if !open[key] || q.leaving {
			c.leave(ctx, q)
		}
	}
}

func (c *crew) followed() map[string]*queue {
	c.lock.Lock()
	defer c.lock.Unlock()
	return maps.Clone(c.queues)
}

const (
	// change is how far off the number of slots must be before it is worth to change it: the queue must run dry.
	change = 2
	// stale is when a queue that has chunks, of which none was worked, counts as broken and is started again.
	stale = 30 * time.Second
)

func (c *crew) begin(ctx context.Context, r store.Run) {
	q := c.followed()[r.Key]
	slots, dry, some := c.slots(ctx, r)
	if !some && r.Sealed {
		_, _ = c.store.Finish(ctx, r.Key) // or with the next look: nobody may be waiting for it
	}
	if q != nil {
		off := slots > q.slots*change || slots < q.slots/(2*change)
		if !q.leaving && (off && dry < lookAgain || some && c.silent(q)) {
			c.leave(ctx, q)
		}
		return
	}
	q = &queue{run: r, function: r.Function, slots: slots, seen: time.Now()}
	if err := c.fetch.Add(r.Key, slots); err != nil {
		c.log.WarnContext(ctx, "cannot fetch from a run's queue, retrying", "run", r.ID, "error", err)
		q.leaving = true // River knows the queue by now, and does not fetch from it
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.queues[r.Key] = q
}

// silent says that a queue has produced nothing for long.
func (c *crew) silent(q *queue) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	return q.under == 0 && time.Since(q.seen) > stale
}

// slots is how many chunks of a run this worker should have at once, how long one takes, and whether there are
// any.
func (c *crew) slots(ctx context.Context, r store.Run) (slots int, dry time.Duration, some bool) {
	c.lock.Lock()
	p := c.pipes[r.Function]
	c.lock.Unlock()
	trip, stop := context.WithTimeout(ctx, answers)
	defer stop()
	rate := 0.0
	if p != nil {
		rate = p.rate()
	}
	if rate == 0 {
		rate, _, _ = c.store.Rate(trip, r.Function)
	}
	items, err := c.store.ItemsPerChunk(trip, r.Key)
	if err != nil {
		items = 0
	}
	if rate > 0 {
		dry = time.Duration(items / rate * float64(time.Second))
	}
	return chunking.Slots(rate, items, c.cfg.ChunkTime, c.settings.MaxChunks), dry, items > 0
}

// leave stops fetching from a queue. It does not wait for chunks in flight, which may take long: the next look at
// all runs checks again.
func (c *crew) leave(ctx context.Context, q *queue) {
	soon, stop := context.WithTimeout(ctx, lookAgain/10)
	defer stop()
	gone, err := c.fetch.Remove(soon, q.run.Key)
	if err != nil && soon.Err() == nil {
		c.log.WarnContext(ctx, "cannot stop fetching from a queue, retrying", "run", q.run.ID, "error", err)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if q.leaving = true; gone {
		delete(c.queues, q.run.Key)
	}
}
