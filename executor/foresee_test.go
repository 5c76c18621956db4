package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// running is a run of a thousand items that has done 240 of them in a second, ten at
// a time.
func running(change func(p *run)) *run {
	p := wired(Config{}, 1000)
	p.planner.plan = optimizer.Plan{Warnings: []string{"odd"}, Workers: 5, Sample: sampling.Sample{Items: 9, ItemNanos: 0.5, Elapsed: 3, HeldBytes: 4}}
	p.planner.plan.PredictedDuration, p.planner.plan.PredictedSpeedup, p.planner.plan.AtBest = time.Second, 8, true
	p.scheduler.mode.Store(modeWaiting)
	p.room.ended.Store(240)
	p.record.last = Moment{Bound: BoundByService, InFlight: 6, Held: 4, Latency: 100 * time.Millisecond}
	p.planner.forecast = forecast{bounded: true}
	if change != nil {
		change(p)
	}
	p.scheduler.foresee(p.start + time.Second)
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
	require.InDelta(t, took, p.planner.plan.PredictedDuration, 10)
	require.InDelta(t, 8/took.Seconds(), p.planner.plan.PredictedSpeedup, 1e-6)
	require.False(t, p.planner.plan.AtBest)
	for name, c := range map[string]struct {
		change  func(p *run)
		foresee bool
	}{
		"begun later":                {func(p *run) { p.start = time.Hour }, true},
		"a stream":                   {func(p *run) { p.of(source.NewArrivals(1, false)) }, false},
		"nothing bounds it":          {func(p *run) { p.record.last.Bound = "" }, false},
		"too many in flight":         {func(p *run) { p.record.last.Held = 100 }, false},
		"it takes long":              {func(p *run) { p.record.last.Latency = 251 * time.Millisecond }, false},
		"a rate, and quite another":  {func(p *run) { p.cfg.rate = 1 }, true},
		"a rate, and longer by less": {func(p *run) { p.cfg.rate, p.planner.plan.PredictedDuration = 1, took*4/5+time.Millisecond }, false},
		"a rate, and longer":         {func(p *run) { p.cfg.rate, p.planner.plan.PredictedDuration = 1, took*4/5-time.Millisecond }, true},
		"a rate, and less by less":   {func(p *run) { p.cfg.rate, p.planner.plan.PredictedDuration = 1, took*5/4-time.Millisecond }, false},
		"a rate, and less":           {func(p *run) { p.cfg.rate, p.planner.plan.PredictedDuration = 1, took*5/4+time.Millisecond }, true},
		"no rate, and the same":      {func(p *run) { p.planner.plan.PredictedDuration = took + time.Millisecond }, true},
		"nothing was predicted":      {func(p *run) { p.planner.plan.PredictedDuration = 0 }, true},
		"computing":                  {func(p *run) { p.scheduler.mode.Store(modeComputing) }, false},
		"computing, not predicted":   {func(p *run) { p.scheduler.mode.Store(modeComputing); p.planner.plan.PredictedDuration = 0 }, true},
		"in a trial": {func(p *run) {
			p.scheduler.mode.Store(modeComputing)
			p.planner.plan.PredictedDuration, p.scheduler.control = 0, trying(t)
		}, false},
		"of many workers": {func(p *run) {
			p.scheduler.mode.Store(modeComputing)
			p.planner.plan.PredictedDuration = 0
			p.crew.running.Store(61)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := time.Duration(0)
			p := running(func(p *run) { c.change(p); before = p.planner.plan.PredictedDuration })
			if !c.foresee {
				require.Equal(t, before, p.planner.plan.PredictedDuration)
				require.True(t, p.planner.plan.AtBest)
				return
			}
			require.InDelta(t, took, p.planner.plan.PredictedDuration, 10)
			require.False(t, p.planner.plan.AtBest)
			if before == 0 {
				require.InDelta(t, 8, p.planner.plan.PredictedSpeedup, 0, "there is nothing to compare with")
			}
		})
	}
}

// A declared rate is exact: what the run achieves counts from a fifth less, or a fourth more, on. What is only measured
// counts in any case.
func TestForeseeWithARate(t *testing.T) {
	for name, c := range map[string]struct {
		rate    float64
		before  time.Duration
		adopted bool
	}{
		"a fourth longer":         {1, 3200 * time.Millisecond, true},
		"not quite":               {1, 3200*time.Millisecond + 1, false},
		"a fifth less":            {1, 5 * time.Second, true},
		"nearly":                  {1, 5*time.Second - 1, false},
		"longer, without a rate":  {0, 3300 * time.Millisecond, true},
		"less, without a rate":    {0, 4900 * time.Millisecond, true},
		"nothing before the rate": {1, 0, true},
	} {
		p := wired(Config{rate: c.rate}, 1000)
		p.planner.plan.PredictedDuration, p.planner.forecast = c.before, forecast{bounded: true}
		p.planner.foresee(achieved{after: time.Second, items: 250, inFlight: 10, bounded: true})
		want := c.before
		if c.adopted {
			want = 4 * time.Second
		}
		require.Equal(t, want, p.planner.plan.PredictedDuration, name)
	}
}

// While the limit grows, the ramp is followed again as it becomes known what a call takes.
func TestForeseeGrowth(t *testing.T) {
	grown := func(base time.Duration, change func(p *run)) (*run, bool) {
		p := running(func(p *run) {
			p.record.last = Moment{Base: base}
			p.record.began = time.Minute
			p.planner.revised = true
			p.planner.plan.Sample = waitingSample
			p.planner.plan.Sample.Elapsed = time.Second
			p.planner.plan.Host = sampling.Host{Procs: 2}
			if change != nil {
				change(p)
			}
		})
		return p, p.planner.plan.PredictedDuration != time.Second
	}
	p, again := grown(120*time.Millisecond, nil)
	require.True(t, again)
	require.InDelta(t, 1.2e8, p.planner.plan.Sample.ItemNanos, 0)
	require.Greater(t, p.planner.plan.PredictedDuration, 59*time.Second, "the ramp began only then")
	require.Less(t, p.planner.plan.PredictedDuration, 62*time.Second)
	for base, follow := range map[time.Duration]bool{109: false, 111: true, 92: false, 90: true, 0: false} {
		_, again := grown(base*time.Millisecond, nil)
		require.Equal(t, follow, again, "%d ms", base)
	}
	for _, change := range []func(p *run){
		func(p *run) { p.cfg.learned = &learned{} }, func(p *run) { p.planner.revised = false }, func(p *run) { p.room.ended.Store(500) },
	} {
		_, again := grown(120*time.Millisecond, change)
		require.False(t, again)
	}
	_, again = grown(120*time.Millisecond, func(p *run) { p.room.ended.Store(499) })
	require.True(t, again)

	varied := func(p *run) {
		p.record.tally = new(tally)
		p.record.tally.record(50*time.Millisecond, 5)
		p.record.tally.record(30*time.Millisecond, 1)
	}
	p, again = grown(100*time.Millisecond, varied)
	require.True(t, again, "calls vary")
	require.InDelta(t, p.record.tally.variation(), p.planner.plan.Sample.CV, 1e-12)
	p, again = grown(100*time.Millisecond, func(p *run) { varied(p); p.planner.plan.Sample.CV = 0.53 })
	require.False(t, again, "as is known")
	require.InDelta(t, 0.53, p.planner.plan.Sample.CV, 0)
	p, _ = grown(120*time.Millisecond, func(p *run) { p.record.began = time.Second })
	require.Less(t, p.planner.plan.PredictedDuration, 3*time.Second)
}
