package executor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// breaking is a source that panics.
type breaking struct{ *source.Slice }

func (breaking) Take(int, int) (source.Span, bool, bool) { panic("the source broke") }

// A panic in a helper that is not an item's ends the run, and is kept with no item.
func TestPanicBesideTheItems(t *testing.T) {
	r := wired(Config{}, 9)
	r.of(breaking{source.NewSlice(0, 9)})
	r.scheduler.sizer = claims(1)
	w := &worker{}
	w.working = true
	r.work(w)
	require.NotNil(t, r.outcome.panicked)
	require.Equal(t, "the source broke", r.outcome.panicked.Value)
	require.Equal(t, -1, r.outcome.panicked.Index)
	require.True(t, r.over.Load())
}

// A helper is for calls that wait once they are known to, and for batches from the start unless the caller says
// that they compute.
func TestHiresWaiting(t *testing.T) {
	for _, c := range []struct {
		mode        int32
		computeOnly bool
		want        bool
	}{
		{modeWaiting, false, true}, {modeWaiting, true, true}, {modeSettling, false, true}, {modeSettling, true, false},
		{modeComputing, false, false}, {modeComputing, true, false},
	} {
		r := wired(Config{ComputeOnly: c.computeOnly}, 9)
		r.scheduler.mode.Store(c.mode)
		require.Equal(t, c.want, r.scheduler.hiresWaiting(), c)
	}
}

// A helper has a context for its calls where they get one, or where runs share a limit: it holds the turns.
func TestHire(t *testing.T) {
	hired := func(cfg Config, fn Func[int, int]) *worker {
		r := wired(cfg, 9)
		r.runner = &calls[int, int]{fn: fn}
		return r.hire(0)
	}
	plain := Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
	require.Nil(t, hired(Config{Workers: 2}, plain).call)
	require.NotNil(t, hired(Config{Workers: 2, Session: new(Session)}, plain).call)
	require.NotNil(t, hired(Config{Workers: 2}, Func[int, int]{Context: func(_ context.Context, i int) (int, error) { return i, nil }}).call)
}

// claims is a size of claims.
type claims int

func (c claims) Size(float64, int, int) int { return int(c) }
func (claims) Record(int, time.Duration)    {}
func (claims) Late() time.Duration          { return 0 }

// Memory bounds the size of batches that is searched, not one that is given, nor what is claimed of items.
func TestClaimSize(t *testing.T) {
	for name, c := range map[string]struct {
		batches *batching
		size    int
		want    int
	}{
		"items":                {nil, 0, 40},
		"items, a size":        {nil, 40, 40},
		"batches":              {&batching{}, 0, 3},
		"batches, of one size": {&batching{}, 40, 40},
	} {
		r := wired(Config{ChunkSize: c.size}, 1000)
		r.batches = c.batches
		r.scheduler.sizer = claims(40)
		r.room.allowed.Store(6) // units in flight
		require.Equal(t, c.want, r.claimSize(&worker{}, 2), name)
	}
}

// The size of batches is searched within what the caller says; a fixed number of workers is told of.
func TestNewBatchSizer(t *testing.T) {
	require.Nil(t, newBatchSizer(&Config{ChunkSize: 3}))
	for _, c := range []struct {
		cfg  Config
		want sizing.BatchBounds
	}{
		{Config{}, sizing.BatchBounds{Target: DefaultTargetBatch}},
		{Config{Workers: 1}, sizing.BatchBounds{Target: DefaultTargetBatch, Fixed: true}},
		{Config{TargetChunk: time.Second, MaxChunkSize: 7}, sizing.BatchBounds{Target: time.Second, Most: 7}},
		{Config{Plan: &optimizer.Plan{ChunkSize: 9}}, sizing.BatchBounds{Target: DefaultTargetBatch, Given: 9}},
	} {
		require.Equal(t, sizing.NewBatch(c.want), newBatchSizer(&c.cfg))
	}
}

