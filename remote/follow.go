package remote

import (
	"context"
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
	leaving  bool      // no further chunk is fetched; others are under way
	seen     time.Time // when a chunk of it was last begun or ended
	under    int       // chunks under way
}

// lookAgain is how often a worker looks for runs that have come or gone.
const lookAgain = time.Second

// follow fetches of the queues of runs that this worker can do, each of its own, so that a run of a million items
// does not hold up one of ten.
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
			select { // commits come in crowds
			case <-ctx.Done():
			case <-time.After(lookAgain / 20):
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// adjust begins with runs that are new, leaves those that are over or paused, and has as many chunks at once of the
// others as keep this worker busy.
func (c *crew) adjust(ctx context.Context, runs []store.Run) {
	open := map[string]bool{}
	for _, r := range runs {
		if c.settings.only != "" && r.ID != c.settings.only || c.functions[r.Function] == nil || r.State != store.RunOpen {
			continue
		}
		if err := c.suits(r); err != nil {
			if r.Problem == "" {
				c.log.ErrorContext(ctx, "run not worked here, left to other workers", "run", r.ID, "error", err)
				_ = c.store.SetProblem(ctx, r.Key, err.Error()) // told again with the next look
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
	// stale is when a queue that has chunks, and of which nothing was worked, is taken for broken and begun anew.
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
		q.leaving = true // River knows the queue by now, and does not fetch of it
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.queues[r.Key] = q
}

// silent says that nothing has come of a queue for long.
func (c *crew) silent(q *queue) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	return q.under == 0 && time.Since(q.seen) > stale
}

// slots is how many chunks of a run this worker should have at once, how long one takes, and whether there are some.
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

// leave fetches of a queue no more. It does not wait for chunks under way, which may take long, and looks again with
// the next look at all runs.
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
