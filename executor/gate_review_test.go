package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reviewed is what a gate of forty calls says after a window of twenty of them.
func reviewed(change func(g *gate)) (g *gate, moment Moment, reason string) {
	g = gateOf(40, runOf(0, 100))
	g.adaptive = steady(20, holding, 0)
	g.adaptive.previous, g.adaptive.ceiling = 20, 100
	g.adaptive.window = window{limit: 20, calls: 20, ended: 20, seconds: 2, squares: 0.2, inFlight: 400, peak: 20}
	g.inFlight.Store(7)
	g.due.Store(true)
	if change != nil {
		change(g)
	}
	moment, reason = g.review(time.Second, g.adaptive.saturated, math.Inf(1), g.adaptive.held)
	return g, moment, reason
}

func TestGateReview(t *testing.T) {
	g, moment, reason := reviewed(nil)
	require.InDelta(t, 200, moment.Rate, 1e-9)
	moment.Rate = 0
	require.Equal(t, Moment{Limit: 20, InFlight: 7, Latency: 100 * time.Millisecond, Base: 100 * time.Millisecond, Bound: BoundByService}, moment)
	require.Empty(t, reason)
	require.EqualValues(t, 100*time.Millisecond, g.base.Load())
	require.EqualValues(t, g.adaptive.epoch, g.epoch.Load())
	require.EqualValues(t, 20, g.limit.Load())
	require.False(t, g.due.Load())

	for name, change := range map[string]func(g *gate){
		"not due":    func(g *gate) { g.due.Store(false) },
		"not enough": func(g *gate) { g.adaptive.window.calls = 5 },
	} {
		g, moment, _ = reviewed(change)
		require.Zero(t, moment.Rate, name)
		require.Zero(t, g.adaptive.epoch, name)
		require.Equal(t, 20, moment.Limit, name)
	}
	g, moment, reason = reviewed(func(g *gate) { g.adaptive.mode, g.adaptive.cold, g.adaptive.level = growing, true, 0 })
	require.Equal(t, "the throughput follows", reason)
	require.Empty(t, g.adaptive.reason, "it is told once")
	require.Empty(t, moment.Bound, "it grows")
	_, moment, _ = reviewed(func(g *gate) { g.adaptive.mode, g.adaptive.level = growing, 0 })
	require.Empty(t, moment.Bound)
	_, moment, _ = reviewed(func(g *gate) { g.adaptive.cold = true })
	require.Empty(t, moment.Bound)
	_, moment, _ = reviewed(func(g *gate) { g.adaptive.ceiling = 20 })
	require.Equal(t, BoundByCaller, moment.Bound)
	g, moment, _ = reviewed(func(g *gate) { g.adaptive.saturated = true })
	require.Equal(t, BoundByCores, moment.Bound)
	require.True(t, g.adaptive.saturated)
	g, _, _ = reviewed(func(g *gate) { g.turns.taken = 21; g.turns.most = 20 })
	require.True(t, g.adaptive.saturated, "there are more than the limit")
	g, _, _ = reviewed(func(g *gate) { g.adaptive.held = true })
	require.True(t, g.adaptive.held)

	g = gateOf(16, runOf(0, 100))
	moment, _ = g.review(patience, false, 15, false)
	require.Equal(t, 16, moment.Limit, "few are left")
	moment, _ = g.review(patience, false, 16, false)
	require.Equal(t, 32, moment.Limit, "none has ended in time")
	require.Empty(t, moment.Bound)
}

func TestGateRuns(t *testing.T) {
	a, b, c := runOf(0, 10), runOf(0, 30), runOf(0, 20)
	g := gateOf(16, a, b, c)
	g.delist(b)
	require.Equal(t, []*pool{a, c}, g.runs)
	require.EqualValues(t, 2, g.crowd.Load())
	require.Equal(t, 20, g.adaptive.ceiling)
	g.delist(b)
	require.Len(t, g.runs, 2)
	g.delist(a)
	g.delist(c)
	require.Zero(t, g.crowd.Load())
	require.Equal(t, 20, g.adaptive.ceiling, "as it was with the last of them")
}

// What a run has of a limit that others share.
func TestGateShare(t *testing.T) {
	alone := runOf(0, 10)
	g := gateOf(16, alone)
	require.Equal(t, 10, g.share(alone))
	alone.most.Store(100)
	require.Equal(t, 10, g.share(alone), "the ceiling has not been told of it")
	alone.reach.Store(100)
	g.bound(0)
	require.Equal(t, 16, g.share(alone))
	alone.most.Store(5)
	alone.cfg.MinWorkers = 8
	require.Equal(t, 8, g.share(alone))

	shared := func(mine, other [2]int, change func(me, you *pool)) int {
		me, you := runOf(0, 100), runOf(0, 100)
		g := gateOf(20, me, you)
		for p, d := range map[*pool][2]int{me: mine, you: other} {
			p.running.Store(int64(d[0]))
			p.claims.start(0, d[1])
		}
		if change != nil {
			change(me, you)
		}
		return g.share(me)
	}
	require.Equal(t, 20, shared([2]int{0, 50}, [2]int{0, 0}, nil), "nobody wants any")
	require.Equal(t, 10, shared([2]int{10, 50}, [2]int{10, 50}, nil), "half each")
	require.Equal(t, 17, shared([2]int{3, 50}, [2]int{2, 1}, nil), "what the other leaves")
	require.Equal(t, 4, shared([2]int{1, 50}, [2]int{16, 50}, nil), "not before it has left it")
	require.Equal(t, 1, shared([2]int{0, 50}, [2]int{20, 50}, nil), "one at the least")
	require.Equal(t, 4, shared([2]int{0, 50}, [2]int{20, 50}, func(me, _ *pool) { me.cfg.MinWorkers = 4 }))
	require.Equal(t, 7, shared([2]int{0, 50}, [2]int{0, 0}, func(me, _ *pool) { me.most.Store(7) }))
	require.Equal(t, 16, shared([2]int{16, 50}, [2]int{4, 50}, func(_, you *pool) { you.most.Store(4) }), "it may have no more")
}

func TestDemand(t *testing.T) {
	p := runOf(0, 9)
	p.running.Store(3)
	p.claims.start(2, 10)
	busy, more := p.demand()
	require.Equal(t, []int{3, 8}, []int{busy, more})
	p.claims.feed = newFeed(16, false)
	p.claims.feed.waiting.Store(1)
	p.claims.feed.produced.Store(5)
	busy, more = p.demand()
	require.Equal(t, []int{2, 3}, []int{busy, more})
	p.claims.feed.produced.Store(1)
	_, more = p.demand()
	require.Zero(t, more)
	require.Equal(t, 1500*time.Millisecond, seconds(1.5))
}