// Of batches of a given size the caller runs the first alone, which shows what a call takes without load.
func TestFirstBatchAlone(t *testing.T) {
	next := func(total, done int) (int, bool) {
		var o solo
		o.batches, o.cfg.ChunkSize, o.total, o.span = &batching{}, 3, total, span{Hi: done}
		return o.nextSize()
	}
	for _, c := range []struct {
		total, done, size int
		ok                bool
	}{{10, 0, 3, true}, {2, 0, 2, true}, {1, 0, 1, true}, {10, 3, 3, false}, {4, 1, 3, false}, {3, 3, 0, false}} {
		size, ok := next(c.total, c.done)
		require.Equal(t, c.size, size, c)
		require.Equal(t, c.ok, ok, c)
	}
	for left, more := range map[int]bool{0: false, 1: true, 9: true} { // of a size that is sought
		var o solo
		o.batches, o.total, o.span = &batching{sizing.NewBatch(sizing.BatchBounds{Target: time.Second, Most: 100})}, 5+left, span{Hi: 5}
		_, ok := o.nextSize()
		require.Equal(t, more, ok, left)
	}
}

// Batches that compute are as many at a time as cores; the tracker is told that calls are batches.
func TestOpenForBatches(t *testing.T) {
	computing := func(p *optimizer.Plan) {
		p.Workload, p.Sample.CPUKnown = sampling.CPUBound, true
	}
	for name, c := range map[string]struct {
		batches bool
		change  func(p *optimizer.Plan)
		most    int
	}{
		"items":                             {false, computing, 1000},
		"batches that compute":              {true, computing, 4},
		"batches that wait":                 {true, func(p *optimizer.Plan) { computing(p); p.Workload = sampling.IOBound }, 1000},
		"batches of which nothing is known": {true, func(p *optimizer.Plan) { computing(p); p.Sample.CPUKnown = false }, 1000},
	} {
		r := wired(Config{}, 1000)
		r.planner.plan.Host.Procs, r.planner.top = 4, 1000
		if c.change(&r.planner.plan); c.batches {
			r.batches = &batching{}
		}
		r.scheduler.open(0, 2, time.Second, 1)
		require.Equal(t, c.most, r.sharing.most(), name)
	}
}

// What calls take without the waits for policies is what the limit begins with, as soon as one has ended.
func TestOpenFoundByOwnTime(t *testing.T) {
	for items, want := range map[int64]time.Duration{0: 0, 1: time.Second, 4: 250 * time.Millisecond} {
		r := wired(Config{}, 1000)
		r.runner = newGuarded(calls[int, int]{}, []Policy{passing{}})
		r.planner.top = 1000
		w := &worker{}
		w.policed.ownItems.Store(items)
		w.policed.ownTime.Store(min(items, 1) * int64(time.Second))
		r.crew.workers = []*worker{w}
		r.scheduler.openFound(0, hillclimb.Observation{Items: 9, Busy: time.Hour, Procs: 2})
		state, _, ok := r.sharing.tracker.State()
		require.True(t, ok)
		require.Equal(t, want, state.Baseline, items)
	}
}

// Where nothing keeps outcomes, no clock is read.
func TestNoKeeperNoClock(t *testing.T) {
	require.Zero(t, (&kept[int, int]{}).begin())
}

// A long error is cut, and ends with dots.
func TestLongErrorInAReport(t *testing.T) {
	text := Report{Err: errors.New(strings.Repeat("é", mostError) + "end")}.String()
	require.Contains(t, text, "  error     "+strings.Repeat("é", mostError)+"…\n")
	text = Report{Err: errors.New(strings.Repeat("é", mostError))}.String()
	require.Contains(t, text, "é\n")
	require.NotContains(t, text, "…")
}

// A collection that is due is forced once.
func TestForcedOnce(t *testing.T) {
	n := 0
	r := wired(Config{}, 9)
	r.room.collect, r.room.heap = func() { n++ }, func() sampling.Heap { return sampling.Heap{} }
	require.False(t, r.room.forced())
	r.room.collectable = true
	require.True(t, r.room.forced())
	require.False(t, r.room.forced())
	require.Equal(t, 1, n)
}

