package executor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
)

// crew is the workers of a run: which there are, how many there may be, and what those that
// have left have done. Only the crew decides whether a worker belongs to it: a worker
// enters once and exits once, and only claims for itself.
//
//	made → enter → working → exit → gone; the caller's may enter again
type crew struct {
	limit   atomic.Int64  // how many there may be: set by the scheduler
	running atomic.Int64  // how many there are, for readers without mu
	idle    chan struct{} // closed when the last one has left

	source source.Source // what there is to claim
	events *events       // is told how many there are
	jobs   employer      // makes helpers and gives them work

	helpers sync.WaitGroup // and the supervisor

	// mu is never held while user code runs or anything waits.
	mu      sync.Mutex
	workers []*worker
	started bool // helpers may come
	stopped bool // no further item is to start
	closed  bool // idle is
	count   headcount
	done    totals // of workers that have left
}

// employer makes helpers, and gives them work.
type employer interface {
	// hire makes one more helper, given the present number of workers; nil if none may be
	// added. It is called with a lock held, and never blocks.
	hire(working int) *worker
	// work is what a helper does, in a goroutine of its own.
	work(w *worker)
}

// start lets helpers join. The caller is the first worker if works is set: the goroutine of
// a stream leaves its items to helpers once its block is done.
func (c *crew) start(caller *worker, works bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = true
	if works {
		c.enter(caller)
	}
}

// enter adds a worker. From here until exit it claims items and receives signals. mu is
// held.
func (c *crew) enter(w *worker) {
	if c.stopped {
		w.signal.Store(halt)
	}
	w.seat, w.working = len(c.workers), true
	c.workers = append(c.workers, w)
	c.note()
}

// exit removes a worker, once: a second call has no effect. The worker's own goroutine
// calls it, so none of its claims is running. mu is held.
func (c *crew) exit(w *worker) {
	if !w.working {
		return
	}
	last := len(c.workers) - 1
	c.workers[w.seat] = c.workers[last]
	c.workers[w.seat].seat = w.seat
	c.workers[last] = nil
	c.workers = c.workers[:last]
	w.working = false
	c.note()
	c.done.add(&w.totals)
}

// note records how many workers there are. mu is held.
func (c *crew) note() {
	n := len(c.workers)
	c.running.Store(int64(n))
	c.count.change(clock.Now(), n)
	c.events.staffed(n)
}

// comeBack adds the caller again.
func (c *crew) comeBack(caller *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter(caller)
}

// replace removes the caller and lets a helper take its place.
func (c *crew) replace(caller *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if caller.working {
		c.exit(caller)
		c.fill()
	}
}

// retire removes w if there are more workers than the limit.
func (c *crew) retire(w *worker) bool {
	if c.running.Load() <= c.limit.Load() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if int64(len(c.workers)) <= c.limit.Load() {
		return false
	}
	c.exit(w)
	return true
}

// wait removes the caller and returns when all helpers are gone.
func (c *crew) wait(caller *worker) {
	c.mu.Lock()
	c.exit(caller)
	if c.started {
		c.closeIfEmpty()
	}
	c.mu.Unlock()
	c.helpers.Wait()
}

// grow starts helpers up to the limit, as long as there is something to claim.
func (c *crew) grow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fill()
}

// fill is grow with mu held.
func (c *crew) fill() {
	want := min(int(c.limit.Load()), len(c.workers)+c.source.Left())
	for len(c.workers) < want && !c.closed && !c.stopped {
		w := c.jobs.hire(len(c.workers))
		if w == nil {
			return
		}
		c.enter(w)
		c.helpers.Go(func() {
			defer c.leave(w)
			c.jobs.work(w)
		})
	}
}

// leave is deferred in every helper: it removes the helper, also after a Goexit.
func (c *crew) leave(w *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exit(w)
	if w.admitted != nil {
		w.admitted.Add(-1)
	}
	c.fill() // if this one ended before its time
	c.closeIfEmpty()
}

// closeIfEmpty ends the supervisor when no worker is left. mu is held.
func (c *crew) closeIfEmpty() {
	if len(c.workers) == 0 && !c.closed {
		c.closed = true
		close(c.idle)
	}
}

// stop tells all workers, also later ones, that no further item is to start. When a context
// ends, each of thousands of workers calls it: only the first call does anything.
func (c *crew) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.stopped = true
	for _, w := range c.workers {
		w.signal.Store(halt)
	}
}

// each calls see for every worker, with mu held, so that none may leave meanwhile. see may
// only take the locks of the worker's call and of its claim. each returns how many workers
// there are.
func (c *crew) each(see func(*worker)) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.workers {
		see(w)
	}
	return len(c.workers)
}

// headcount is how many workers there were over time.
type headcount struct {
	workers int
	peak    int
	since   time.Duration
	area    float64 // ∫ workers dt, in nanoseconds
}

// begin starts the count: the caller was alone from start to now.
func (h *headcount) begin(start, now time.Duration) {
	h.area, h.since, h.workers, h.peak = float64(now-start), now, 1, 1
}

func (h *headcount) change(now time.Duration, workers int) {
	h.area += float64(h.workers) * float64(now-h.since)
	h.since, h.workers, h.peak = now, workers, max(h.peak, workers)
}
