package executor

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
)

// gate says how many calls that wait may be in flight, for one run or for all
// runs of a [Session] together. It is told every attempt, and passes it on to
// an [adaptive].
type gate struct {
	inFlight atomic.Int64 // attempts under way
	limit    atomic.Int64 // in force, 0 before the gate is open
	epoch    atomic.Int64 // changes of the limit
	due      atomic.Bool  // there is enough for a review

	// mu is never held while user code runs or anything waits. A pool's mu is
	// taken before it, never after.
	mu       sync.Mutex
	adaptive *adaptive
	workers  []*account // whose attempts are watched
	runs     []*pool    // that share the limit
}

// open lets first calls at a time begin, from which the limit goes its own way.
// base is what one call takes alone as far as is known from so many calls. A
// gate that is open stays as it is but for the bounds.
func (g *gate) open(now time.Duration, first, floor, ceiling int, base time.Duration, calls int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.adaptive == nil {
		g.adaptive = newAdaptive(first, floor, ceiling, now)
		if calls > 0 {
			g.adaptive.base.reset(base.Seconds(), float64(calls))
		}
	}
	g.adaptive.floor = max(1, floor)
	g.adaptive.bound(ceiling)
	g.publish()
}

// publish makes the limit known. mu is held.
func (g *gate) publish() {
	g.limit.Store(int64(g.adaptive.limit))
	g.epoch.Store(g.adaptive.epoch)
}

// join and part begin and end watching the attempts of a worker.
func (g *gate) join(w *account) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.watched == 0 {
		g.workers = append(g.workers, w)
		w.watched = len(g.workers)
	}
}

func (g *gate) part(w *account) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.watched == 0 {
		return
	}
	g.drop(w)
	last := len(g.workers) - 1
	moved := g.workers[last]
	g.workers[w.watched-1], moved.watched = moved, w.watched
	g.workers[last] = nil
	g.workers, w.watched = g.workers[:last], 0
}

// enter notes that an attempt for so many items begins.
func (g *gate) enter(w *account, now time.Duration, items int) {
	g.drop(w) // a policy may have recovered a panic of the call
	w.attempt.inFlight.Store(g.inFlight.Add(1))
	w.attempt.epoch.Store(g.epoch.Load())
	w.attempt.began.Store(int64(now))
	w.attempt.items.Store(int64(items))
}

// drop notes that the attempt is over, for whatever reason. It reports whether
// there was one: it may have begun before the gate was open.
func (g *gate) drop(w *account) bool {
	if w.attempt.items.Swap(0) == 0 {
		return false
	}
	g.inFlight.Add(-1)
	return true
}

// leave notes that the attempt has ended with err, after so many items.
func (g *gate) leave(w *account, now time.Duration, items int, err error) {
	if !g.drop(w) || items == 0 {
		return
	}
	if _, refused := answer.Refused(err); refused && err != nil {
		return // the call was not made
	}
	c := attempt{
		began: time.Duration(w.attempt.began.Load()), inFlight: int(w.attempt.inFlight.Load()),
		epoch: w.attempt.epoch.Load(), items: items,
	}
	lost, throttled := answer.Lost(err)
	if !lost {
		w.latencies.record(now-c.began, items)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case lost:
		if g.adaptive.lose(now, c, throttled) {
			g.publish()
			g.due.Store(true) // runs must hear of it at once
		}
	case g.adaptive.done(now, c):
		g.due.Store(true)
	}
}

// bound sets the most that the limit may be.
func (g *gate) bound(ceiling int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.adaptive.bound(ceiling)
}

// alone takes what the first call took, that nothing else was in flight with.
func (g *gate) alone(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.adaptive != nil {
		g.adaptive.alone(took)
	}
}

// review has the adaptive draw its conclusions, if it can, and reports why the
// limit has changed. saturated says that no core is idle, held that policies hold
// calls back.
func (g *gate) review(now time.Duration, saturated, held bool) (moment Moment, reason string) {
	due := g.due.Swap(false)
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.adaptive
	a.saturated, a.held = saturated, held
	before := a.limit
	switch {
	case due && a.window.calls >= a.need():
		a.review(now, g.attempts())
		moment = Moment{Rate: a.latest.inFlight / a.latest.time, Latency: seconds(a.latest.time)}
	default:
		a.silence(now)
	}
	if a.limit != before {
		g.publish()
	}
	moment.Limit, moment.InFlight, moment.Base = a.limit, int(g.inFlight.Load()), seconds(a.base.mean)
	reason, a.reason = a.reason, ""
	switch {
	case saturated:
		moment.Bound = BoundByCores
	case a.limit >= a.ceiling:
		moment.Bound = BoundByCaller
	case !a.cold && a.mode != growing:
		moment.Bound = BoundByService
	}
	return moment, reason
}

// attempts lists what is in flight. mu is held.
func (g *gate) attempts() iter.Seq[attempt] {
	return func(yield func(attempt) bool) {
		for _, w := range g.workers {
			items := w.attempt.items.Load()
			if items == 0 {
				continue
			}
			c := attempt{began: time.Duration(w.attempt.began.Load()), epoch: w.attempt.epoch.Load(), items: int(items), inFlight: int(w.attempt.inFlight.Load())}
			if !yield(c) {
				return
			}
		}
	}
}

// enlist and delist begin and end a run's part in the limit.
func (g *gate) enlist(p *pool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs = append(g.runs, p)
}

func (g *gate) delist(p *pool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.runs {
		if other == p {
			g.runs = append(g.runs[:i], g.runs[i+1:]...)
			return
		}
	}
}

// share returns how many of the calls p may have in flight: what the other runs
// leave, and a fair part at least. Room is not taken before another run has left it.
func (g *gate) share(p *pool) int {
	limit := int(g.limit.Load())
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.runs) < 2 {
		return limit
	}
	fair := max(1, limit/len(g.runs))
	mine, running := limit, 0
	for _, other := range g.runs {
		has := int(other.running.Load())
		running += has
		if other != p {
			mine -= min(fair, has+other.claims.left())
		}
	}
	mine = max(fair, mine)
	has := int(p.running.Load())
	return max(1, min(mine, has+max(0, limit-running)))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