// How much of the time the workers of a stream were in calls counts those that are under way.
func TestOccupied(t *testing.T) {
	r := wired(Config{}, 9)
	r.of(source.NewArrivals(9, false))
	r.scheduler.epoch.since = time.Second
	busy, idle, early := inCall(1, 3*time.Second), &worker{}, inCall(1, 0)
	r.crew.workers = []*worker{busy, idle, early}
	o := r.scheduler.observe(5 * time.Second)
	require.InDelta(t, (2.0+4.0)/4, o.Occupied, 1e-9)
	require.Zero(t, r.scheduler.observe(time.Second).Occupied, "no time has passed")
	require.InDelta(t, 1, r.scheduler.observe(time.Second+1).Occupied, 0, "the least time there is")
	require.Equal(t, 2, o.Running)
	if _, known := sampling.ProcessCPU(); known {
		require.InDelta(t, -1, o.Cores, 0, "what was used at the beginning is not known")
		r.scheduler.epoch.cpuKnown = true
		require.GreaterOrEqual(t, r.scheduler.observe(5*time.Second).Cores, 0.0)
	}
}

// How long the caller has been in its block counts neither what policies hold back now nor what they have held
// back; while a call waits in a policy, nothing is known.
func TestUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &solo{}
		o.sampler = sampling.Start(10, 1)
		time.Sleep(time.Second)
		now := clock.Now()
		require.Equal(t, time.Second, o.underWay(now))
		o.w.call = newCallContext(&runContext{Context: t.Context()}, &Config{})
		o.w.call.HoldBegins(waiting.Line{})
		time.Sleep(3 * time.Second)
		require.Equal(t, time.Second, o.underWay(clock.Now()))

		o.cfg.Policies = []Policy{passing{}}
		o.w.policed.entered.Store(int64(now))
		require.Zero(t, o.underWay(clock.Now()))
		o.w.policed.inside.Store(true)
		time.Sleep(time.Second)
		o.w.call.settle()
		require.Equal(t, 4*time.Second, o.underWay(clock.Now()))
	})
}

// What the caller has run alone counts in the report, also if it is one item.
func TestSampleCounts(t *testing.T) {
	for _, n := range []int{0, 1, 5} {
		r := wired(Config{}, 1000)
		r.makePlan(&before{sample: sampling.Sample{Items: n, Elapsed: time.Duration(n) * time.Second, ItemNanos: 1e9, CPUKnown: true}, span: span{Hi: n}})
		require.Equal(t, n, r.done.items)
		require.Equal(t, min(n, 1), r.done.chunks)
		require.Equal(t, time.Duration(n)*time.Second, r.done.busy)
	}
}

// A block that the caller is still running takes as long as it has already, at least: that is a surprise. So is each
// item of a stream that has shown nothing.
func TestPlanInABlock(t *testing.T) {
	for name, c := range map[string]struct {
		before    before
		arrives   bool
		nanos     float64
		surprised bool
	}{
		"in none":                           {before{sample: sampling.Sample{Items: 3, ItemNanos: 1e6, CPUKnown: true}}, false, 1e6, false},
		"in one":                            {before{sample: sampling.Sample{Items: 3, ItemNanos: 1e6, CPUKnown: true}, inBlock: true, span: span{Lo: 3, Hi: 8}, underWay: 10 * time.Second}, false, 2e9, true},
		"in one, for how long is not known": {before{sample: sampling.Sample{Items: 3, ItemNanos: 1e6, CPUKnown: true}, inBlock: true, span: span{Lo: 3, Hi: 8}}, false, 1e6, true},
		"in one, and shorter":               {before{sample: sampling.Sample{Items: 3, ItemNanos: 1e9, CPUKnown: true}, inBlock: true, span: span{Lo: 3, Hi: 8}, underWay: time.Second}, false, 1e9, true},
		"of a stream":                       {before{sample: sampling.Sample{Items: 3, ItemNanos: 1e6, CPUKnown: true}}, true, 1e6, false},
		"a stream begins":                   {before{sample: sampling.Sample{CPUKnown: true}}, true, 0, true},
		"nothing is known":                  {before{sample: sampling.Sample{CPUKnown: true}}, false, 0, false},
	} {
		r := wired(Config{}, 1000)
		r.arrives = c.arrives
		r.makePlan(&c.before)
		require.InDelta(t, c.nanos, r.planner.plan.Sample.ItemNanos, 0, name)
		require.Equal(t, c.surprised, r.planner.surprised, name)
	}
}

