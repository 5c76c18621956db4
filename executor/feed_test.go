package executor

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestPortion(t *testing.T) {
	for _, c := range []struct{ there, size, want int }{
		{1, 10, 1}, {2, 10, 1}, {3, 10, 2}, {100, 10, 10}, {15, 10, 8}, {40, 1600, 40}, {120, 1600, 100}, {300, 1600, 150}, {50, 1600, 50},
	} {
		require.Equal(t, c.want, portion(c.there, c.size), "%+v", c)
	}
}

// How far ahead items are taken.
func TestFeedAllows(t *testing.T) {
	f := newFeed(100, false)
	require.EqualValues(t, 2, f.ahead.Load())
	require.EqualValues(t, 1, newFeed(1, false).ahead.Load())
	f.blocked.Store(true)
	require.Equal(t, 5, f.allow(5, 3))
	require.EqualValues(t, 30, f.ahead.Load())
	<-f.room
	require.Equal(t, 5, f.allow(5, 3))
	require.Empty(t, f.room, "there is no more than before")
	require.Equal(t, 10, f.allow(99, 5), "half of the window is left to what is handed over")
	require.EqualValues(t, 100, f.ahead.Load())
	<-f.room
	require.Equal(t, 2, f.allow(2, 5))
	require.EqualValues(t, 20, f.ahead.Load())
	require.Empty(t, f.room, "nor is there if there is less")
	require.Equal(t, 1, f.allow(0, 80))
	require.Equal(t, 50, f.allow(99, 0))
	f.claimed.Store(7)
	f.ahead.Store(20)
	require.Equal(t, 27, f.limit())
	f.claimed.Store(95)
	f.yielded.Store(5)
	require.Equal(t, 105, f.limit())

	whole := newFeed(100, true)
	require.EqualValues(t, 100, whole.ahead.Load())
	require.Equal(t, 5, whole.allow(5, 3))
	require.EqualValues(t, 100, whole.ahead.Load())
	whole.makeRoom()
	require.Empty(t, whole.room, "nobody waits for it")
}

func TestFeedTakes(t *testing.T) {
	var c claims
	c.feed = newFeed(100, false)
	f := c.feed
	require.Equal(t, manyItems, c.left())
	f.arrive(1)
	require.Empty(t, f.arrived, "nobody waits")
	f.waiting.Store(1)
	f.arrive(8)
	<-f.arrived
	f.blocked.Store(true)
	s, ok := c.take(3)
	require.True(t, ok)
	require.Equal(t, span{0, 3}, s)
	<-f.arrived // there is more for others who wait
	<-f.room
	require.EqualValues(t, 3, f.claimed.Load())
	f.waiting.Store(0)
	s, _ = c.take(4)
	require.Equal(t, span{3, 6}, s)
	require.Empty(t, f.arrived)
	f.waiting.Store(1)
	c.take(1)
	<-f.arrived
	s, _ = c.take(1)
	require.Equal(t, span{7, 8}, s)
	require.Empty(t, f.arrived, "there is no more")
	f.waiting.Store(0)

	c.giveBack(span{2, 5})
	<-f.arrived
	f.end()
	<-f.arrived
	require.Equal(t, 3, c.left())
	s, ok = c.take(2)
	require.True(t, ok)
	require.Equal(t, span{2, 4}, s)
	<-f.arrived // there may be more of it
	f.produced.Store(9)
	require.Equal(t, 2, c.left())
	require.Equal(t, []span{{4, 5}, {8, 9}}, c.unclaimed())
	c.take(1)
	<-f.arrived
	c.take(1)
	_, ok = c.take(1)
	require.False(t, ok)
	<-f.arrived // the others must hear of it too
	require.Zero(t, f.waiting.Load())
	require.Zero(t, c.left())
	c.next.Store(99)
	require.Zero(t, c.left())
}

// Whoever waits for an item hears of it, of what is handed back, and of the end.
func TestFeedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c claims
		c.feed = newFeed(100, false)
		done := make(chan struct{})
		c.feed.done = done
		taken := make(chan span, 1)
		var group sync.WaitGroup
		take := func() {
			group.Go(func() {
				if s, ok := c.take(1); ok {
					taken <- s
				}
			})
			synctest.Wait()
			require.EqualValues(t, 1, c.feed.waiting.Load())
		}
		take()
		c.feed.arrive(1)
		require.Equal(t, span{0, 1}, <-taken)
		take()
		c.giveBack(span{0, 1})
		require.Equal(t, span{0, 1}, <-taken)
		group.Wait()
		<-c.feed.arrived // whoever takes some of that leaves word
		take()
		c.feed.end()
		group.Wait()
		c.feed.ended.Store(false)
		<-c.feed.arrived
		take()
		close(done)
		group.Wait()
		require.Empty(t, taken)
	})
}

func TestFeedOfNothing(t *testing.T) {
	var none *feed
	require.Zero(t, none.failures())
	require.Nil(t, none.hurry())
	none.rest(true)
	f := newFeed(1, false)
	f.failed.Store(3)
	require.EqualValues(t, 3, f.failures())
	f.rest(true)
	require.True(t, f.resting.Load())
	f.rest(false)
	require.False(t, f.resting.Load())
	poke(f.several)
	poke(f.several)
	<-f.hurry()
	require.Empty(t, f.several)
}
