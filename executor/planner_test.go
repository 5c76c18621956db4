package executor

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// waitingSample is of calls of a tenth of a second that wait.
var waitingSample = sampling.Sample{Items: 3, ItemNanos: 1e8, CPUKnown: true, CPUShare: 0}

func TestGivenPlan(t *testing.T) {
	plan := optimizer.Plan{
		Workers: 8, MaxWorkers: 4, Reason: "so", PredictedDuration: 5, PredictedSpeedup: 2, AtBest: true,
		Constraints: optimizer.Constraints{Items: 100}, Host: sampling.Host{Procs: 2},
	}
	p := wired(Config{}, 100)
	p.planner.host = sampling.Host{Procs: 2}
	got := p.planner.given(plan)
	require.Equal(t, 8, got.MaxWorkers)
	require.Equal(t, 8, got.Workers)
	require.Equal(t, "given: so", got.Reason)
	require.EqualValues(t, 5, got.PredictedDuration)
	require.True(t, got.AtBest)
	require.Empty(t, got.Warnings)
	require.True(t, p.planner.revised)
	p.planner.host.Procs, p.cfg.MaxWorkers, p.total = 3, 5, 99
	got = p.planner.given(plan)
	require.Equal(t, 5, got.MaxWorkers)
	require.Equal(t, 5, got.Workers)
	require.Zero(t, got.PredictedDuration, "it was for another number of items")
	require.Zero(t, got.PredictedSpeedup)
	require.False(t, got.AtBest)
	require.NotEmpty(t, got.Warnings)
	require.Contains(t, got.Warnings[0], "the plan was made for another host: ")
	p.cfg.MaxWorkers = 1
	require.Equal(t, 1, p.planner.given(plan).Workers)
	p.cfg.MaxWorkers = 20
	require.Equal(t, 8, p.planner.given(plan).MaxWorkers)
}

// All facts of the host are read where there is time for it: where much is left to do, or nobody knows how much.
func TestReadHost(t *testing.T) {
	runtime.GC() // a large heap would be a reason
	little := sampling.Sample{Items: 10, ItemNanos: 1}
	for name, c := range map[string]struct {
		change func(p *planner, sample *sampling.Sample)
		full   bool
	}{
		"little is left":        {func(*planner, *sampling.Sample) {}, false},
		"much is left":          {func(_ *planner, s *sampling.Sample) { s.ItemNanos = float64(fullHostFrom) / 990 }, true},
		"not quite":             {func(_ *planner, s *sampling.Sample) { s.ItemNanos = float64(fullHostFrom) / 991 }, false},
		"a plan":                {func(p *planner, _ *sampling.Sample) { p.cfg.Plan = new(optimizer.Plan) }, true},
		"the load counts":       {func(p *planner, _ *sampling.Sample) { p.cfg.LoadAware = true }, true},
		"a stream":              {func(p *planner, _ *sampling.Sample) { p.arrives = true }, true},
		"known to be much":      {func(p *planner, _ *sampling.Sample) { p.cfg.learned = &learned{sample: waitingSample} }, true},
		"known to be little":    {func(p *planner, _ *sampling.Sample) { p.cfg.learned = &learned{sample: little} }, false},
		"calls allocate":        {func(_ *planner, s *sampling.Sample) { s.AllocKnown, s.AllocBytes = true, 1<<20 }, true},
		"they allocate less":    {func(_ *planner, s *sampling.Sample) { s.AllocKnown, s.AllocBytes = true, 1<<20-1 }, false},
		"what is not known yet": {func(_ *planner, s *sampling.Sample) { s.AllocBytes = 1 << 20 }, false},
	} {
		r, sample := wired(Config{}, 1000), little
		c.change(&r.planner, &sample)
		r.planner.readHost(sample)
		require.Equal(t, c.full, r.planner.host.MemoryTotal > 0, name)
		require.NotZero(t, r.planner.host.Procs, name)
	}
}