// As long as no item has ended, a plan that needs its time is not made again.
func TestRevisedOfWhatHasEnded(t *testing.T) {
	for items, revised := range map[int]bool{0: false, 4: true} {
		r := wired(Config{}, 1000)
		r.scheduler.share.set(0)
		plan := r.scheduler.revise(hillclimb.Observation{Items: items, Busy: 4 * time.Second})
		require.Equal(t, revised, plan != nil)
		if revised {
			require.InDelta(t, 1e9, plan.Sample.ItemNanos, 0)
		}
	}
}

// An alarm is for a caller that may get stuck before helpers are there: not where nothing is measured, and not where
// there will be no helper.
func TestWhenTheAlarmIsArmed(t *testing.T) {
	for name, c := range map[string]struct {
		total   int
		cfg     Config
		arrives bool
		want    bool
	}{
		"items":                  {2, Config{}, false, true},
		"one item":               {1, Config{}, false, false},
		"one worker":             {9, Config{MaxWorkers: 1}, false, false},
		"two workers at most":    {9, Config{MaxWorkers: 2}, false, true},
		"a stream of one worker": {9, Config{MaxWorkers: 1}, true, true},
		"a number of workers":    {9, Config{Workers: 2}, false, false},
		"a sample size":          {9, Config{SampleSize: 3}, false, false},
		"a plan":                 {9, Config{Plan: new(optimizer.Plan)}, false, false},
	} {
		var arrivals *source.Arrivals
		if c.arrives {
			arrivals = source.NewArrivals(9, false)
		}
		o := newSolo(t.Context(), &calls[int, int]{}, c.total, c.cfg, new(batching), arrivals)
		require.Equal(t, c.want, o.armed, name)
		o.alarm.leave(between, over)
	}
}

// Where the caller fixes the number of workers, be it one, that is what binds.
func TestMomentOfAFixedNumber(t *testing.T) {
	r := wired(Config{Workers: 1}, 9)
	r.crew.limit.Store(1)
	r.crew.running.Store(1)
	require.Equal(t, Moment{At: time.Second, Limit: 1, InFlight: 1, Bound: BoundByCaller}, r.scheduler.moment(r.start+time.Second))
}

// What a call is assumed to hold, before any has shown it, is what earlier runs know, or else what the sample did.
func TestWhatACallHoldsAtFirst(t *testing.T) {
	for name, c := range map[string]struct {
		sample  sampling.Sample
		learned *learned
		want    float64
	}{
		"nothing is known":         {sampling.Sample{AllocBytes: 7}, nil, 0},
		"what it allocated":        {sampling.Sample{AllocBytes: 7, AllocKnown: true}, nil, 7},
		"what it held":             {sampling.Sample{HeldBytes: 5, AllocBytes: 7, AllocKnown: true}, nil, 5},
		"what an earlier one held": {sampling.Sample{HeldBytes: 5}, &learned{sample: sampling.Sample{HeldBytes: 3}}, 3},
	} {
		r := wired(Config{learned: c.learned}, 9)
		r.room.begin(&r.planner, sampling.Heap{Live: 1}, 1, c.sample)
		require.InDelta(t, c.want, r.room.prior, 0, name)
	}
}

// A policy that holds a call back is known to the run from then on.
func TestPoliciesAreMet(t *testing.T) {
	cfg := Config{tally: new(tally)}
	c := newCallContext(&runContext{Context: t.Context()}, &cfg)
	c.HoldBegins(waiting.Line{By: &fakePolicy{kind: "ratelimit", name: "a", state: "paused"}})
	require.Len(t, cfg.tally.policies, 1)
}

