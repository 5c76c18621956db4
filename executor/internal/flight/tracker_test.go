package flight

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/adaptive"
)

// An attempt costs no allocation.
func TestTrackerAllocations(t *testing.T) {
	g := new(Tracker)
	g.Open(0, 16, time.Millisecond, 10, false)
	w := new(Attempt)
	g.Watch(w)
	now := time.Duration(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		g.Enter(w, now, 1, 1)
		now += time.Millisecond
		g.Leave(w, now, 1, nil)
		if g.due.Load() {
			g.Review(now, adaptive.Conditions{Batches: math.Inf(1)})
		}
	}))
	require.Zero(t, g.inFlight.Load())
}

// refused is an answer of a service.
type refused int

func (r refused) Error() string   { return "refused" }
func (r refused) StatusCode() int { return int(r) }

// withdrawn is the error of a call that was not made.
type withdrawn struct{}

func (withdrawn) Error() string          { return "not made" }
func (withdrawn) Refused() time.Duration { return 0 }

// run is one of those that share a limit.
type run struct{ least, most, reach, busy, more int }

func (r *run) Bounds() (least, most, reach int) { return r.least, r.most, r.reach }
func (r *run) Demand() (busy, more int)         { return r.busy, r.more }

// runOf is a run that may have so many calls in flight.
func runOf(least, most int) *run { return &run{least: least, most: most, reach: most} }

// trackerOf is an open gate of runs, which begins with first calls.
func trackerOf(first int, runs ...*run) *Tracker {
	g := new(Tracker)
	for _, p := range runs {
		g.Enlist(p, 0)
	}
	g.Open(0, first, 0, 0, false)
	return g
}

// spy is a law that keeps what it is told, and says what a test has it say.
type spy struct {
	limit, floor, ceiling int
	epoch                 int64
	state                 adaptive.State
	reason                string
	due, ready            bool // for a review

	conditions                  adaptive.Conditions
	done, lost, open            []adaptive.Attempt
	throttled                   bool
	reviews, silences, restarts int
	alone                       time.Duration
}

func (s *spy) Limit() int                      { return s.limit }
func (s *spy) Epoch() int64                    { return s.epoch }
func (s *spy) Bound(_ time.Duration, f, c int) { s.floor, s.ceiling = f, c }
func (s *spy) Bounds() (floor, ceiling int)    { return s.floor, s.ceiling }
func (s *spy) Observe(c adaptive.Conditions)   { s.conditions = c }
func (s *spy) State() adaptive.State           { return s.state }
func (s *spy) Silence(time.Duration)           { s.silences++ }
func (s *spy) Alone(took time.Duration)        { s.alone = took }
func (s *spy) Restart(time.Duration)           { s.restarts++; s.epoch++ }

func (s *spy) Reason() (reason string) {
	reason, s.reason = s.reason, ""
	return reason
}

func (s *spy) Done(_ time.Duration, c adaptive.Attempt) bool {
	s.done = append(s.done, c)
	return s.due
}

func (s *spy) Lose(_ time.Duration, c adaptive.Attempt, throttled bool) {
	s.lost, s.throttled = append(s.lost, c), throttled
	s.limit--
	s.epoch++
}

func (s *spy) Review(_ time.Duration, open []adaptive.Attempt) bool {
	if s.ready {
		s.reviews++
		s.open = slices.Clone(open)
	}
	return s.ready
}

// spied is an open gate of runs, whose law is a spy with a limit.
func spied(limit int, runs ...*run) (*Tracker, *spy) {
	g := trackerOf(limit, runs...)
	floor, ceiling := g.law.Bounds()
	s := &spy{limit: limit, floor: floor, ceiling: ceiling}
	g.law = s
	g.publish()
	return g, s
}

func TestTrackerOpens(t *testing.T) {
	g := new(Tracker)
	g.Enlist(runOf(2, 100), 0)
	g.Enlist(runOf(5, 50), 0)
	g.Open(time.Second, 16, 100*time.Millisecond, 1, true)
	law := g.law
	floor, ceiling := law.Bounds()
	require.Equal(t, []int{5, 100, 16}, []int{floor, ceiling, law.Limit()})
	require.Equal(t, 100*time.Millisecond, law.State().Baseline)
	require.EqualValues(t, 16, g.limit.Load())
	require.Equal(t, 16, g.Turns.most)
	require.True(t, g.exploring.Load())
	require.EqualValues(t, 2, g.crowd.Load())

	g.runs[0].(*run).reach = 16
	g.runs[1].(*run).reach = 8
	g.Open(time.Hour, 3, time.Second, 9, false)
	require.Same(t, law, g.law, "one that is open stays as it is")
	require.Equal(t, 100*time.Millisecond, law.State().Baseline)
	_, ceiling = law.Bounds()
	require.Equal(t, 16, ceiling)
	require.False(t, g.exploring.Load(), "no more are allowed")
	g = trackerOf(4, runOf(0, 9))
	require.Zero(t, g.law.State().Baseline)
	g = trackerOf(4)
	floor, ceiling = g.law.Bounds()
	require.Equal(t, []int{1, 1}, []int{floor, ceiling}, "of nobody")
}

