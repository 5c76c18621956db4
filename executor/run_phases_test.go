package executor

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/sampling"
)

// Where nothing is left to run, the CPU time of the process would not be the run's.
func TestCPUTimeIsOfWhatIsLeft(t *testing.T) {
	_, known := sampling.ProcessCPU()
	for _, left := range []int{0, 1, 5} {
		r := newRun(begun{
			job: job{
				cfg: new(Config), parent: t.Context(), ctx: &runContext{Context: t.Context()},
				over: new(atomic.Bool), runner: doubles(), total: 9, start: clock.Now(),
			},
			caller: new(worker), before: before{span: span{Hi: 9 - left}, sample: waitingSample},
		})
		require.Equal(t, known && left > 0, r.cpuStart > 0, left)
	}
}

// The sample's time counts as that of claims does, with what policies held its calls; and a block under way takes at
// least as long as it has taken, however little that is.
func TestTheFirstPlanOfTheCaller(t *testing.T) {
	r := wired(Config{}, 1000)
	b := before{sample: sampling.Sample{Items: 3, Elapsed: time.Second, CPUKnown: true}, held: time.Minute, span: span{Lo: 3, Hi: 4}, inBlock: true, underWay: 1}
	r.makePlan(&b)
	require.Equal(t, time.Second+time.Minute, r.done.busy)
	require.InDelta(t, 1, r.planner.plan.Sample.ItemNanos, 0)
}

// joined is a run without further items whose caller is in a block of so many.
func joined(ctx context.Context, block int) *run {
	r := wired(Config{}, block)
	r.parent = ctx
	r.of(source.NewSlice(block, block))
	r.caller = &worker{runner: r.runner}
	r.join(span{Hi: block}, clock.Now())
	return r
}

// A caller in a block of several items is asked to leave the rest to the helpers; of a single call there is no rest.
func TestACallerLeavesItsBlockToHelpers(t *testing.T) {
	for block, signal := range map[int]uint32{1: goOn, 2: split, 7: split} {
		synctest.Test(t, func(t *testing.T) {
			r := joined(t.Context(), block)
			require.Equal(t, signal, r.caller.signal.Load(), block)
			require.Equal(t, span{Hi: block}, r.caller.claimed)
			require.True(t, r.caller.working)
			require.False(t, r.over.Load())
			r.wait()
		})
	}
}

// A run is over from the start if the caller's context has ended by the time that helpers join, or take over.
func TestARunOfAnEndedContextStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		r := wired(Config{}, 9)
		r.parent, r.caller = ended, new(worker)
		r.caller.began.Store(int64(clock.Now()))
		r.outcome.told.Store(true) // only what is told at once counts here
		r.join(span{Hi: 1}, clock.Now())
		require.True(t, r.over.Load())
		r.crew.stop()
		r.wait()

		r = wired(Config{}, 9)
		r.parent, r.caller = ended, new(worker)
		require.IsType(t, &CanceledError{}, r.run(func() {}))
		require.False(t, r.crew.started)
		r = wired(Config{}, 9)
		r.of(source.NewSlice(9, 9))
		r.caller = new(worker)
		require.NoError(t, r.run(func() {}))
		require.False(t, r.crew.started, "nothing is left to run")
	})
}

// The goroutine of a stream is a worker only as long as it is in its block.
func TestTheCallerOfAStreamWorksInItsBlock(t *testing.T) {
	for _, size := range []int64{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			r := wired(Config{}, source.Many)
			r.of(source.NewSlice(0, 0))
			r.arrives, r.caller = true, new(worker)
			r.caller.size.Store(size)
			r.staffUp()
			require.Equal(t, size > 0, r.caller.working)
			r.wait()
		})
	}
}

// A caller that is in a call as the run begins has a turn for it where runs share a limit, and gives it back as it leaves.
func TestTheCallersCallHasATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wired(Config{Session: new(Session)}, 9)
		r.of(source.NewSlice(9, 9))
		r.sharing.join()
		r.planner.plan.Workload, r.planner.plan.Host.Procs, r.planner.top = sampling.IOBound, 2, 50
		r.caller = &worker{call: newCallContext(r.ctx, r.cfg)}
		r.caller.size.Store(1)
		r.staffUp()
		require.Equal(t, modeWaiting, r.scheduler.mode.Load())
		require.True(t, r.caller.call.hasTurn())
		r.watchAttempts(r.caller)
		r.wait()
		require.False(t, r.caller.call.hasTurn())
		require.False(t, r.caller.watching.Load(), "nobody looks at its attempts any more")
	})
}

