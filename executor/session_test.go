package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

func TestWorthSharing(t *testing.T) {
	require.False(t, (*learned)(nil).worthSharing(1000))
	l := &learned{sample: sampling.Sample{Items: 1, ItemNanos: float64(optimizer.LeastWork) / 10, CPUKnown: true, CPUShare: 1}}
	require.True(t, l.worthSharing(10))
	require.False(t, l.worthSharing(9))
	l.sample.CPUShare = 0
	require.True(t, l.worthSharing(1), "they wait")
}

// A run begins with what was learned, unless its caller decides.
func TestSessionBegins(t *testing.T) {
	s := &Session{learned: &learned{workers: 3}}
	for _, c := range []struct {
		cfg     Config
		learned bool
	}{{Config{}, true}, {Config{Plan: &optimizer.Plan{}}, false}, {Config{Workers: 1}, false}, {Config{SampleSize: 1}, false}} {
		s.begin(&c.cfg)
		require.Equal(t, c.learned, c.cfg.learned != nil)
	}
	require.Equal(t, Stats{Runs: 4, Active: 4}, s.Stats())
	(*Session)(nil).begin(nil)
	(*Session)(nil).end(nil, 0, 0)
	s.end(nil, 7, 2)
	s.end(nil, 5, 1)
	require.Equal(t, Stats{Runs: 4, Active: 2, Items: 12, Failed: 3}, s.Stats())
	_, ok := s.Plan()
	require.True(t, ok)
	_, ok = new(Session).Plan()
	require.False(t, ok)
}

// learning is a run of so many items that has ended.
func learning(items int) *pool {
	p := &pool{cfg: &Config{}, staffed: true}
	p.totals.items = items
	p.plan = optimizer.Plan{Warnings: []string{"odd"}, Workers: 5, Sample: sampling.Sample{Items: 9, ItemNanos: 0.5, Elapsed: 3, HeldBytes: 4}}
	p.control = hillclimb.New(0, hillclimb.Start{Workers: 6})
	return p
}

// What the next run can begin with.
func TestSessionLearns(t *testing.T) {
	var s Session
	s.stats.Active = 2
	p := learning(worthLearning)
	p.faults.failed = []fault{{span: span{1, 3}}, {span: span{5, 6}}}
	s.end(p, 0, 0)
	require.Equal(t, Stats{Active: 1, Items: worthLearning, Failed: 3}, s.Stats())
	require.Equal(t, &learned{sampling.Sample{ItemNanos: 0.5, HeldBytes: 4}, 6}, s.learned)
	plan, ok := s.Plan()
	require.True(t, ok)
	require.Equal(t, 5, plan.Workers)
	require.Empty(t, plan.Warnings)

	p = learning(worthLearning)
	p.story.last.Base, p.memory.limit, p.memory.unit = 1, 1, 77
	p.claims.feed = newFeed(4, false)
	p.claims.feed.failed.Store(2)
	s.end(p, 0, 0)
	require.EqualValues(t, 5, s.Stats().Failed)
	require.Equal(t, sampling.Sample{ItemNanos: 1, HeldBytes: 77}, s.learned.sample)

	for name, change := range map[string]func(p *pool){
		"the caller decides": func(p *pool) { p.cfg.Workers = 1 },
		"the caller alone":   func(p *pool) { p.staffed = false },
		"few items":          func(p *pool) { p.totals.items-- },
		"nothing known":      func(p *pool) { p.plan.Sample.ItemNanos = 0 },
	} {
		var s Session
		p := learning(worthLearning)
		change(p)
		s.end(p, 0, 0)
		require.Nil(t, s.learned, name)
		require.EqualValues(t, p.totals.items, s.Stats().Items)
	}
}

func TestSessionStats(t *testing.T) {
	var s Session
	s.gate.enlist(runOf(0, 50), 0)
	s.gate.open(0, 16, time.Second, 3)
	s.gate.inFlight.Store(5)
	require.Equal(t, Stats{Limit: 16, InFlight: 5, Base: time.Second}, s.Stats())
	s.gate.law = &spy{limit: 16, state: adaptive.State{Baseline: time.Second, Rate: 16, Latency: 500 * time.Millisecond}}
	require.Equal(t, Stats{Limit: 16, InFlight: 5, Base: time.Second, Rate: 16, Latency: 500 * time.Millisecond}, s.Stats())
}
