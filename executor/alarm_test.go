package executor

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/optimizer"
)

// Before the first block, and between two, the caller owns the solo: the alarm looks again, and does not go off.
func TestAlarmBetweenBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &alarm{after: time.Second} // going off would need a solo
		a.set()
		require.Equal(t, between, a.phase())
		require.True(t, a.pending.Load())
		for range 3 {
			time.Sleep(time.Second)
			synctest.Wait()
			require.Equal(t, between, a.phase())
			require.True(t, a.pending.Load())
		}
		require.True(t, a.timer.Stop(), "it goes on looking")
	})
}

// Where nothing can take long, since the caller has left or waits for an item, the timer ends; the next run sets it again.
func TestAlarmEndsWhereNothingRuns(t *testing.T) {
	for _, phase := range []uint64{over, idle} {
		synctest.Test(t, func(t *testing.T) {
			a := &alarm{after: time.Second}
			a.set()
			a.enter(phase)
			require.True(t, a.pending.Load(), "it is not stopped before: that costs more")
			time.Sleep(time.Second)
			synctest.Wait()
			require.Equal(t, phase, a.phase())
			require.False(t, a.pending.Load())
			require.False(t, a.timer.Stop(), "it has ended")
			a.set()
			require.Equal(t, between, a.phase())
			require.True(t, a.pending.Load())
			require.True(t, a.timer.Stop())
		})
	}
}

// A block that has begun since the alarm looked last has its full time: only one that it finds twice is long.
func TestAlarmLooksTwiceAtABlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &alarm{after: time.Second}
		a.set()
		for range 3 {
			a.enter(inBlock)
			require.True(t, a.leave(inBlock, between))
			require.False(t, a.leave(inBlock, between), "it has been left")
			a.enter(inBlock)
			time.Sleep(time.Second)
			synctest.Wait()
			require.Equal(t, inBlock, a.phase(), "it is not the one that was to come")
			require.True(t, a.leave(inBlock, between))
		}
		require.True(t, a.timer.Stop())
	})
}

// A run that begins while the timer of the one before ends has its alarm, whichever is first.
func TestAlarmOfARunThatBeginsAsTheTimerEnds(t *testing.T) {
	a := &alarm{after: time.Hour}
	a.set()
	var ready, rung atomic.Int64
	const rounds = 1000
	defer ready.Store(rounds) // also after a failure
	until := func(n *atomic.Int64, least int64) {
		for spins := 1; n.Load() < least; spins++ {
			if spins%50 == 0 {
				runtime.Gosched()
			}
		}
	}
	go func() {
		for i := range int64(rounds) {
			until(&ready, i+1)
			a.ring()
			rung.Add(1)
		}
	}()
	for i := range int64(rounds) {
		a.enter(over)
		ready.Add(1)
		for range i % 100 { // the other one is to be as far
			rung.Load()
		}
		a.set()
		until(&rung, i+1)
		require.Equal(t, between, a.phase())
		require.True(t, a.pending.Load())
		require.True(t, a.timer.Stop(), "it runs")
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