// How many items a stream has is not known: a second worker is tried.
func TestPlanOfAStream(t *testing.T) {
	p := wired(Config{}, source.Many)
	p.of(source.NewArrivals(9, false))
	host := sampling.Host{Procs: 4}
	computes := sampling.Sample{Items: 3, ItemNanos: 10, CPUKnown: true, CPUShare: 1}
	plan := p.planner.make(computes, host)
	require.Equal(t, optimizer.Parallel, plan.Mode)
	require.Equal(t, 4, plan.Workers)
	require.Equal(t, 1, plan.ChunkSize)
	require.Zero(t, plan.PredictedDuration)
	require.Zero(t, plan.Constraints.Items)
	require.Nil(t, plan.Candidates)
	for _, l := range plan.Limits {
		require.NotEqual(t, "items", l.Name)
	}
	plan = p.planner.make(waitingSample, host)
	require.Equal(t, optimizer.FirstWindow, plan.Workers)
	require.Contains(t, plan.Reason, "I/O-bound")
	require.Equal(t, 1, p.planner.make(computes, sampling.Host{}).Workers)
	p.cfg.MaxWorkers, p.cfg.ChunkSize = 2, 3
	plan = p.planner.make(waitingSample, host)
	require.Equal(t, 2, plan.Workers)
	require.Equal(t, 3, plan.ChunkSize)
	require.Equal(t, 2, p.planner.make(computes, host).Workers)
	p.cfg.MaxWorkers, p.cfg.Workers = 0, 3
	require.Equal(t, 3, p.planner.make(computes, host).Workers)
}

// Items that turned out dearer than the sample had it cost that much at least.
func TestPlanOfASurprise(t *testing.T) {
	p := wired(Config{}, 1000)
	computes := sampling.Sample{Items: 3, ItemNanos: 1e6, CPUKnown: true, CPUShare: 1}
	host := sampling.Host{Procs: 4}
	require.False(t, p.planner.make(computes, host).AtBest)
	p.planner.surprised = true
	require.True(t, p.planner.make(computes, host).AtBest)
	require.False(t, p.planner.make(sampling.Sample{}, host).AtBest, "nothing is predicted")
}

// A plan is made again of what a call takes, if the sample did not tell or was wrong, and then
// only once that is known.
func TestRevise(t *testing.T) {
	for _, c := range []struct {
		items     int
		surprised bool
		took      time.Duration
		revised   bool
		nanos     float64
	}{
		{0, false, 0, false, 5e6},
		{3, true, 0, false, 5e6},
		{3, false, 0, true, 5e6},
		{0, false, time.Second, true, 1e9},
		{3, true, time.Second, true, 1e9},
		{3, false, time.Second, true, 5e6},
	} {
		p := wired(Config{}, 1000)
		p.planner.plan.Sample = sampling.Sample{Items: c.items, ItemNanos: 5e6}
		p.planner.surprised = c.surprised
		plan := p.planner.revise(0.5, c.took, 0)
		require.Equal(t, c.revised, plan != nil, "%+v", c)
		if plan != nil {
			require.InDelta(t, c.nanos, plan.Sample.ItemNanos, 1, "%+v", c)
			require.InDelta(t, 0.5, plan.Sample.CPUShare, 1e-9)
		}
	}
}

