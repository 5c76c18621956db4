package executor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// What a run returns, by what went wrong in it.
func TestErrOfARun(t *testing.T) {
	odd, even := errors.New("odd"), errors.New("even")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	of := func(errs ErrorMode, unfinished bool, change func(p *pool)) error {
		p := &pool{cfg: &Config{Errors: errs}, parent: t.Context()}
		change(p)
		return p.err(unfinished)
	}
	failed := func(p *pool) { p.faults.failed = []fault{{err: odd}, {err: even}} }
	require.NoError(t, of(FailFast, true, func(*pool) {}))
	require.Equal(t, odd, of(FailFast, false, failed))
	require.Equal(t, &Errors{errs: []error{odd, even}}, of(Collect, false, failed))
	e := &PanicError{Index: 3}
	require.Equal(t, e, of(Collect, false, func(p *pool) { failed(p); p.faults.panicked = e }))
	err := of(FailFast, false, func(p *pool) { failed(p); p.faults.exited = true })
	require.ErrorIs(t, err, odd)
	require.ErrorIs(t, err, ErrGoexit)
	require.NoError(t, of(FailFast, false, func(p *pool) { p.parent = ended }), "all was done by then")
	err = of(FailFast, true, func(p *pool) { p.parent = ended })
	require.IsType(t, &CanceledError{}, err)
	err = of(FailFast, true, func(p *pool) { p.parent = ended; failed(p) })
	require.ErrorIs(t, err, odd)
	require.ErrorIs(t, err, context.Canceled)
}

// What is noted of failures, and whether the run goes on.
func TestFaults(t *testing.T) {
	odd := errors.New("odd")
	run := func(errs ErrorMode) *pool {
		return &pool{cfg: &Config{Errors: errs}, parent: t.Context(), ctx: &runContext{Context: t.Context()}}
	}
	p := run(FailFast)
	p.fail(odd, span{1, 2})
	require.Equal(t, []fault{{span{1, 2}, odd}}, p.faults.failed)
	require.True(t, p.halted.Load())
	require.ErrorIs(t, context.Cause(p.ctx), odd)
	p = run(Collect)
	p.fail(odd, span{1, 2})
	require.Len(t, p.faults.failed, 1)
	require.False(t, p.halted.Load())
	require.NoError(t, p.ctx.Err())
	p.claims.feed = newFeed(1, false)
	p.fail(odd, span{2, 3})
	require.Len(t, p.faults.failed, 1, "it is a result of the stream")

	p = run(Collect)
	p.panics(&PanicError{Index: 5}, span{5, 6})
	p.panics(&PanicError{Index: 3}, span{3, 4})
	p.panics(nil, span{4, 4})
	require.Equal(t, 3, p.faults.panicked.Index, "the lowest")
	require.Len(t, p.faults.failed, 2)
	require.True(t, p.halted.Load())
	require.Error(t, p.ctx.Err())
	p = run(Collect)
	p.panics(nil, span{4, 5})
	require.Equal(t, 4, p.faults.panicked.Index)
	p = run(Collect)
	p.listenerFailed(nil)
	require.True(t, p.faults.exited)
	require.True(t, p.halted.Load())
	require.ErrorIs(t, context.Cause(p.ctx), ErrGoexit)
	p = run(Collect)
	p.listenerFailed(&PanicError{Index: -1})
	require.False(t, p.faults.exited)
	require.Equal(t, -1, p.faults.panicked.Index)

	p.cutOff(span{3, 3})
	require.Empty(t, p.cut)
	p.cutOff(span{3, 4})
	require.Equal(t, []span{{3, 4}}, p.cut)
}

// The report of a run that has ended.
func TestReportOfARun(t *testing.T) {
	p := &pool{cfg: &Config{}, parent: t.Context(), total: 10, start: time.Second, ended: 5 * time.Second}
	require.Nil(t, p.report(nil, nil), "nobody asks for it")
	var r Report
	p.cfg.Report = &r
	p.plan.PredictedDuration, p.plan.Warnings = 7, []string{"odd"}
	p.totals.busy, p.totals.chunks = 8*time.Second, 4
	p.staff = headcount{workers: 3, peak: 5, since: 3 * time.Second, area: 2e9}
	p.memory.giant = 1
	p.faults.failed = []fault{{span: span{2, 4}}}
	require.Same(t, &r, p.report([]span{{7, 8}}, ErrGoexit))
	require.Equal(t, []int{10, 7, 2}, []int{r.Items, r.Succeeded, r.Failed})
	require.Equal(t, 4*time.Second, r.Elapsed)
	require.InDelta(t, 2, r.Speedup, 0)
	require.InDelta(t, 2, r.MeanWorkers, 1e-12, "two seconds' worth, and three for two")
	require.Equal(t, []int{5, 4}, []int{r.PeakWorkers, r.Chunks})
	require.Len(t, r.Warnings, 2)
	require.Len(t, p.plan.Warnings, 1)
	require.Equal(t, ErrGoexit, r.Err)
	require.EqualValues(t, 7, r.PredictedDuration)
	require.Equal(t, []bool{true, false, false, true, false}, []bool{r.Valid(1), r.Valid(2), r.Valid(3), r.Valid(4), r.Valid(7)})
	p.claims.feed = newFeed(1, false)
	p.claims.feed.failed.Store(3)
	p.report([]span{{7, 8}}, nil)
	require.Equal(t, []int{4, 5}, []int{r.Succeeded, r.Failed})
	p.ended = p.start
	p.report(nil, nil)
	require.Zero(t, r.Speedup)
}

// What kept a run from having more calls in flight.
func TestBoundOfARun(t *testing.T) {
	bound := func(change func(p *pool)) Bound {
		p := &pool{cfg: &Config{}, plan: optimizer.Plan{Mode: optimizer.Parallel, Host: sampling.Host{Procs: 2}}}
		change(p)
		return p.bound()
	}
	by := func(names ...string) func(p *pool) {
		return func(p *pool) {
			for i, name := range names {
				p.plan.Limits = append(p.plan.Limits, optimizer.Limit{Name: name, Binding: i == len(names)-1})
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
	serial := func(procs int) func(p *pool) {
		return func(p *pool) {
			by("cores")(p)
			p.plan.Mode, p.plan.Host.Procs = optimizer.Serial, procs
		}
	}
	require.Equal(t, BoundByItems, bound(serial(2)), "not enough work for a second worker")
	require.Equal(t, BoundByCores, bound(serial(1)))
	require.Equal(t, BoundByCaller, bound(func(p *pool) { by("items")(p); p.cfg.Workers = 1 }))
	require.Equal(t, BoundByMemory, bound(func(p *pool) { p.cfg.Workers, p.control = 1, cut }))
	require.Equal(t, BoundByService, bound(func(p *pool) {
		p.adapts.Store(true)
		p.control = cut
		p.story.bounds = map[Bound]time.Duration{BoundByService: 1}
	}))
}
