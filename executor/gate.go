package executor

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
)

// gate says how many calls that wait may be in flight, for one run or for all
// runs of a [Session] together. It is told every attempt, and passes it on to
// an [adaptive].
type gate struct {
	turns     turns        // of runs that share the limit
	inFlight  atomic.Int64 // attempts under way
	limit     atomic.Int64 // in force, 0 before the gate is open
	epoch     atomic.Int64 // changes of the limit
	base      atomic.Int64 // nanoseconds of an unloaded call, 0 if unknown
	batches   bool         // attempts are batches; set before it is opened
	exploring atomic.Bool  // the limit has only grown so far
	due       atomic.Bool  // there is enough for a review

	// mu is never held while user code runs or anything waits. A pool's mu is
	// taken before it, never after.
	mu       sync.Mutex
	adaptive *adaptive
	workers  []*account   // whose attempts are watched
	runs     []*pool      // that share the limit
	crowd    atomic.Int64 // how many those are
	first    int          // calls in flight to begin with
	listed   []attempt    // reused by attempts
}

// open lets first calls at a time begin, from which the limit goes its own way,
// within the bounds of the runs that are enlisted. base is what one call takes
// alone as far as is known from so many calls. A gate that is open stays as it is.
func (g *gate) open(now time.Duration, first int, base time.Duration, calls int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.adaptive == nil {
		floor, ceiling := g.bounds()
		g.first = first
		g.adaptive = newAdaptive(first, floor, ceiling, now)
		g.adaptive.serial.watched = g.batches
		g.adaptive.window.raised = false // what began while there were more does not count
		if calls > 0 {
			g.adaptive.base.reset(max(instant, base.Seconds()), float64(calls))
		}
	}
	g.rebound()
	g.publish()
}

// bounds returns what the runs allow at the least and at the most: the most that
// any of them does. mu is held.
func (g *gate) bounds() (floor, ceiling int) {
	floor, ceiling = 1, 1
	for _, p := range g.runs {
		floor = max(floor, p.cfg.MinWorkers)
		ceiling = max(ceiling, int(p.reach.Load()))
	}
	return floor, ceiling
}

// rebound applies them. mu is held.
func (g *gate) rebound() {
	if len(g.runs) > 0 && g.adaptive != nil {
		g.adaptive.floor, g.adaptive.ceiling = g.bounds()
	}
}

