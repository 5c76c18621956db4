package executor

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
func TestGateAllocations(t *testing.T) {
	g := new(gate)
	g.open(0, 16, time.Millisecond, 10)
	w := &worker{}
	g.join(&w.account)
	now := time.Duration(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		g.enter(&w.account, now, 1, 1)
		now += time.Millisecond
		g.leave(&w.account, now, 1, nil)
		if g.due.Load() {
			g.review(now, false, math.Inf(1), false)
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

// runOf is a run that may have so many calls in flight.
func runOf(least, most int) *pool {
	p := &pool{cfg: &Config{MinWorkers: least}}
	p.most.Store(int64(most))
	p.reach.Store(int64(most))
	return p
}

// gateOf is an open gate of runs, which begins with first calls.
func gateOf(first int, runs ...*pool) *gate {
	g := new(gate)
	for _, p := range runs {
		g.enlist(p, 0)
	}
	g.open(0, first, 0, 0)
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
func (s *spy) Restart(time.Duration)           { s.restarts++ }

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
func spied(limit int, runs ...*pool) (*gate, *spy) {
	g := gateOf(limit, runs...)
	floor, ceiling := g.law.Bounds()
	s := &spy{limit: limit, floor: floor, ceiling: ceiling}
	g.law = s
	g.publish()
	return g, s
}

func TestGateOpens(t *testing.T) {
	g := new(gate)
	g.batches = true
	g.enlist(runOf(2, 100), 0)
	g.enlist(runOf(5, 50), 0)
	g.open(time.Second, 16, 100*time.Millisecond, 1)
	law := g.law
	floor, ceiling := law.Bounds()
	require.Equal(t, []int{5, 100, 16}, []int{floor, ceiling, law.Limit()})
	require.Equal(t, 100*time.Millisecond, law.State().Baseline)
	require.EqualValues(t, 16, g.limit.Load())
	require.Equal(t, 16, g.turns.most)
	require.True(t, g.exploring.Load())
	require.EqualValues(t, 2, g.crowd.Load())

	g.runs[0].reach.Store(16)
	g.runs[1].reach.Store(8)
	g.open(time.Hour, 3, time.Second, 9)
	require.Same(t, law, g.law, "one that is open stays as it is")
	require.Equal(t, 100*time.Millisecond, law.State().Baseline)
	_, ceiling = law.Bounds()
	require.Equal(t, 16, ceiling)
	require.False(t, g.exploring.Load(), "no more are allowed")
	g = gateOf(4, runOf(0, 9))
	require.Zero(t, g.law.State().Baseline)
	g = gateOf(4)
	floor, ceiling = g.law.Bounds()
	require.Equal(t, []int{1, 1}, []int{floor, ceiling}, "of nobody")
}

func TestGateWatches(t *testing.T) {
	g := gateOf(4, runOf(0, 9))
	var a, b, c account
	for _, w := range []*account{&a, &b, &c, &a} {
		g.join(w)
	}
	require.Equal(t, []*account{&a, &b, &c}, g.workers)
	g.enter(&a, 1, 1, 1)
	g.part(&a)
	require.Equal(t, []*account{&c, &b}, g.workers)
	require.Equal(t, []int{0, 2, 1}, []int{a.watched, b.watched, c.watched})
	require.Zero(t, g.inFlight.Load(), "its attempt is over")
	g.enter(&a, 1, 1, 1)
	g.part(&a)
	require.Len(t, g.workers, 2)
	require.EqualValues(t, 1, g.inFlight.Load())
	g.part(&b)
	require.Equal(t, []*account{&c}, g.workers)
	require.Nil(t, g.workers[:2][1], "which is forgotten")
	g.part(&c)
	require.Empty(t, g.workers)
}

func TestGateAttempts(t *testing.T) {
	g := gateOf(4, runOf(0, 9))
	g.epoch.Store(3)
	var a, b account
	g.join(&a)
	g.join(&b)
	g.enter(&a, 5, 2, 0.5)
	b.turnsTaken.Store(7)
	g.enter(&b, 6, 1, 1)
	require.Equal(t, []adaptive.Attempt{
		{Began: 5, InFlight: 1, Epoch: 3, Items: 2, Cost: 0.5}, {Began: 6, InFlight: 7, Epoch: 3, Items: 1, Cost: 1},
	}, g.attempts())
	require.Zero(t, b.turnsTaken.Load())
	g.enter(&b, 7, 1, 1) // a policy has recovered a panic of the call
	require.EqualValues(t, 2, g.inFlight.Load())

	paused := g.pause(&a, 15)
	require.Equal(t, adaptive.Attempt{Items: 2, Cost: 0.5, Began: 10}, paused)
	require.Len(t, g.attempts(), 1)
	require.EqualValues(t, 1, g.inFlight.Load())
	require.Equal(t, adaptive.Attempt{}, g.pause(&a, 16))
	g.resume(&a, 115, paused)
	require.Equal(t, adaptive.Attempt{Began: 105, InFlight: 2, Epoch: 3, Items: 2, Cost: 0.5}, g.attempts()[0])
	require.Equal(t, 2, g.drop(&a))
	require.Zero(t, g.drop(&a))
	require.EqualValues(t, 1, g.inFlight.Load())
}

// What of an attempt that ends is passed on.
func TestGateLeave(t *testing.T) {
	whole := adaptive.Attempt{Began: time.Second, InFlight: 1, Items: 4, Cost: 8}
	part := whole
	part.Items, part.Cost = 1, 2
	for name, c := range map[string]struct {
		items int
		err   error
		done  []adaptive.Attempt
		told  int64 // latencies
	}{
		"done":           {4, nil, []adaptive.Attempt{whole}, 4},
		"done, a part":   {1, nil, []adaptive.Attempt{part}, 1},
		"nothing of it":  {0, nil, nil, 0},
		"failed":         {4, errors.New("odd"), nil, 4},
		"not made":       {4, withdrawn{}, nil, 0},
		"lost":           {4, refused(503), nil, 0},
		"lost, too many": {4, refused(429), nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g, s := spied(4, runOf(0, 9))
			var w account
			w.latencies = newLatencies()
			g.enter(&w, time.Second, 4, 8)
			g.leave(&w, 9*time.Second, c.items, c.err)
			require.Zero(t, g.inFlight.Load())
			require.Equal(t, c.done, s.done)
			require.Equal(t, c.told, w.latencies.histogram.TotalCount())
			_, lost := c.err.(refused) //nolint:errorlint // it is not wrapped
			require.Equal(t, lost, len(s.lost) > 0)
			require.Equal(t, name == "lost, too many", s.throttled)
			require.Equal(t, lost, g.due.Load(), "runs must hear of it at once")
			require.Equal(t, s.epoch, g.epoch.Load())
			require.EqualValues(t, s.limit, g.limit.Load())
		})
	}
	g, s := spied(4, runOf(0, 9))
	var w account
	g.leave(&w, 1, 1, nil) // it had begun before the gate was open
	require.Empty(t, s.done)
	g.enter(&w, 0, 1, 1)
	g.leave(&w, 1, 1, nil)
	require.False(t, g.due.Load())
	s.due = true
	g.enter(&w, 0, 1, 1)
	g.leave(&w, 1, 1, nil)
	require.True(t, g.due.Load(), "there is enough for a review")
}

// A call among more than the limit tells nothing, where runs share it.
func TestGateLeaveCrowded(t *testing.T) {
	for _, c := range []struct {
		runs, taken int
		counts      bool
	}{{2, 4, true}, {2, 5, false}, {1, 5, true}} {
		g, s := spied(4)
		for range c.runs {
			g.enlist(runOf(0, 4), 0)
		}
		g.turns.taken = c.taken
		var w account
		g.enter(&w, 0, 1, 1)
		g.leave(&w, 1, 1, nil)
		require.Equal(t, c.counts, len(s.done) > 0)
		g.enter(&w, 0, 1, 1)
		g.leave(&w, 1, 1, refused(503))
		require.NotEmpty(t, s.lost, "but a loss does")
	}
}

// The bound of a run has changed.
func TestGateBound(t *testing.T) {
	p := runOf(0, 4)
	g := gateOf(16, p)
	require.Equal(t, 4, g.law.Limit())
	p.reach.Store(10)
	g.bound(time.Second)
	require.Equal(t, 10, g.law.Limit(), "of the first calls, as many as may be")
	require.EqualValues(t, 10, g.limit.Load())
	require.EqualValues(t, 1, g.epoch.Load())
}

func TestGateCrowded(t *testing.T) {
	g, s := spied(4, runOf(0, 9))
	g.turns.taken = 4
	g.crowded(time.Second)
	require.Zero(t, s.restarts)
	g.turns.taken = 5
	g.crowded(time.Second)
	require.Equal(t, 1, s.restarts)
	new(gate).crowded(0) // not open yet

	g.alone(time.Second)
	require.Equal(t, time.Second, s.alone)
	g, s = spied(4, runOf(0, 9), runOf(0, 9))
	g.alone(time.Second)
	require.Zero(t, s.alone, "other runs make calls, too")
	new(gate).alone(0)
}
