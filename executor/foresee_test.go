package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/sampling"
)

// running is a run of a thousand items that has done 240 of them in a second, ten at
// a time.
func running(change func(p *pool)) *pool {
	p := &pool{cfg: &Config{}, total: 1000, plan: learning(0).plan}
	p.plan.PredictedDuration, p.plan.PredictedSpeedup, p.plan.AtBest = time.Second, 8, true
	p.adapts.Store(true)
	p.ran.Store(240)
	p.story.last = Moment{Bound: BoundByService, InFlight: 6, Held: 4, Latency: 100 * time.Millisecond}
	p.forecast = forecast{bounded: true}
	if change != nil {
		change(p)
	}
	p.foresee(p.start + time.Second)
	return p
}

// trying is the law for calls that compute, in a trial.
func trying(t *testing.T) hillclimb.Controller {
	t.Helper()
	c := hillclimb.New(0, hillclimb.Start{Workers: 8, Ceiling: 8})
	c.Next(hillclimb.Observation{
		Now: time.Hour, Age: 10 * time.Millisecond, Running: 8, Reporting: 8, Chunks: 100, Items: 100,
		Busy: 80 * time.Millisecond, Squares: 100 * 8e5 * 8e5, Cores: 8, Procs: 8, Left: 1000,
	})
	require.True(t, c.Trying())
	return c
}

// What a run achieves is what it is predicted to take.
func TestForesee(t *testing.T) {
	p := running(nil)
	took := time.Second + 760*time.Second/240
	require.InDelta(t, took, p.plan.PredictedDuration, 10)
	require.InDelta(t, 8/took.Seconds(), p.plan.PredictedSpeedup, 1e-6)
	require.False(t, p.plan.AtBest)
	for name, c := range map[string]struct {
		change  func(p *pool)
		foresee bool
	}{
		"begun later":                {func(p *pool) { p.start = time.Hour }, true},
		"a stream":                   {func(p *pool) { p.claims.feed = newFeed(1, false) }, false},
		"nothing bounds it":          {func(p *pool) { p.story.last.Bound = "" }, false},
		"too many in flight":         {func(p *pool) { p.story.last.Held = 100 }, false},
		"it takes long":              {func(p *pool) { p.story.last.Latency = 251 * time.Millisecond }, false},
		"a rate, and quite another":  {func(p *pool) { p.cfg.rate = 1 }, true},
		"a rate, and longer by less": {func(p *pool) { p.cfg.rate, p.plan.PredictedDuration = 1, took*4/5+time.Millisecond }, false},
		"a rate, and longer":         {func(p *pool) { p.cfg.rate, p.plan.PredictedDuration = 1, took*4/5-time.Millisecond }, true},
		"a rate, and less by less":   {func(p *pool) { p.cfg.rate, p.plan.PredictedDuration = 1, took*5/4-time.Millisecond }, false},
		"a rate, and less":           {func(p *pool) { p.cfg.rate, p.plan.PredictedDuration = 1, took*5/4+time.Millisecond }, true},
		"no rate, and the same":      {func(p *pool) { p.plan.PredictedDuration = took + time.Millisecond }, true},
		"nothing was predicted":      {func(p *pool) { p.plan.PredictedDuration = 0 }, true},
		"computing":                  {func(p *pool) { p.adapts.Store(false) }, false},
		"computing, not predicted":   {func(p *pool) { p.adapts.Store(false); p.plan.PredictedDuration = 0 }, true},
		"in a trial": {func(p *pool) {
			p.adapts.Store(false)
			p.plan.PredictedDuration, p.control = 0, trying(t)
		}, false},
		"of many workers": {func(p *pool) {
			p.adapts.Store(false)
			p.plan.PredictedDuration, p.workers = 0, make([]*worker, 61)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := time.Duration(0)
			p := running(func(p *pool) { c.change(p); before = p.plan.PredictedDuration })
			if !c.foresee {
				require.Equal(t, before, p.plan.PredictedDuration)
				require.True(t, p.plan.AtBest)
				return
			}
			require.InDelta(t, took, p.plan.PredictedDuration, 10)
			require.False(t, p.plan.AtBest)
			if before == 0 {
				require.InDelta(t, 8, p.plan.PredictedSpeedup, 0, "there is nothing to compare with")
			}
		})
	}
}

// While the limit grows, the ramp is followed again as it becomes known what a call takes.
func TestForeseeGrowth(t *testing.T) {
	grown := func(base time.Duration, change func(p *pool)) (*pool, bool) {
		p := running(func(p *pool) {
			p.story.last = Moment{Base: base}
			p.story.began = time.Minute
			p.revised = true
			p.plan.Sample = waitingSample
			p.plan.Sample.Elapsed = time.Second
			p.plan.Host = sampling.Host{Procs: 2}
			if change != nil {
				change(p)
			}
		})
		return p, p.plan.PredictedDuration != time.Second
	}
	p, again := grown(120*time.Millisecond, nil)
	require.True(t, again)
	require.InDelta(t, 1.2e8, p.plan.Sample.ItemNanos, 0)
	require.Greater(t, p.plan.PredictedDuration, 59*time.Second, "the ramp began only then")
	require.Less(t, p.plan.PredictedDuration, 62*time.Second)
	for base, follow := range map[time.Duration]bool{109: false, 111: true, 92: false, 90: true, 0: false} {
		_, again := grown(base*time.Millisecond, nil)
		require.Equal(t, follow, again, "%d ms", base)
	}
	for _, change := range []func(p *pool){
		func(p *pool) { p.cfg.learned = &learned{} }, func(p *pool) { p.revised = false }, func(p *pool) { p.ran.Store(500) },
	} {
		_, again := grown(120*time.Millisecond, change)
		require.False(t, again)
	}
	_, again = grown(120*time.Millisecond, func(p *pool) { p.ran.Store(499) })
	require.True(t, again)

	varied := func(p *pool) {
		p.latencies = newLatencies()
		p.latencies.record(50*time.Millisecond, 5)
		p.latencies.record(30*time.Millisecond, 1)
	}
	p, again = grown(100*time.Millisecond, varied)
	require.True(t, again, "calls vary")
	require.InDelta(t, p.latencies.variation(), p.plan.Sample.CV, 1e-12)
	p, again = grown(100*time.Millisecond, func(p *pool) { varied(p); p.plan.Sample.CV = 0.53 })
	require.False(t, again, "as is known")
	require.InDelta(t, 0.53, p.plan.Sample.CV, 0)
	p, _ = grown(120*time.Millisecond, func(p *pool) { p.story.began = time.Second })
	require.Less(t, p.plan.PredictedDuration, 3*time.Second)
}