// publish makes the limit known. mu is held.
func (g *gate) publish() {
	g.limit.Store(int64(g.adaptive.limit))
	g.epoch.Store(g.adaptive.epoch)
	g.turns.allow(g.adaptive.limit)
	g.exploring.Store(g.adaptive.cold && g.adaptive.limit < g.adaptive.ceiling)
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

// enter notes that an attempt for so many items begins, which costs so many times as
// much as an ordinary one.
func (g *gate) enter(w *account, now time.Duration, items int, cost float64) {
	g.drop(w) // a policy may have recovered a panic of the call
	w.attempt.inFlight.Store(max(g.inFlight.Add(1), w.turnsTaken.Swap(0)))
	w.attempt.epoch.Store(g.epoch.Load())
	w.attempt.began.Store(int64(now))
	w.attempt.cost.Store(math.Float64bits(cost))
	w.attempt.items.Store(int64(items))
}

// drop notes that the attempt is over, for whatever reason. It returns how many items
// it was for, 0 if there was none: it may have begun before the gate was open.
func (g *gate) drop(w *account) (items int) {
	if items = int(w.attempt.items.Swap(0)); items > 0 {
		g.inFlight.Add(-1)
	}
	return items
}

// pause notes that the attempt is held back, and returns what to go on with: in
// began, the time that it has had.
func (g *gate) pause(w *account, now time.Duration) attempt {
	items := g.drop(w)
	if items == 0 {
		return attempt{}
	}
	return attempt{
		items: items, cost: math.Float64frombits(w.attempt.cost.Load()),
		began: now - time.Duration(w.attempt.began.Load()),
	}
}

// resume notes that it goes on: like an attempt that begins, but for the time that
// it has had.
func (g *gate) resume(w *account, now time.Duration, paused attempt) {
	g.enter(w, now-paused.began, paused.items, paused.cost)
}

// leave notes that the attempt has ended with err, after so many items.
func (g *gate) leave(w *account, now time.Duration, items int, err error) {
	entered := g.drop(w)
	if entered == 0 || items == 0 {
		return
	}
	if err != nil {
		if _, _, notMade := answer.NotMade(err); notMade {
			return
		}
	}
	c := attempt{
		began: time.Duration(w.attempt.began.Load()), inFlight: int(w.attempt.inFlight.Load()),
		epoch: w.attempt.epoch.Load(), items: items, cost: math.Float64frombits(w.attempt.cost.Load()),
	}
	if items < entered { // it ended before its time
		c.cost *= float64(items) / float64(entered)
	}
	lost, throttled := answer.Lost(err)
	if !lost {
		w.latencies.record(now-c.began, items)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err != nil && !lost: // how long a failure takes says nothing about the others
	case !lost && g.crowd.Load() > 1 && g.turns.over(): // nor a call among more than the limit
	case lost:
		g.adaptive.lose(now, c, throttled)
	case g.adaptive.done(now, c):
		g.due.Store(true)
	}
	if g.adaptive.epoch != g.epoch.Load() {
		g.publish()
		g.due.Store(true) // runs must hear of it at once
	}
}

// bound takes note that the bound of a run has changed. Where that was what kept the
// first calls from being more, they become more.
func (g *gate) bound(now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rebound()
	if a := g.adaptive; a.cold && a.limit < min(g.first, a.ceiling) {
		a.set(now, float64(g.first))
		g.publish()
	}
}

// crowded begins the first window anew if there are more calls than the limit, made
// before there was one: those that are under way tell nothing of it.
func (g *gate) crowded(now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.adaptive; a != nil && a.cold && a.base.mean == 0 && g.turns.over() {
		a.set(now, float64(a.limit))
		a.window.fresh, a.window.raised = true, false
		g.publish()
	}
}

// alone takes what the first call took, that nothing else was in flight with.
func (g *gate) alone(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.adaptive != nil && len(g.runs) < 2 {
		g.adaptive.alone(took)
	}
}

// review has the adaptive draw its conclusions, if it can, and reports why the
// limit has changed. saturated says that no core is idle, held that policies hold calls
// back; batches are left to run, if that is how many are known.
func (g *gate) review(now time.Duration, saturated bool, batches float64, held bool) (moment Moment, reason string) {
	due := g.due.Swap(false)
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.adaptive
	a.saturated, a.held = saturated || a.ending(batches) || g.turns.over(), held
	switch {
	case due && a.ready(now):
		a.review(now, g.attempts())
		moment = Moment{Rate: a.latest.inFlight / a.latest.time, Latency: seconds(a.latest.time)}
	default:
		a.silence(now)
	}
	g.publish()
	g.base.Store(int64(seconds(a.base.mean)))
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

// attempts lists what is in flight. mu is held; the list is good until the next one.
func (g *gate) attempts() []attempt {
	g.listed = g.listed[:0]
	for _, w := range g.workers {
		if items := w.attempt.items.Load(); items > 0 {
			g.listed = append(g.listed, attempt{
				began: time.Duration(w.attempt.began.Load()), epoch: w.attempt.epoch.Load(),
				items: int(items), inFlight: int(w.attempt.inFlight.Load()),
				cost: math.Float64frombits(w.attempt.cost.Load()),
			})
		}
	}
	return g.listed
}

// enlist and delist begin and end a run's part in the limit.
func (g *gate) enlist(p *pool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs = append(g.runs, p)
	g.crowd.Store(int64(len(g.runs)))
	g.rebound()
}

func (g *gate) delist(p *pool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.runs {
		if other == p {
			g.runs = append(g.runs[:i], g.runs[i+1:]...)
			g.crowd.Store(int64(len(g.runs)))
			g.rebound()
			return
		}
	}
}

// share returns how many calls p may have in flight, within its own bounds: what
// the other runs leave, and a fair part at least. Room is not taken before another
// run has left it.
func (g *gate) share(p *pool) int {
	most := max(p.cfg.MinWorkers, int(p.most.Load()))
	g.mu.Lock()
	defer g.mu.Unlock()
	limit := min(int(g.limit.Load()), g.adaptive.ceiling) // which may have fallen since
	if len(g.runs) < 2 {
		return min(limit, most)
	}
	fair := max(1, limit/len(g.runs))
	mine, running := limit, 0
	for _, other := range g.runs {
		has, wants := other.demand()
		running += has
		if other != p {
			mine -= min(fair, has+wants, int(other.most.Load()))
		}
	}
	has, _ := p.demand()
	mine = min(max(fair, mine), has+max(0, limit-running))
	return max(1, p.cfg.MinWorkers, min(mine, most))
}

// demand returns how many workers are busy, and for how many more there are items.
func (p *pool) demand() (busy, more int) {
	busy = int(p.running.Load())
	if f := p.claims.feed; f != nil {
		return busy - int(f.waiting.Load()), int(max(0, f.produced.Load()-p.claims.next.Load()))
	}
	return busy, p.claims.left()
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