// What a call waited for a policy is counted when the wait has ended.
func TestWaitsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{tally: new(tally)}
		c := newCallContext(&runContext{Context: t.Context()}, &cfg)
		ticket := c.HoldBegins(waiting.Line{By: &fakePolicy{kind: "ratelimit", name: "a", state: "paused"}})
		time.Sleep(3 * time.Second)
		require.Empty(t, cfg.tally.snapshot().Waits)
		c.HoldEnds(ticket)
		waits := cfg.tally.snapshot().Waits
		require.Len(t, waits, 1)
		require.Equal(t, []any{"ratelimit", "a", int64(1), 3 * time.Second}, []any{waits[0].Kind, waits[0].Name, waits[0].Calls, waits[0].Total})
		require.Equal(t, 3*time.Second, c.settle())
	})
}

// The texts of a timeout and of a panic say what the function returned, and whose it was, where that is known.
func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"the call took longer than 1s":                              &TimeoutError{After: time.Second},
		"the call took longer than 2s":                              &TimeoutError{After: 2 * time.Second, Err: context.DeadlineExceeded},
		"the call took longer than 3s: odd":                         &TimeoutError{After: 3 * time.Second, Err: errors.New("odd")},
		"amorsize: item 0: panic: odd\n\nstack":                     &PanicError{Index: 0, Value: "odd", Stack: []byte("stack")},
		"amorsize: panic outside of the items' calls: odd\n\nstack": &PanicError{Index: -1, Value: "odd", Stack: []byte("stack")},
		"item 3: odd":                                  &ItemError{Index: 3, Attempts: 1, Err: errors.New("odd")},
		"item 3 (after 2 attempts): odd":               &ItemError{Index: 3, Attempts: 2, Err: errors.New("odd")},
		"item 3: given up after 2 attempts: odd":       &ItemError{Index: 3, Attempts: 2, Err: errors.New("given up after 2 attempts: odd")},
		"batch of items 3 to 5: odd":                   &BatchError{Index: 3, Size: 3, Err: errors.New("odd")},
		"batch of 3 items from 3 on: odd":              &BatchError{Index: 3, Size: 3, Err: errors.New("odd"), apart: true},
		"amorsize: run stopped: context canceled":      &CanceledError{Err: context.Canceled, Cause: context.Canceled},
		"amorsize: run stopped: context canceled: odd": &CanceledError{Err: context.Canceled, Cause: errors.New("odd")},
		"2 items of the batch failed: item 1 of it: a": &PartialError{Failed: map[int]error{4: errors.New("b"), 1: errors.New("a")}},
		"no item of the batch failed":                  &PartialError{},
	} {
		require.EqualError(t, err, want)
	}
}

// The first number of workers keeps within what memory allows.
func TestBeginWithinMemory(t *testing.T) {
	r := wired(Config{}, 1000)
	r.planner.plan.Workers, r.planner.plan.Host.Procs, r.planner.top = 8, 8, 8
	r.planner.plan.Workload = sampling.CPUBound
	r.room.allowed.Store(3)
	r.scheduler.begin(0)
	require.EqualValues(t, 3, r.crew.limit.Load())
}

// What the sample took is what a call takes without load, unless a long call has shown that it is something else.
func TestBaseOfAPlan(t *testing.T) {
	for surprised, want := range map[bool]time.Duration{false: 20 * time.Millisecond, true: 0} {
		r := wired(Config{}, 1000)
		r.planner.top, r.planner.surprised = 1000, surprised
		r.planner.plan.Sample = sampling.Sample{ItemNanos: 20e6, Items: 5}
		r.planner.plan.Workers = 16
		r.scheduler.openPlanned(0)
		state, _, ok := r.sharing.tracker.State()
		require.True(t, ok)
		require.Equal(t, want, state.Baseline)
	}
}
