package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What bounds the calls in flight, as a run sees it.
func TestBoundOf(t *testing.T) {
	for name, c := range map[string]struct {
		m      Moment
		change func(p *pool)
		want   Bound
	}{
		"the service":              {Moment{Limit: 10, Bound: BoundByService}, nil, BoundByService},
		"it grows":                 {Moment{Limit: 10}, nil, ""},
		"held, and few in flight":  {Moment{Limit: 10, InFlight: 7, Held: 1}, nil, BoundByPolicies},
		"held, and most in flight": {Moment{Limit: 10, InFlight: 8, Held: 1}, nil, ""},
		"few in flight":            {Moment{Limit: 10, InFlight: 1}, nil, ""},
		"half as many held":        {Moment{Limit: 10, InFlight: 10, Held: 5}, nil, ""},
		"more held":                {Moment{Limit: 10, InFlight: 10, Held: 6}, nil, BoundByPolicies},
		"no items left":            {Moment{Limit: 10, Bound: BoundByService}, func(p *pool) { p.claims.start(5, 5) }, BoundByItems},
		"items come slowly": {Moment{Limit: 10, Bound: BoundByService}, func(p *pool) {
			p.claims.feed = newFeed(9, false)
			p.claims.feed.waiting.Store(1)
		}, BoundByItems},
		"a stream":                     {Moment{Limit: 10, Bound: BoundByService}, func(p *pool) { p.claims.feed = newFeed(9, false) }, BoundByService},
		"memory":                       {Moment{Limit: 30}, func(p *pool) { p.most.Store(30) }, BoundByMemory},
		"not yet":                      {Moment{Limit: 29}, func(p *pool) { p.most.Store(30) }, ""},
		"memory, of all runs":          {Moment{Limit: 10, Bound: BoundByCaller}, func(p *pool) { p.most.Store(49) }, BoundByMemory},
		"the items that there are":     {Moment{Limit: 50}, nil, BoundByItems},
		"fewer than the caller allows": {Moment{Limit: 50}, func(p *pool) { p.cfg.MaxWorkers = 51 }, BoundByItems},
		"the caller":                   {Moment{Limit: 50, Bound: BoundByCaller}, func(p *pool) { p.cfg.MaxWorkers = 50 }, BoundByCaller},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pool{cfg: &Config{}, top: 50}
			p.most.Store(50)
			p.claims.start(0, 1000)
			if c.change != nil {
				c.change(p)
			}
			require.Equal(t, c.want, p.boundOf(c.m))
		})
	}
}

func TestBatchesLeft(t *testing.T) {
	p := &pool{cfg: &Config{}}
	p.claims.start(10, 50)
	require.True(t, math.IsInf(p.batchesLeft(), 1))
	p.batches = &batching{&batchSizer{chosen: 16}}
	require.InDelta(t, 2.5, p.batchesLeft(), 0)
}

// A claim that takes much longer than foreseen is cut, if there is something to cut.
func TestCutLate(t *testing.T) {
	p := &pool{cfg: &Config{}, sizer: fixedSize(1)}
	late := func(size, began int64) *worker {
		w := &worker{runner: &calls[int, int]{}}
		w.size.Store(size)
		w.began.Store(began)
		return w
	}
	single, just, long := late(1, 0), late(2, 100), late(2, 99)
	p.workers = []*worker{single, just, long}
	after := int64((&timedSize{}).late())
	require.False(t, p.cutLate(1<<40), "never, of a fixed size")
	p.sizer = &timedSize{}
	require.True(t, p.cutLate(time.Duration(after+100)))
	require.Equal(t, []uint32{goOn, goOn, split}, []uint32{single.signal.Load(), just.signal.Load(), long.signal.Load()})
	require.False(t, p.cutLate(time.Duration(after+100)), "once")
}
