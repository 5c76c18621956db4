package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// What a run returns, by what went wrong in it.
func TestErrOfARun(t *testing.T) {
	odd, even := errors.New("odd"), errors.New("even")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	of := func(errs ErrorMode, unfinished bool, change func(p *run)) error {
		p := wired(Config{Errors: errs}, 9)
		change(p)
		return p.outcome.err(p.parent, unfinished)
	}
	failed := func(p *run) { p.outcome.failed = []fault{{err: odd}, {err: even}} }
	require.NoError(t, of(FailFast, true, func(*run) {}))
	require.Equal(t, odd, of(FailFast, false, failed))
	require.Equal(t, &Errors{errs: []error{odd, even}}, of(Collect, false, failed))
	e := &PanicError{Index: 3}
	require.Equal(t, e, of(Collect, false, func(p *run) { failed(p); p.outcome.panicked = e }))
	err := of(FailFast, false, func(p *run) { failed(p); p.outcome.exited = true })
	require.ErrorIs(t, err, odd)
	require.ErrorIs(t, err, ErrGoexit)
	require.NoError(t, of(FailFast, false, func(p *run) { p.parent = ended }), "all was done by then")
	err = of(FailFast, true, func(p *run) { p.parent = ended })
	require.IsType(t, &CanceledError{}, err)
	err = of(FailFast, true, func(p *run) { p.parent = ended; failed(p) })
	require.ErrorIs(t, err, odd)
	require.ErrorIs(t, err, context.Canceled)
}

// What is noted of failures, and whether the run goes on.
func TestFaults(t *testing.T) {
	odd := errors.New("odd")
	run := func(errs ErrorMode) *run {
		return wired(Config{Errors: errs}, 9)
	}
	p := run(FailFast)
	p.outcome.fail(odd, span{Lo: 1, Hi: 2})
	require.Equal(t, []fault{{span{Lo: 1, Hi: 2}, odd}}, p.outcome.failed)
	require.True(t, p.over.Load())
	require.ErrorIs(t, context.Cause(p.ctx), odd)
	p = run(Collect)
	p.outcome.fail(odd, span{Lo: 1, Hi: 2})
	require.Len(t, p.outcome.failed, 1)
	require.False(t, p.over.Load())
	require.NoError(t, p.ctx.Err())
	p.outcome.fail(nil, span{Lo: 2, Hi: 3})
	require.Len(t, p.outcome.failed, 1, "it is a result of the stream")

	p = run(Collect)
	p.outcome.panics(&PanicError{Index: 5}, span{Lo: 5, Hi: 6})
	p.outcome.panics(&PanicError{Index: 3}, span{Lo: 3, Hi: 4})
	p.outcome.panics(nil, span{Lo: 4, Hi: 4})
	require.Equal(t, 3, p.outcome.panicked.Index, "the lowest")
	require.Len(t, p.outcome.failed, 2)
	require.True(t, p.over.Load())
	require.Error(t, p.ctx.Err())
	p = run(Collect)
	p.outcome.panics(nil, span{Lo: 4, Hi: 5})
	require.Equal(t, 4, p.outcome.panicked.Index)
	p = run(Collect)
	p.outcome.exit()
	require.True(t, p.outcome.exited)
	require.True(t, p.over.Load())
	require.ErrorIs(t, context.Cause(p.ctx), ErrGoexit)
	require.True(t, p.outcome.mu.TryLock(), "nobody holds it")
	require.Equal(t, -1, asPanic("odd").Index, "it is not an item's")
}