func TestTrackerWatches(t *testing.T) {
	g := trackerOf(4, runOf(0, 9))
	var a, b, c Attempt
	for _, w := range []*Attempt{&a, &b, &c, &a} {
		g.Watch(w)
	}
	require.Equal(t, []*Attempt{&a, &b, &c}, g.attempts)
	g.Enter(&a, 1, 1, 1)
	g.Forget(&a)
	require.Equal(t, []*Attempt{&c, &b}, g.attempts)
	require.Equal(t, []int{0, 2, 1}, []int{a.watched, b.watched, c.watched})
	require.Zero(t, g.inFlight.Load(), "its attempt is over")
	g.Enter(&a, 1, 1, 1)
	g.Forget(&a)
	require.Len(t, g.attempts, 2)
	require.EqualValues(t, 1, g.inFlight.Load())
	g.Forget(&b)
	require.Equal(t, []*Attempt{&c}, g.attempts)
	require.Nil(t, g.attempts[:2][1], "which is forgotten")
	g.Forget(&c)
	require.Empty(t, g.attempts)
}

func TestTrackerAttempts(t *testing.T) {
	g := trackerOf(4, runOf(0, 9))
	g.epoch.Store(3)
	var a, b Attempt
	g.Watch(&a)
	g.Watch(&b)
	g.Enter(&a, 5, 2, 0.5)
	b.turns.Store(7)
	g.Enter(&b, 6, 1, 1)
	require.Equal(t, []adaptive.Attempt{
		{Began: 5, InFlight: 1, Epoch: 3, Items: 2, Cost: 0.5}, {Began: 6, InFlight: 7, Epoch: 3, Items: 1, Cost: 1},
	}, g.list())
	require.Zero(t, b.turns.Load())
	g.Enter(&b, 7, 1, 1) // a policy has recovered a panic of the call
	require.EqualValues(t, 2, g.inFlight.Load())

	paused := g.Pause(&a, 15)
	require.Equal(t, Paused{items: 2, cost: 0.5, had: 10}, paused)
	require.Equal(t, 2, paused.Items())
	require.Len(t, g.list(), 1)
	require.EqualValues(t, 1, g.inFlight.Load())
	require.Equal(t, Paused{}, g.Pause(&a, 16))
	g.Resume(&a, 115, paused)
	require.Equal(t, adaptive.Attempt{Began: 105, InFlight: 2, Epoch: 3, Items: 2, Cost: 0.5}, g.list()[0])
	require.Equal(t, 2, g.Drop(&a))
	require.Zero(t, g.Drop(&a))
	require.EqualValues(t, 1, g.inFlight.Load())
}

// An attempt for no items is not under way: nothing would end it. It ends the one before it all the same.
func TestTrackerEnterForNothing(t *testing.T) {
	g, s := spied(4, runOf(0, 9))
	var a Attempt
	g.Watch(&a)
	for range 3 {
		g.Enter(&a, 1, 0, 0)
		require.Zero(t, g.InFlight())
		g.Enter(&a, 2, 1, 1)
		require.Equal(t, 1, g.InFlight())
	}
	g.Enter(&a, 3, 0, 0)
	require.Empty(t, g.list())
	_, ok := g.Leave(&a, 4, 1, nil)
	require.False(t, ok)
	g.Forget(&a)
	require.Zero(t, g.InFlight())
	require.Empty(t, s.done)
}

