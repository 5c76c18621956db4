package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/adaptive"
)

// A review asks the law, and says what bounds the calls.
func TestGateReview(t *testing.T) {
	state := adaptive.State{Baseline: 100 * time.Millisecond, Latency: 120 * time.Millisecond, Rate: 200, Settled: true}
	reviewed := func(saturated, held bool, change func(*gate, *spy)) (*gate, *spy, Moment, string) {
		g, s := spied(20, runOf(0, 100))
		s.state, s.ready, s.reason = state, true, "it pays"
		g.inFlight.Store(7)
		g.due.Store(true)
		if change != nil {
			change(g, s)
		}
		moment, reason := g.review(time.Second, saturated, 9, held)
		return g, s, moment, reason
	}
	g, s, moment, reason := reviewed(false, false, func(g *gate, s *spy) {
		var w account
		g.join(&w)
		g.enter(&w, 1, 3, 2)
		s.limit, s.epoch = 25, 1
	})
	require.Equal(t, Moment{
		Limit: 25, InFlight: 8, Latency: state.Latency, Rate: 200, Base: state.Baseline, Bound: BoundByService,
	}, moment)
	require.Equal(t, "it pays", reason)
	require.Len(t, s.open, 1)
	require.Equal(t, adaptive.Conditions{Batches: 9}, s.conditions)
	require.EqualValues(t, state.Baseline, g.base.Load())
	require.Equal(t, []int64{25, 1}, []int64{g.limit.Load(), g.epoch.Load()})
	require.False(t, g.due.Load())
	require.Equal(t, []int{1, 0}, []int{s.reviews, s.silences})

	for name, change := range map[string]func(*gate, *spy){
		"not due":    func(g *gate, _ *spy) { g.due.Store(false) },
		"not enough": func(_ *gate, s *spy) { s.ready = false },
	} {
		_, s, moment, _ = reviewed(false, false, change)
		require.Zero(t, moment.Rate, name)
		require.Equal(t, []int{0, 1}, []int{s.reviews, s.silences}, name)
		require.Equal(t, 20, moment.Limit, name)
	}
	_, _, moment, _ = reviewed(false, false, func(_ *gate, s *spy) { s.state.Settled = false })
	require.Empty(t, moment.Bound)
	_, _, moment, _ = reviewed(false, false, func(_ *gate, s *spy) { s.ceiling = 20 })
	require.Equal(t, BoundByCaller, moment.Bound)
	_, s, moment, _ = reviewed(true, true, func(_ *gate, s *spy) { s.ceiling = 20 })
	require.Equal(t, BoundByCores, moment.Bound)
	require.Equal(t, adaptive.Conditions{Saturated: true, Held: true, Batches: 9}, s.conditions)
	_, s, _, _ = reviewed(false, false, func(g *gate, _ *spy) { g.turns.taken = 21 })
	require.True(t, s.conditions.Saturated, "there are more than the limit")
}

func TestGateRuns(t *testing.T) {
	a, b, c := runOf(0, 10), runOf(0, 30), runOf(0, 20)
	g := gateOf(16, a, b, c)
	g.delist(b, 0)
	require.Equal(t, []*pool{a, c}, g.runs)
	require.EqualValues(t, 2, g.crowd.Load())
	_, ceiling := g.law.Bounds()
	require.Equal(t, 20, ceiling)
	g.delist(b, 0)
	require.Len(t, g.runs, 2)
	g.delist(a, 0)
	g.delist(c, 0)
	require.Zero(t, g.crowd.Load())
	_, ceiling = g.law.Bounds()
	require.Equal(t, 20, ceiling, "as it was with the last of them")
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
}