// The report of a run that has ended.
func TestReportOfARun(t *testing.T) {
	p := wired(Config{}, 10)
	p.start, p.ended = time.Second, 5*time.Second
	require.Nil(t, p.report(nil, nil), "nobody asks for it")
	var r Report
	p.cfg.Report = &r
	p.planner.plan.PredictedDuration, p.planner.plan.Warnings = 7, []string{"odd"}
	p.done.busy, p.done.chunks, p.cpuStart = 8*time.Second, 4, 1
	p.crew.count = headcount{workers: 3, peak: 5, since: 3 * time.Second, area: 2e9}
	p.room.giant = 1
	p.outcome.failed = []fault{{span: span{Lo: 2, Hi: 4}}}
	require.Same(t, &r, p.report([]span{{Lo: 7, Hi: 8}}, ErrGoexit))
	require.Equal(t, []int{10, 7, 2}, []int{r.Items, r.Succeeded, r.Failed})
	require.Equal(t, 4*time.Second, r.Elapsed)
	require.InDelta(t, 2, r.Speedup, 0)
	require.InDelta(t, 2, r.MeanWorkers, 1e-12, "two seconds' worth, and three for two")
	require.Equal(t, []int{5, 4}, []int{r.PeakWorkers, r.Chunks})
	require.Len(t, r.Warnings, 2)
	require.Len(t, p.planner.plan.Warnings, 1)
	require.Equal(t, ErrGoexit, r.Err)
	require.EqualValues(t, 7, r.PredictedDuration)
	require.Equal(t, []bool{true, false, false, true, false}, []bool{r.Valid(1), r.Valid(2), r.Valid(3), r.Valid(4), r.Valid(7)})
	p.done.failed = 3 // of a stream, where failures are results
	p.report([]span{{Lo: 7, Hi: 8}}, nil)
	require.Equal(t, []int{4, 5}, []int{r.Succeeded, r.Failed})
	p.ended = p.start
	p.report(nil, nil)
	require.Zero(t, r.Speedup)
	r.CPUTime, p.cpuStart = 0, 0
	p.report(nil, nil)
	require.Zero(t, r.CPUTime, "it is not known what was used before")
}

// A run that took no time has no rate, though it has done something.
func TestGoodput(t *testing.T) {
	r := Report{Items: 9, Succeeded: 8, Failed: 1, Known: 3, knownFailed: 1}
	require.Zero(t, r.Goodput())
	r.Elapsed = 2 * time.Second
	require.InDelta(t, 3, r.Goodput(), 0, "six of eight were run")
}

// What kept a run from having more calls in flight.
func TestBoundOfARun(t *testing.T) {
	bound := func(change func(p *run)) Bound {
		p := wired(Config{}, 9)
		p.planner.plan = optimizer.Plan{Mode: optimizer.Parallel, Host: sampling.Host{Procs: 2}}
		change(p)
		return p.bound()
	}
	by := func(names ...string) func(p *run) {
		return func(p *run) {
			for i, name := range names {
				p.planner.plan.Limits = append(p.planner.plan.Limits, optimizer.Limit{Name: name, Binding: i == len(names)-1})
			}
		}
	}
	require.Equal(t, BoundByCores, bound(by()))
	require.Equal(t, BoundByCores, bound(by("items", "cores")))
	require.Equal(t, BoundByCaller, bound(by("WithMaxWorkers")))
	require.Equal(t, BoundByMemory, bound(by("memory")))
	require.Equal(t, BoundByMemory, bound(by("GOMEMLIMIT")))
	require.Equal(t, BoundByMemory, bound(by(optimizer.LimitByCaller)))
	require.Equal(t, BoundByItems, bound(by("cores", "items")))
	cut := hillclimb.New(0, hillclimb.Start{Ceiling: 5, MemoryBinds: true})
	serial := func(procs int) func(p *run) {
		return func(p *run) {
			by("cores")(p)
			p.planner.plan.Mode, p.planner.plan.Host.Procs = optimizer.Serial, procs
		}
	}
	require.Equal(t, BoundByItems, bound(serial(2)), "not enough work for a second worker")
	require.Equal(t, BoundByCores, bound(serial(1)))
	require.Equal(t, BoundByCaller, bound(func(p *run) { by("items")(p); p.cfg.Workers = 1 }))
	require.Equal(t, BoundByMemory, bound(func(p *run) { p.cfg.Workers, p.scheduler.control = 1, cut }))
	require.Equal(t, BoundByService, bound(func(p *run) {
		p.scheduler.mode.Store(modeWaiting)
		p.scheduler.control = cut
		p.record.bounds = map[Bound]time.Duration{BoundByService: 1}
	}))
}

