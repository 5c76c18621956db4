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

	"github.com/amorsize/amorsize/executor/internal/source"
)

// A run is complete within its solo if all items were run, without a failure, and nobody is to be told.
func TestWhatASoloCompletes(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(o *solo)
		complete bool
	}{
		"all was run":          {func(*solo) {}, true},
		"one is left":          {func(o *solo) { o.total++ }, false},
		"one failed":           {func(o *solo) { o.failed = true }, false},
		"a listener":           {func(o *solo) { o.cfg.Report = new(Report) }, false},
		"a keeper":             {func(o *solo) { o.cfg.past = new(past) }, false},
		"the alarm took over":  {func(o *solo) { o.alarm.enter(taken) }, false},
		"it was said to be it": {func(o *solo) { o.ended = true }, true},
	} {
		o := &solo{soloJob: soloJob{total: 5}, span: span{Lo: 3, Hi: 5}}
		o.alarm = &o.quiet
		o.alarm.enter(between)
		c.change(o)
		require.Equal(t, c.complete, o.complete(), name)
		require.Equal(t, c.complete, o.ended, name)
		require.Equal(t, c.complete, o.alarm.phase() == over, name)
	}
}

// A solo is kept for another run if nothing refers to it: neither a run with several workers, nor batches, nor an alarm
// that makes a run. What is kept knows only its alarm.
func TestWhichSoloIsKept(t *testing.T) {
	before := spare.Swap(nil)
	defer spare.Store(before)
	for name, c := range map[string]struct {
		change func(o *solo)
		kept   bool
	}{
		"ended alone":         {func(*solo) {}, true},
		"handed over":         {func(o *solo) { o.handedOver = true }, false},
		"batches":             {func(o *solo) { o.batches = new(batching) }, false},
		"the alarm took over": {func(o *solo) { o.alarm.enter(taken) }, false},
	} {
		spare.Store(nil)
		o := newSolo(t.Context(), doubles(), 9, Config{}, nil, nil)
		timed := o.timed
		require.NotNil(t, timed)
		timed.enter(between)
		c.change(o)
		o.release()
		require.Equal(t, c.kept, spare.Load() == o, name)
		if c.kept {
			require.Equal(t, over, timed.phase(), "its alarm does nothing until the next run")
			require.Same(t, timed, o.timed)
			require.Nil(t, o.runner)
			require.Zero(t, o.total)
		}
	}
	spare.Store(nil)
	synctest.Test(t, func(t *testing.T) {
		newSolo(t.Context(), doubles(), 9, Config{MaxWorkers: 1}, nil, nil).release()
	})
	require.Nil(t, spare.Load(), "what was made in a bubble stays there")
}

// A sample that a failure ends tells what it has measured so far.
func TestASampleThatAFailureEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := doubles()
		ran := 0
		fn.fn.Plain = func(i int) (int, error) {
			time.Sleep(20 * time.Microsecond) // long enough for a block of its own
			if ran++; ran == 3 {
				return 0, errors.New("odd")
			}
			return i, nil
		}
		var report Report
		_ = execute(t.Context(), fn, len(fn.items), Config{SampleSize: 9, MaxWorkers: 1, Errors: Collect, Report: &report}, nil)
		require.Equal(t, 1, report.Failed)
		require.True(t, report.Plan.Sample.AllocKnown)
	})
}

// endingSolo is how the caller's goroutine ends within a block of three items, of nine: in the second item, unless returned.
type endingSolo struct {
	mode     ErrorMode
	stream   bool
	returned bool
	v        any // a panic, nil for a Goexit
}

// close ends it. It returns how many other items were run, and what the run returned or raised.
func (e endingSolo) close(t *testing.T) (ran int64, raised any, err error) {
	t.Helper()
	var count atomic.Int64
	fn := &calls[int, int]{items: make([]int, 9), out: make([]int, 9)}
	fn.fn.Context = func(context.Context, int) (int, error) { count.Add(1); return 0, nil }
	var arrivals *source.Arrivals
	total := 9
	if e.stream {
		arrivals, total = source.NewArrivals(9, false), source.Many
		arrivals.Arrive(9)
		arrivals.End()
		arrivals.TakeAlone(3)
	}
	o := newSolo(t.Context(), fn, total, Config{Errors: e.mode}, nil, arrivals)
	o.alarm.enter(inBlock)
	o.span, o.w.at, o.w.to, o.w.returned = span{Hi: 3}, 1, 3, e.returned
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { raised = recover() }()
		defer o.close(&err)
		if e.v != nil {
			panic(e.v)
		}
		runtime.Goexit()
	}()
	<-ended
	return count.Load(), raised, err
}

// A stream that goes on after failures goes on after a Goexit in an item, with all items but that one. Nothing else does:
// nobody is left to wait for the others.
func TestWhatGoesOnAfterAGoexit(t *testing.T) {
	for name, c := range map[string]struct {
		ending endingSolo
		ran    int64
	}{
		"a stream that collects":    {endingSolo{Collect, true, false, nil}, 7},
		"one that fails fast":       {endingSolo{FailFast, true, false, nil}, 0},
		"outside of an item":        {endingSolo{Collect, true, true, nil}, 0},
		"not a stream":              {endingSolo{Collect, false, false, nil}, 0},
		"neither stream nor item":   {endingSolo{Collect, false, true, nil}, 0},
		"a panic, and no Goexit":    {endingSolo{Collect, true, false, "odd"}, 0},
		"a panic, but not a stream": {endingSolo{FailFast, false, true, "odd"}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ran, raised, err := c.ending.close(t)
			require.Equal(t, c.ran, ran, name)
			if c.ending.v == nil {
				require.ErrorIs(t, err, ErrGoexit, name)
				return
			}
			e, ok := raised.(*PanicError)
			require.True(t, ok, name)
			require.Equal(t, c.ending.v, e.Value, name)
		})
	}
}
