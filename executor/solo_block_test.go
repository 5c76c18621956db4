package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/sampling"
)

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
