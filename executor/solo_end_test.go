package executor

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
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
