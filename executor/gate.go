package executor

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/internal/answer"
)

// gate says how many calls that wait may be in flight, for one run or for all
// runs of a [Session] together. It is told every attempt, and passes it on to
// an [adaptive.Controller].
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
	mu      sync.Mutex
	law     law                // nil before it is open
	workers []*account         // whose attempts are watched
	runs    []*pool            // that share the limit
	crowd   atomic.Int64       // how many those are
	listed  []adaptive.Attempt // reused by attempts
}

// law is what a gate asks: an [adaptive.Law] of a run, whose first call is alone, and which
// may begin with more calls in flight than it allows.
type law interface {
	adaptive.Law
	Bounds() (floor, ceiling int)
	Alone(took time.Duration)
	Restart(now time.Duration)
}

// open lets first calls at a time begin, from which the limit goes its own way,
// within the bounds of the runs that are enlisted. base is what one call takes
// alone as far as is known from so many calls. A gate that is open stays as it is.
func (g *gate) open(now time.Duration, first int, base time.Duration, calls int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.law == nil {
		floor, ceiling := g.bounds()
		g.law = adaptive.New(now, adaptive.Start{
			First: first, Floor: floor, Ceiling: ceiling, Batches: g.batches,
			More: true, Known: base, Calls: calls,
		})
	}
	g.rebound(now)
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
func (g *gate) rebound(now time.Duration) {
	if len(g.runs) > 0 && g.law != nil {
		floor, ceiling := g.bounds()
		g.law.Bound(now, floor, ceiling)
	}
}

// publish makes the limit known. mu is held.
func (g *gate) publish() {
	g.limit.Store(int64(g.law.Limit()))
	g.epoch.Store(g.law.Epoch())
	g.turns.allow(g.law.Limit())
	g.exploring.Store(g.law.State().Exploring)
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
func (g *gate) pause(w *account, now time.Duration) adaptive.Attempt {
	items := g.drop(w)
	if items == 0 {
		return adaptive.Attempt{}
	}
	return adaptive.Attempt{
		Items: items, Cost: math.Float64frombits(w.attempt.cost.Load()),
		Began: now - time.Duration(w.attempt.began.Load()),
	}
}

// resume notes that it goes on: like an attempt that begins, but for the time that
// it has had.
func (g *gate) resume(w *account, now time.Duration, paused adaptive.Attempt) {
	g.enter(w, now-paused.Began, paused.Items, paused.Cost)
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
	c := w.attempt.load(items)
	if items < entered { // it ended before its time
		c.Cost *= float64(items) / float64(entered)
	}
	lost, throttled := answer.Lost(err)
	if !lost {
		w.latencies.record(now-c.Began, items)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err != nil && !lost: // how long a failure takes says nothing about the others
	case !lost && g.crowd.Load() > 1 && g.turns.over(): // nor a call among more than the limit
	case lost:
		g.law.Lose(now, c, throttled)
	case g.law.Done(now, c):
		g.due.Store(true)
	}
	if g.law.Epoch() != g.epoch.Load() {
		g.publish()
		g.due.Store(true) // runs must hear of it at once
	}
}

// bound takes note that the bound of a run has changed.
func (g *gate) bound(now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rebound(now)
	g.publish()
}

// crowded begins the first window anew if there are more calls than the limit, made
// before there was one: those that are under way tell nothing of it.
func (g *gate) crowded(now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.law != nil && g.turns.over() {
		g.law.Restart(now)
		g.publish()
	}
}

// alone takes what the first call took, that nothing else was in flight with.
func (g *gate) alone(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.law != nil && len(g.runs) < 2 {
		g.law.Alone(took)
	}
}

// review has the law draw its conclusions, if it can, and reports why the limit has
// changed. saturated says that no core is idle, held that policies hold calls back;
// batches are left to run, if that is how many are known.
func (g *gate) review(now time.Duration, saturated bool, batches float64, held bool) (moment Moment, reason string) {
	due := g.due.Swap(false)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.law.Observe(adaptive.Conditions{Saturated: saturated || g.turns.over(), Held: held, Batches: batches})
	reviewed := due && g.law.Review(now, g.attempts())
	if !reviewed {
		g.law.Silence(now)
	}
	g.publish()
	state := g.law.State()
	g.base.Store(int64(state.Baseline))
	moment.Limit, moment.InFlight, moment.Base = g.law.Limit(), int(g.inFlight.Load()), state.Baseline
	if reviewed {
		moment.Rate, moment.Latency = state.Rate, state.Latency
	}
	_, ceiling := g.law.Bounds()
	switch {
	case saturated:
		moment.Bound = BoundByCores
	case moment.Limit >= ceiling:
		moment.Bound = BoundByCaller
	case state.Settled:
		moment.Bound = BoundByService
	}
	return moment, g.law.Reason()
}

// attempts lists what is in flight. mu is held; the list is good until the next one.
func (g *gate) attempts() []adaptive.Attempt {
	g.listed = g.listed[:0]
	for _, w := range g.workers {
		if items := w.attempt.items.Load(); items > 0 {
			g.listed = append(g.listed, w.attempt.load(int(items)))
		}
	}
	return g.listed
}
