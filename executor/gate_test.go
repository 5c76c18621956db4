package executor

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
		g.enlist(p)
	}
	g.open(0, first, 0, 0)
	return g
}

func TestGateOpens(t *testing.T) {
	g := new(gate)
	g.batches = true
	g.enlist(runOf(2, 100))
	g.enlist(runOf(5, 50))
	g.open(time.Second, 16, 100*time.Millisecond, 1)
	a := g.adaptive
	require.Equal(t, 5, a.floor)
	require.Equal(t, 100, a.ceiling)
	require.Equal(t, 16, a.limit)
	require.Equal(t, 16, g.first)
	require.Equal(t, unloaded{mean: 0.1, weight: 1}, a.base)
	require.Equal(t, window{since: time.Second, limit: 16, fresh: true}, a.window)
	require.True(t, a.serial.watched)
	require.EqualValues(t, 16, g.limit.Load())
	require.Equal(t, 16, g.turns.most)
	require.True(t, g.exploring.Load())
	require.EqualValues(t, 2, g.crowd.Load())

	g.runs[0].reach.Store(16)
	g.runs[1].reach.Store(8)
	g.open(time.Hour, 3, time.Second, 9)
	require.Same(t, a, g.adaptive, "one that is open stays as it is")
	require.Equal(t, unloaded{mean: 0.1, weight: 1}, a.base)
	require.Equal(t, 16, a.ceiling)
	require.False(t, g.exploring.Load(), "no more are allowed")
	g = gateOf(4, runOf(0, 9))
	require.Zero(t, g.adaptive.base.mean)
	require.Equal(t, 1, g.adaptive.floor)
	g.adaptive.cold = false
	g.publish()
	require.False(t, g.exploring.Load())
	g = gateOf(4)
	require.Equal(t, 1, g.adaptive.ceiling, "of nobody")
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
	require.Equal(t, []attempt{
		{began: 5, inFlight: 1, epoch: 3, items: 2, cost: 0.5}, {began: 6, inFlight: 7, epoch: 3, items: 1, cost: 1},
	}, g.attempts())
	require.Zero(t, b.turnsTaken.Load())
	g.enter(&b, 7, 1, 1) // a policy has recovered a panic of the call
	require.EqualValues(t, 2, g.inFlight.Load())

	paused := g.pause(&a, 15)
	require.Equal(t, attempt{items: 2, cost: 0.5, began: 10}, paused)
	require.Len(t, g.attempts(), 1)
	require.EqualValues(t, 1, g.inFlight.Load())
	require.Equal(t, attempt{}, g.pause(&a, 16))
	g.resume(&a, 115, paused)
	require.Equal(t, attempt{began: 105, inFlight: 2, epoch: 3, items: 2, cost: 0.5}, g.attempts()[0])
	require.Equal(t, 2, g.drop(&a))
	require.Zero(t, g.drop(&a))
	require.EqualValues(t, 1, g.inFlight.Load())
}

