package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/sampling"
)

// awaitingSolo is a solo of a stream, before its first item.
func awaitingSolo() *solo {
	o := &solo{soloJob: soloJob{arrivals: source.NewArrivals(8, true), total: -1}}
	o.prepareAlarm(true)
	o.alarm.after = time.Minute // no block takes so long
	o.sampler = sampling.Start(source.Many, 0)
	o.sampler.Precise()
	return o
}

// While the caller waits for an item it runs none, and what it waits is no item's time.
func TestWaitForAnItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := awaitingSolo()
		for i := range 3 {
			var ok bool
			came := make(chan struct{})
			go func() { ok = o.nextArrived(); close(came) }()
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, idle, o.alarm.phase())
			o.arrivals.Arrive(i + 1)
			<-came
			require.True(t, ok)
			require.Equal(t, span{Lo: i, Hi: i + 1}, o.span)
			require.Equal(t, inBlock, o.alarm.phase())
			time.Sleep(time.Second)
			o.w.at, o.w.returned = o.span.Hi, true
			require.True(t, o.record(nil))
			require.Equal(t, time.Second, o.sampler.Latest())
			require.Equal(t, between, o.alarm.phase())
		}
		require.Equal(t, 3*time.Second, o.sampler.Sample().Elapsed)
		o.alarm.timer.Stop()
	})
}

// A stream that has ended leaves the caller where its run ends: in no block, and with the number of items known.
func TestStreamEndsWhileTheCallerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := awaitingSolo()
		o.arrivals.End()
		require.False(t, o.nextArrived())
		require.Zero(t, o.total)
		require.Equal(t, between, o.alarm.phase())
		require.True(t, o.complete())
		require.Equal(t, over, o.alarm.phase())
	})
}