// What a batch of the settled size takes, and what a plan says of batches.
func TestPlanOfBatches(t *testing.T) {
	p := wired(Config{ChunkSize: 7}, 1000)
	took, size, calls := p.unit(p.planner.plan.Sample.ItemNanos)
	require.Equal(t, []int{0, 0, 0}, []int{int(took), size, calls})
	p.batches = &batching{}
	p.planner.plan.Sample.ItemNanos = 5
	took, size, calls = p.unit(p.planner.plan.Sample.ItemNanos)
	require.Equal(t, []int{35, 7, 1}, []int{int(took), size, calls})
	p.batches.sizer = sizing.NewBatch(sizing.BatchBounds{Target: time.Second})
	p.batches.sizer.Succeeded(1, 22*time.Millisecond)
	took, size, calls = p.unit(p.planner.plan.Sample.ItemNanos)
	require.Equal(t, []int{0, 0, 0}, []int{int(took), size, calls})
	require.True(t, p.settling())
	p.batches.sizer.Size(0, 1, 1) // the last one: its size is settled
	require.False(t, p.settling())
	took, size, calls = p.unit(p.planner.plan.Sample.ItemNanos)
	require.Equal(t, []int{int(22 * time.Millisecond), 1, 1}, []int{int(took), size, calls})

	p.cfg.rate, p.cfg.burst = 10, 5
	made := p.planner.make(waitingSample, sampling.Host{Procs: 2})
	require.Zero(t, made.Constraints.Rate, "a token is for a batch")
	require.Zero(t, made.Constraints.Burst)

	waits := optimizer.Plan{Workers: 16, ChunkSize: 5, Workload: sampling.IOBound, PredictedDuration: 9, PredictedSpeedup: 2}
	plan := p.planner.ofBatches(waits)
	require.Equal(t, 1, plan.ChunkSize)
	require.Equal(t, batchWindow, plan.Workers)
	require.Zero(t, plan.PredictedDuration)
	waits.Workers = 1
	require.Equal(t, 1, p.planner.ofBatches(waits).Workers)
	p.cfg.Workers, waits.Workers = 16, 16
	require.Equal(t, 16, p.planner.ofBatches(waits).Workers)
	p.cfg.Workers, waits.Workload = 0, sampling.CPUBound
	require.Equal(t, 16, p.planner.ofBatches(waits).Workers)
	p.batches.sizer = sizing.NewBatch(sizing.BatchBounds{})
	require.Equal(t, 5, p.planner.ofBatches(waits).ChunkSize)
	p.cfg.rate, p.cfg.burst = 1, 1 // a token is for a batch
	require.Zero(t, p.planner.make(waitingSample, sampling.Host{Procs: 2}).Constraints.Rate)
}

// As the size of batches is settled, the plan is made of what an item takes in one of that size.
func TestPlanOfASettledSize(t *testing.T) {
	p := wired(Config{}, 1000)
	p.batches = &batching{sizer: sizing.NewBatch(sizing.BatchBounds{Target: time.Second})}
	p.planner.plan = p.planner.make(sampling.Sample{Items: 1, ItemNanos: 5, CPUKnown: true}, sampling.Host{Procs: 3})
	p.batches.sizer.Succeeded(1, 22*time.Millisecond)
	p.batches.sizer.Size(0, 1, 1)
	plan := p.planner.settled()
	require.InDelta(t, 22e6, plan.Sample.ItemNanos, 1)
	require.InDelta(t, 22e6, p.planner.plan.Sample.ItemNanos, 1, "it is the plan from now on")
	require.Equal(t, 3, plan.Host.Procs)
	require.NotSame(t, &p.planner.plan, plan, "who is told has one of their own")
}

func TestLearnedPlan(t *testing.T) {
	p := wired(Config{}, 100_000)
	p.planner.host = sampling.Host{Procs: 4}
	computes := sampling.Sample{ItemNanos: 1e6, CPUKnown: true, CPUShare: 1}
	p.planner.surprised = true
	plan := p.planner.learned(learned{computes, 3}, 0)
	require.Equal(t, 3, plan.Workers)
	require.Contains(t, plan.Reason, "learned from earlier runs: ")
	require.True(t, p.planner.revised)
	require.False(t, p.planner.surprised)
	require.Equal(t, 4, p.planner.learned(learned{computes, 9}, 0).Workers, "no more than the cores")
	require.Equal(t, 1, p.planner.learned(learned{computes, 0}, 0).Workers)
	require.Greater(t, p.planner.learned(learned{waitingSample, 3}, 0).Workers, 4, "of calls that wait it is the limit that is learned")
}