// What of an attempt that ends is passed on.
func TestGateLeave(t *testing.T) {
	for name, c := range map[string]struct {
		items int
		err   error
		ended float64 // as the window has it
		told  int64   // latencies
	}{
		"done":           {4, nil, 8, 4},
		"done, a part":   {1, nil, 2, 1},
		"nothing of it":  {0, nil, 0, 0},
		"failed":         {4, errors.New("odd"), 0, 4},
		"not made":       {4, withdrawn{}, 0, 0},
		"lost":           {4, refused(503), 0, 0},
		"lost, too many": {4, refused(429), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := gateOf(4, runOf(0, 9))
			var w account
			w.latencies = newLatencies()
			g.enter(&w, time.Second, 4, 8)
			g.leave(&w, 9*time.Second, c.items, c.err)
			require.Zero(t, g.inFlight.Load())
			require.InDelta(t, c.ended, g.adaptive.window.ended, 0)
			require.Equal(t, c.told, w.latencies.histogram.TotalCount())
			if c.ended > 0 {
				require.InDelta(t, 8/c.ended, g.adaptive.window.seconds, 0)
				require.InDelta(t, 1, g.adaptive.window.inFlight, 0)
			}
			_, lost := c.err.(refused) //nolint:errorlint // it is not wrapped
			require.Equal(t, lost, g.adaptive.losses.most > 0)
			require.Equal(t, lost, g.due.Load(), "runs must hear of it at once")
			require.Equal(t, g.adaptive.epoch, g.epoch.Load())
			if lost {
				require.EqualValues(t, g.adaptive.limit, g.limit.Load())
				require.InDelta(t, map[bool]float64{true: throttleShare, false: overloadShare}[c.err == refused(429)], g.adaptive.losses.share, 0)
			}
		})
	}
	g := gateOf(4, runOf(0, 9))
	var w account
	g.leave(&w, 1, 1, nil) // it had begun before the gate was open
	require.Zero(t, g.adaptive.window.ended)
	for range 6 {
		require.False(t, g.due.Load())
		g.enter(&w, 0, 1, 1)
		g.leave(&w, 1, 1, nil)
	}
	require.True(t, g.due.Load(), "there is enough for a review")
}

// A call among more than the limit tells nothing, where runs share it.
func TestGateLeaveCrowded(t *testing.T) {
	for _, c := range []struct {
		runs, taken int
		counts      bool
	}{{2, 4, true}, {2, 5, false}, {1, 5, true}} {
		g := gateOf(4)
		for range c.runs {
			g.enlist(runOf(0, 4))
		}
		g.adaptive.limit = 4
		g.publish()
		g.turns.taken = c.taken
		var w account
		g.enter(&w, 0, 1, 1)
		g.leave(&w, 1, 1, nil)
		require.Equal(t, c.counts, g.adaptive.window.ended > 0)
		g.enter(&w, 0, 1, 1)
		g.leave(&w, 1, 1, refused(503))
		require.Positive(t, g.adaptive.losses.most, "but a loss does")
	}
}

// What kept the first calls from being more no longer does.
func TestGateBound(t *testing.T) {
	p := runOf(0, 4)
	g := gateOf(16, p)
	require.Equal(t, 4, g.adaptive.limit)
	p.reach.Store(10)
	g.bound(time.Second)
	require.Equal(t, 10, g.adaptive.limit)
	require.EqualValues(t, 10, g.limit.Load())
	g.bound(2 * time.Second)
	require.EqualValues(t, 1, g.epoch.Load())
	p.reach.Store(100)
	g.bound(3 * time.Second)
	require.Equal(t, 16, g.adaptive.limit, "as many as were to be the first")
	g.adaptive.limit, g.adaptive.cold = 4, false
	g.bound(4 * time.Second)
	require.Equal(t, 4, g.adaptive.limit)
}

func TestGateCrowded(t *testing.T) {
	crowded := func(change func(g *gate)) *gate {
		g := gateOf(4, runOf(0, 9))
		g.turns.taken = 5
		if change != nil {
			change(g)
		}
		g.crowded(time.Second)
		return g
	}
	g := crowded(nil)
	require.Equal(t, window{since: time.Second, epoch: 1, limit: 4, fresh: true}, g.adaptive.window)
	require.EqualValues(t, 1, g.epoch.Load())
	for _, change := range []func(g *gate){
		func(g *gate) { g.turns.taken = 4 }, func(g *gate) { g.adaptive.cold = false }, func(g *gate) { g.adaptive.base.mean = 0.1 },
	} {
		require.Zero(t, crowded(change).adaptive.epoch)
	}
	new(gate).crowded(0) // not open yet

	g.alone(time.Second)
	require.InDelta(t, 1, g.adaptive.base.mean, 0)
	g = gateOf(4, runOf(0, 9), runOf(0, 9))
	g.alone(time.Second)
	require.Zero(t, g.adaptive.base.mean, "other runs make calls, too")
	new(gate).alone(0)
}