// What of an attempt that ends is passed on.
func TestTrackerLeave(t *testing.T) {
	whole := adaptive.Attempt{Began: time.Second, InFlight: 1, Items: 4, Cost: 8}
	part := whole
	part.Items, part.Cost = 1, 2
	for name, c := range map[string]struct {
		items int
		err   error
		done  []adaptive.Attempt
		told  bool // what it took
	}{
		"done":           {4, nil, []adaptive.Attempt{whole}, true},
		"done, a part":   {1, nil, []adaptive.Attempt{part}, true},
		"nothing of it":  {0, nil, nil, false},
		"failed":         {4, errors.New("odd"), nil, true},
		"not made":       {4, withdrawn{}, nil, false},
		"lost":           {4, refused(503), nil, false},
		"lost, too many": {4, refused(429), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			g, s := spied(4, runOf(0, 9))
			var w Attempt
			g.Enter(&w, time.Second, 4, 8)
			took, ok := g.Leave(&w, 9*time.Second, c.items, c.err)
			require.Equal(t, c.told, ok)
			if ok {
				require.Equal(t, 8*time.Second, took)
			} else if name == "nothing of it" || name == "not made" {
				require.Zero(t, took)
			}
			require.Zero(t, g.inFlight.Load())
			require.Equal(t, c.done, s.done)
			_, lost := c.err.(refused) //nolint:errorlint // it is not wrapped
			require.Equal(t, lost, len(s.lost) > 0)
			require.Equal(t, name == "lost, too many", s.throttled)
			require.Equal(t, lost, g.due.Load(), "runs must hear of it at once")
			require.Equal(t, s.epoch, g.epoch.Load())
			require.EqualValues(t, s.limit, g.limit.Load())
		})
	}
	g, s := spied(4, runOf(0, 9))
	var w Attempt
	g.Leave(&w, 1, 1, nil) // it had begun before the gate was open
	require.Empty(t, s.done)
	g.Enter(&w, 0, 1, 1)
	g.Leave(&w, 1, 1, nil)
	require.False(t, g.due.Load())
	s.due = true
	g.Enter(&w, 0, 1, 1)
	g.Leave(&w, 1, 1, nil)
	require.True(t, g.due.Load(), "there is enough for a review")
}

// A call among more than the limit tells nothing, where runs share it.
func TestTrackerLeaveCrowded(t *testing.T) {
	for _, c := range []struct {
		runs, taken int
		counts      bool
	}{{2, 4, true}, {2, 5, false}, {1, 5, true}} {
		g, s := spied(4)
		for range c.runs {
			g.Enlist(runOf(0, 4), 0)
		}
		g.Turns.taken = c.taken
		var w Attempt
		g.Enter(&w, 0, 1, 1)
		g.Leave(&w, 1, 1, nil)
		require.Equal(t, c.counts, len(s.done) > 0)
		g.Enter(&w, 0, 1, 1)
		g.Leave(&w, 1, 1, refused(503))
		require.NotEmpty(t, s.lost, "but a loss does")
	}
}

// The bound of a run has changed.
func TestTrackerBound(t *testing.T) {
	p := runOf(0, 4)
	g := trackerOf(16, p)
	require.Equal(t, 4, g.law.Limit())
	p.reach = 10
	g.Rebound(time.Second)
	require.Equal(t, 10, g.law.Limit(), "of the first calls, as many as may be")
	require.EqualValues(t, 10, g.limit.Load())
	require.EqualValues(t, 1, g.epoch.Load())
}

func TestTrackerCrowded(t *testing.T) {
	g, s := spied(4, runOf(0, 9))
	g.Turns.taken = 4
	g.Crowded(time.Second)
	require.Zero(t, s.restarts)
	g.Turns.taken = 5
	g.Crowded(time.Second)
	require.Equal(t, 1, s.restarts)
	require.Equal(t, s.Epoch(), g.epoch.Load(), "it is known that a window begins")
	new(Tracker).Crowded(0) // not open yet

	g.Alone(time.Second)
	require.Equal(t, time.Second, s.alone)
	g, s = spied(4, runOf(0, 9), runOf(0, 9))
	g.Alone(time.Second)
	require.Zero(t, s.alone, "other runs make calls, too")
	new(Tracker).Alone(0)
}

// No method keeps the lock.
func TestTrackerIsLeftUnlocked(t *testing.T) {
	g, r, a := trackerOf(4, runOf(0, 9)), runOf(0, 9), new(Attempt)
	for name, call := range map[string]func(){
		"Alone": func() { g.Alone(time.Second) }, "Crowded": func() { g.Crowded(0) }, "Enlist": func() { g.Enlist(r, 0) },
		"Rebound": func() { g.Rebound(0) }, "Share": func() { g.Share(r) }, "Delist": func() { g.Delist(r, 0) },
		"Open": func() { g.Open(0, 4, 0, 0, false) }, "State": func() { g.State() }, "Watch": func() { g.Watch(a) },
		"Forget": func() { g.Forget(a) }, "tell": func() { g.tell(0, adaptive.Attempt{}, nil) }, "Review": func() { g.Review(0, adaptive.Conditions{}) },
	} {
		call()
		require.True(t, g.mu.TryLock(), name)
		g.mu.Unlock()
	}
}