// finishing is a run of three items, all of which have been claimed, that is about to finish.
func finishing(cfg Config) *run {
	r := wired(cfg, 3)
	r.caller = &worker{}
	r.source.Take(3, 1)
	return r
}

// A run that has finished leaves what it shared, and its calls' context has ended.
func TestNothingIsLeftOfARun(t *testing.T) {
	r := finishing(Config{})
	r.cfg.function = functionOf(func(context.Context, int) (int, error) { return 0, nil })
	r.sharing.join()
	require.NotEmpty(t, trackers.of)
	require.NoError(t, r.finish())
	require.Empty(t, trackers.of)
	require.ErrorIs(t, r.ctx.Err(), context.Canceled)
}

// The end of the caller's context is an error only where it has kept items from being run.
func TestAContextThatEndsTooLateIsNoError(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r := finishing(Config{})
	r.parent = ended
	require.NoError(t, r.finish())
	r = finishing(Config{})
	r.parent = ended
	r.source.Return(span{Lo: 1, Hi: 2})
	require.IsType(t, &CanceledError{}, r.finish())
}

// The end of a stream tells how many items it was, although its input has not ended. What a listener keeps of the report is
// its own.
func TestTheEndOfAStreamIsTold(t *testing.T) {
	var told Event
	tally := new(tally)
	tally.waited(&fakePolicy{kind: "ratelimit", name: "a"}, time.Second)
	mine := new(Report)
	r := finishing(Config{Report: mine, tally: tally, Observers: []Observer{ObserverFunc(func(e Event) { told = e })}})
	r.events = newEvents(r.cfg, -1, 0)
	items := source.NewArrivals(9, false)
	items.Arrive(5)
	r.of(items)
	r.events.arriving(items)
	require.NoError(t, r.finish())
	require.Equal(t, Finished, told.Kind)
	require.Equal(t, 5, told.Total)
	require.NotSame(t, mine, told.Report)
	require.Equal(t, told.Report.Calls, mine.Calls)
	require.Equal(t, "a", mine.Calls.Waits[0].Name)
	mine.Calls.Waits[0].Name = "b"
	require.Equal(t, "a", told.Report.Calls.Waits[0].Name)
}

// A session counts the failures of the run, not those that a keeper knows of an earlier one.
func TestALessonCountsItsOwnFailures(t *testing.T) {
	r := finishing(Config{past: new(past)})
	r.cfg.past.failed.Store(2)
	r.done.items, r.done.failed = 9, 1
	r.outcome.failed = []fault{{span: span{Lo: 2, Hi: 4}}, {span: span{Lo: 7, Hi: 8}}}
	require.Equal(t, 9, r.lesson().items)
	require.EqualValues(t, 1+3-2, r.lesson().failed)
}

// What calls waited for policies is no work, and a report tells when its run has begun.
func TestAReportOfWaitsAndOfItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for waited, busy := range map[time.Duration]time.Duration{0: 8 * time.Second, 3 * time.Second: 5 * time.Second, 9 * time.Second: 0} {
			r := finishing(Config{Report: new(Report), tally: new(tally)})
			r.cfg.tally.waited(&fakePolicy{}, waited)
			began := time.Now()
			r.start, r.done.busy = clock.Now(), 8*time.Second
			time.Sleep(2 * time.Second)
			r.ended = clock.Now()
			time.Sleep(time.Second)
			report := r.report(nil, nil)
			require.Equal(t, busy, report.Busy, waited)
			require.Equal(t, 2*time.Second, report.Elapsed)
			require.WithinDuration(t, began, report.Started, 0)
		}
	})
}

// The CPU time of a run is what the process has used since it began.
func TestTheCPUTimeOfARun(t *testing.T) {
	began, known := sampling.ProcessCPU()
	if !known {
		t.Skip("the CPU time of a process is not known here")
	}
	r := finishing(Config{Report: new(Report)})
	r.cpuStart = began
	for now := began; now < began+time.Millisecond; now, _ = sampling.ProcessCPU() {
	}
	report := r.report(nil, nil)
	now, _ := sampling.ProcessCPU()
	require.GreaterOrEqual(t, report.CPUTime, time.Millisecond)
	require.LessOrEqual(t, report.CPUTime, now-began)
}