// A run that begins with the limit of earlier ones takes so many rounds of calls.
func TestForeseeLearned(t *testing.T) {
	foreseen := func(limit, total int, change func(plan *optimizer.Plan)) optimizer.Plan {
		p := wired(Config{}, total)
		plan := optimizer.Plan{MaxWorkers: 50, Sample: waitingSample, AtBest: true, PredictedDuration: 3 * time.Second, PredictedSpeedup: 2}
		if change != nil {
			change(&plan)
		}
		p.planner.foreseeLearned(&plan, limit)
		return plan
	}
	plan := foreseen(20, 101, nil)
	require.Equal(t, 600*time.Millisecond, plan.PredictedDuration)
	require.InDelta(t, 10, plan.PredictedSpeedup, 1e-9)
	require.False(t, plan.AtBest)
	require.Equal(t, 500*time.Millisecond, foreseen(20, 100, nil).PredictedDuration)
	require.Equal(t, 200*time.Millisecond, foreseen(80, 100, nil).PredictedDuration)
	require.Equal(t, 400*time.Millisecond, foreseen(80, 160, nil).PredictedDuration, "no more than the caller allows")
	require.Equal(t, 300*time.Millisecond, foreseen(1, 3, nil).PredictedDuration)
	require.Equal(t, 3*time.Second, foreseen(0, 100, nil).PredictedDuration, "none is known")
	require.Equal(t, 3*time.Second, foreseen(20, 100, func(plan *optimizer.Plan) { plan.AtBest = false }).PredictedDuration)
	plan = foreseen(20, 100, func(plan *optimizer.Plan) { plan.Sample.ItemNanos = 0 })
	require.InDelta(t, 2*float64(3*time.Second), plan.PredictedSpeedup, 1)
}

// passing is a policy that passes calls on.
type passing struct{}

func (passing) Do(ctx context.Context, call func(context.Context) error) error { return call(ctx) }

// limiter is one that tells its rate.
type limiter struct {
	passing
	rate  float64
	burst int64
}

func (l limiter) Rate() float64 { return l.rate }
func (l limiter) Burst() int64  { return l.burst }

func TestAskRate(t *testing.T) {
	for _, c := range []struct {
		policies []Policy
		rate     float64
	}{
		{[]Policy{passing{}}, 0}, {[]Policy{limiter{rate: 0.5, burst: 5}}, 0.5}, {[]Policy{limiter{rate: 0, burst: 5}}, 0},
		{[]Policy{limiter{rate: 2, burst: 5}, limiter{rate: 0, burst: 7}}, 2}, // one that declares none
		{[]Policy{limiter{rate: 3, burst: 9}, passing{}, limiter{rate: 2, burst: 5}, limiter{rate: 2, burst: 7}, limiter{rate: 4, burst: 8}}, 2},
	} {
		cfg := Config{Policies: c.policies}
		cfg.askRate()
		require.InDelta(t, c.rate, cfg.rate, 0)
		if c.rate > 0 {
			require.InDelta(t, 5, cfg.burst, 0, "of the lowest")
		}
	}
}

// The plan is made again once for calls that wait: if what they take was not known, or
// turned out to be something else.
func TestReviseWaiting(t *testing.T) {
	shown := waitingCalls{base: 50 * time.Millisecond, variation: 0.5, share: 0.1, began: time.Second}
	for name, c := range map[string]struct {
		change func(p *planner, c *waitingCalls)
		made   bool
	}{
		"nothing was known":          {func(p *planner, _ *waitingCalls) { p.plan.Sample.CPUKnown = false }, true},
		"a surprise":                 {func(p *planner, _ *waitingCalls) { p.surprised = true }, true},
		"it was known":               {func(*planner, *waitingCalls) {}, false},
		"done before":                {func(p *planner, _ *waitingCalls) { p.plan.Sample.CPUKnown, p.revised = false, true }, false},
		"nothing shown":              {func(p *planner, c *waitingCalls) { p.plan.Sample.CPUKnown, c.base = false, 0 }, false},
		"a surprise, that was known": {func(p *planner, _ *waitingCalls) { p.surprised, p.revised = true, true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := wired(Config{}, 1000)
			p, shown := &r.planner, shown
			p.plan = p.make(waitingSample, sampling.Host{Procs: 2})
			c.change(p, &shown)
			plan := p.reviseWaiting(shown)
			require.Equal(t, c.made, plan != nil)
			if c.made {
				require.EqualValues(t, 50*time.Millisecond, plan.Sample.ItemNanos)
				require.InDelta(t, 0.5, plan.Sample.CV, 0)
				require.True(t, plan.Sample.CPUKnown)
				require.True(t, p.revised)
			}
		})
	}
	fixed := wired(Config{Workers: 3}, 1000)
	fixed.planner.againWaiting(sampling.Sample{}, waitingCalls{base: time.Second, began: time.Minute})
	require.Zero(t, fixed.planner.plan.PredictedDuration, "what was not predicted is not predicted to begin later")
}
