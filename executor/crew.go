package executor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
)

// crew is the workers of a run: who they are, how many there may be, and what those who
// have left have done. It alone decides whether a worker is in it: a worker enters once and
// exits once, and is claimed for by nobody else.
//
//	made → enter → working → exit → gone; the caller's may enter again
type crew struct {
	limit   atomic.Int64  // how many there may be: the scheduler's to set
	running atomic.Int64  // how many there are, for readers without mu
	idle    chan struct{} // closed when the last one has left

	source source.Source // what there is to claim
	events *events       // hears how many there are
	jobs   employer      // what they are for

	helpers sync.WaitGroup // and the supervisor

	// mu is never held while user code runs or anything waits.
	mu      sync.Mutex
	workers []*worker
	started bool // helpers may come
	stopped bool // no item is to be started any more
	closed  bool // idle is
	count   headcount
	done    totals // of those who have left
}

// employer makes helpers, and has work for them.
type employer interface {
	// hire makes a helper, the one after so many workers; nil if none is to be had. It is
	// called with a lock held, and waits for nothing.
	hire(working int) *worker
	// work is what a helper does, in a goroutine of its own.
	work(w *worker)
}

// start lets helpers come. The caller is the first worker, if it works: the goroutine
// of a stream leaves its items to helpers once its block is done.
func (c *crew) start(caller *worker, works bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = true
	if works {
		c.enter(caller)
	}
}

// enter counts a worker in. From here until exit it claims items, and hears signals.
// mu is held.
func (c *crew) enter(w *worker) {
	if c.stopped {
		w.signal.Store(halt)
	}
	w.seat, w.working = len(c.workers), true
	c.workers = append(c.workers, w)
	c.note()
}

// exit counts a worker out, once: whoever comes second finds that it has left. It is
// called by the worker's own goroutine, so no claim of it is under way. mu is held.
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

// note takes note of how many workers there are. mu is held.
func (c *crew) note() {
	n := len(c.workers)
	c.running.Store(int64(n))
	c.count.change(clock.Now(), n)
	c.events.staffed(n)
}

// comeBack counts the caller in again.
func (c *crew) comeBack(caller *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter(caller)
}

// replace counts the caller out, and has a helper take its place.
func (c *crew) replace(caller *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if caller.working {
		c.exit(caller)
		c.fill()
	}
}

// retire counts w out if there are more workers than the limit.
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

// wait counts the caller out and returns when all helpers are gone.
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

// leave is deferred in every helper: it counts the helper out, also after a Goexit.
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

// stop tells all workers that no item is to be started any more, and those who come
// later. When a context ends, each of thousands of workers calls it: only the first
// call does anything.
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

// each calls see for every worker, with mu held, so that none may leave meanwhile: see
// takes no lock but of the worker's call, or of its claim.
// It returns how many there are.
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

// begin starts with the caller alone, from start to now.
func (h *headcount) begin(start, now time.Duration) {
	h.area, h.since, h.workers, h.peak = float64(now-start), now, 1, 1
}

func (h *headcount) change(now time.Duration, workers int) {
	h.area += float64(h.workers) * float64(now-h.since)
	h.since, h.workers, h.peak = now, workers, max(h.peak, workers)
}
