package executor

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
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