// A panic in a review is the run's, not the process's.
func TestAPanicInAReviewIsTheRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wired(Config{}, 9)
		r.crew.running.Store(1)
		r.scheduler.sizer = nil // which a review asks
		ended := make(chan struct{})
		go func() { defer close(ended); r.supervise() }()
		<-ended
		require.NotNil(t, r.outcome.panicked)
		require.True(t, r.over.Load())
	})
}

// What the caller was in alone tells what a call takes: without what held it back, and without its policies.
func TestTheCallersCallTellsItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		runner runner
		want   time.Duration
	}{"a call": {doubles(), time.Second}, "in a policy": {newGuarded(*doubles(), []Policy{passing{}}), 10 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			r := wired(Config{}, 9)
			r.runner, r.scheduler.sizer, r.sharing.tracker = c.runner, sizing.Fixed(1), opened()
			r.over.Store(true)
			r.caller = &worker{runner: c.runner, call: newCallContext(r.ctx, r.cfg)}
			r.caller.tally, r.caller.policed.own = new(tally), 10*time.Millisecond
			r.caller.begin(-1, 1, clock.Now())
			hold := waiting.BeginWith(r.caller.call, waiting.Line{})
			time.Sleep(time.Minute)
			hold.End()
			time.Sleep(time.Second)
			r.caller.at, r.caller.to, r.caller.returned = 1, 1, true
			r.arrive(span{Hi: 1}, nil)
			state, _, _ := r.sharing.tracker.State()
			require.Equal(t, c.want, state.Baseline, name)
			require.Equal(t, time.Minute, r.caller.heldBack, name)
		})
	}
}

// What a block that was not completed has run counts, once and for everybody; the rest is left to the workers.
func TestABlockThatFailedIsTakenOver(t *testing.T) {
	for name, c := range map[string]struct {
		at, chunks int
		err        error
		ran        int
	}{
		"a failure":           {4, 0, errors.New("odd"), 2},
		"a failure, later on": {4, 3, errors.New("odd"), 2},
		"nothing was run":     {3, 0, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := wired(Config{Errors: Collect, Observers: []Observer{ObserverFunc(func(Event) {})}}, 9)
			r.events = newEvents(r.cfg, 9, clock.Now())
			r.source.Take(9, 1)
			r.caller = &worker{runner: r.runner}
			r.caller.tally, r.caller.at, r.caller.to, r.caller.returned, r.caller.called = new(tally), c.at, 9, true, 1
			r.done.chunks = c.chunks
			began := clock.Now()
			time.Sleep(2 * time.Second)
			r.takeOver(span{Lo: 3, Hi: 9}, c.err, began)
			require.Equal(t, totals{items: c.ran, busy: 2 * time.Second, chunks: max(1, c.chunks)}, r.done, name)
			require.EqualValues(t, c.ran, r.caller.tally.snapshot().Latency.Count(), name)
			require.EqualValues(t, c.ran, r.events.completed.Load(), name)
			require.Equal(t, min(c.ran, 1), r.events.backlog.numbered, "%s: one chunk, if any", name)
		})
	}
}

// Asking how many processors there are leaves them as they are.
func TestHireLeavesTheProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer func() {
		if runtime.GOMAXPROCS(0) != before {
			runtime.GOMAXPROCS(before)
		}
	}()
	r := wired(Config{}, 9)
	r.scheduler.mode.Store(modeWaiting)
	r.hire(1).admitted.Add(-1)
	require.Equal(t, before, runtime.GOMAXPROCS(0))
}

// The caller comes back for items that the last helper has returned, unless the run is over.
func TestTheCallerComesBackForItems(t *testing.T) {
	for name, c := range map[string]struct{ left, over, back bool }{
		"items": {true, false, true}, "none": {false, false, false}, "items of a run that is over": {true, true, false},
	} {
		r := wired(Config{}, 9)
		if r.caller = new(worker); !c.left {
			r.of(source.NewSlice(9, 9))
		}
		r.over.Store(c.over)
		require.Equal(t, c.back, r.comeBack(), name)
		require.Equal(t, c.back, r.caller.working, name)
	}
}

// A panic beside the items ends the run, and goes on to its caller.
func TestAPanicOfTheCallerEndsTheRun(t *testing.T) {
	r := wired(Config{Errors: Collect}, 9)
	r.sharing.tracker, r.caller = new(flight.Tracker), new(worker)
	func() {
		defer func() {
			e, ok := recover().(*PanicError)
			require.True(t, ok)
			require.Equal(t, "odd", e.Value)
		}()
		_ = r.abandon("odd")
	}()
	require.True(t, r.crew.stopped)
	require.ErrorIs(t, context.Cause(r.ctx), r.outcome.panicked)
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
