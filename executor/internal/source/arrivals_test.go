package source

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
func TestArrivalsAllow(t *testing.T) {
	a := NewArrivals(100, false)
	require.EqualValues(t, 2, a.ahead.Load())
	require.EqualValues(t, 1, NewArrivals(1, false).ahead.Load())
	a.blocked.Store(true)
	require.Equal(t, 5, a.allow(5, 3))
	require.EqualValues(t, 30, a.ahead.Load())
	<-a.room
	require.Equal(t, 5, a.allow(5, 3))
	require.Empty(t, a.room, "there is no more than before")
	require.Equal(t, 10, a.allow(99, 5), "half of the window is left to what is done")
	require.EqualValues(t, 100, a.ahead.Load())
	<-a.room
	require.Equal(t, 2, a.allow(2, 5))
	require.EqualValues(t, 20, a.ahead.Load())
	require.Empty(t, a.room, "nor is there if there is less")
	require.Equal(t, 1, a.allow(0, 80))
	require.Equal(t, 50, a.allow(99, 0))
	a.claimed.Store(7)
	a.ahead.Store(20)
	require.Equal(t, 27, a.limit())
	a.claimed.Store(95)
	a.Yielded(5)
	require.Equal(t, 105, a.limit())

	whole := NewArrivals(100, true)
	require.EqualValues(t, 100, whole.ahead.Load())
	require.Equal(t, 5, whole.allow(5, 3))
	require.EqualValues(t, 100, whole.ahead.Load())
	whole.MakeRoom()
	require.Empty(t, whole.room, "nobody waits for it")
}

// A claim is no larger than what leaves half of the window, over all workers, to what is done.
func TestArrivalsTakeIsBounded(t *testing.T) {
	a := NewArrivals(100, true)
	a.Arrive(100)
	s, _, ok := a.Take(99, 5)
	require.True(t, ok)
	require.Equal(t, Span{0, 10}, s)
	s, ok = a.TakeAlone(99)
	require.True(t, ok)
	require.Equal(t, Span{10, 60}, s, "alone it is half of the window")
}

func TestArrivalsTake(t *testing.T) {
	a := NewArrivals(100, false)
	take := func(size int, want Span) {
		t.Helper()
		s, waited, ok := a.Take(size, 1)
		require.True(t, ok)
		require.False(t, waited)
		require.Equal(t, want, s)
	}
	require.Equal(t, Many, a.Left())
	a.Arrive(1)
	require.Empty(t, a.arrived, "nobody waits")
	a.idle.Store(1)
	a.Arrive(8)
	<-a.arrived
	a.blocked.Store(true)
	idle, there := a.Demand()
	require.Equal(t, []int{1, 8}, []int{idle, there})
	take(3, Span{0, 3})
	<-a.arrived // there is more for others who wait
	<-a.room
	require.EqualValues(t, 3, a.claimed.Load())
	a.idle.Store(0)
	take(4, Span{3, 6})
	require.Empty(t, a.arrived)
	a.idle.Store(1)
	take(1, Span{6, 7})
	<-a.arrived
	take(1, Span{7, 8})
	require.Empty(t, a.arrived, "there is no more")
	a.idle.Store(0)

	a.Return(Span{5, 5}) // nothing
	require.Empty(t, a.arrived)
	a.Return(Span{2, 5})
	<-a.arrived
	a.End()
	<-a.arrived
	require.Equal(t, 3, a.Left())
	take(2, Span{2, 4})
	<-a.arrived // there may be more of it
	a.Arrive(9)
	require.Equal(t, 2, a.Left())
	require.Equal(t, []Span{{4, 5}, {8, 9}}, a.Rest())
	require.Equal(t, 9, a.Seen())
	take(1, Span{4, 5})
	<-a.arrived
	take(1, Span{8, 9})
	_, waited, ok := a.Take(1, 1)
	require.False(t, ok)
	require.True(t, waited)
	<-a.arrived // the others must hear of it too
	idle, there = a.Demand()
	require.Equal(t, []int{0, 0}, []int{idle, there})
	require.Zero(t, a.Left())
	require.Empty(t, a.Rest())
	require.False(t, a.Stopped())
	a.Stop()
	require.True(t, a.Stopped())
}

// Whoever waits for an item hears of it, of what is handed back, and of the end.
func TestArrivalsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArrivals(100, false)
		done := make(chan struct{})
		a.Until(done)
		taken := make(chan Span, 1)
		var group sync.WaitGroup
		take := func() {
			group.Go(func() {
				if s, waited, ok := a.Take(1, 1); ok {
					require.True(t, waited)
					taken <- s
				}
			})
			synctest.Wait()
			idle, _ := a.Demand()
			require.Equal(t, 1, idle)
		}
		take()
		a.Arrive(1)
		require.Equal(t, Span{0, 1}, <-taken)
		take()
		a.Return(Span{0, 1})
		require.Equal(t, Span{0, 1}, <-taken)
		group.Wait()
		<-a.arrived // whoever takes some of that leaves word
		take()
		a.End()
		group.Wait()
		a.ended.Store(false)
		<-a.arrived
		take()
		close(done)
		group.Wait()
		require.Empty(t, taken)
	})
}

// A caller who is the only worker takes all that has arrived.
func TestArrivalsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArrivals(100, false)
		done := make(chan struct{})
		a.Until(done)
		_, ok := a.TakeAlone(5)
		require.False(t, ok)
		a.blocked.Store(true)
		a.Arrive(7)
		require.True(t, a.AwaitAlone())
		require.Empty(t, a.room)
		s, ok := a.TakeAlone(5)
		require.True(t, ok)
		require.Equal(t, Span{0, 5}, s)
		<-a.room
		s, _ = a.TakeAlone(5)
		require.Equal(t, Span{5, 7}, s)
		_, ok = a.TakeAlone(5)
		require.False(t, ok)
		require.EqualValues(t, 7, a.claimed.Load())
		waits := func(act func(), want bool) {
			t.Helper()
			got := make(chan bool)
			go func() { got <- a.AwaitAlone() }()
			synctest.Wait()
			require.EqualValues(t, 1, a.idle.Load())
			act()
			require.Equal(t, want, <-got)
			require.Zero(t, a.idle.Load())
		}
		waits(func() { a.Arrive(8) }, true)
		a.TakeAlone(1)
		waits(a.End, false)
		a.ended.Store(false)
		waits(func() { close(done) }, false)
	})
}

// The producer waits for room, and is told of it by whoever makes some.
func TestArrivalsAwaitRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArrivals(4, true)
		over := make(chan struct{})
		ring := 3 // what fits besides
		fits := func(limit int) int { return min(limit, ring) }
		require.Equal(t, 3, a.AwaitRoom(0, fits, over))
		got := make(chan int)
		wait := func(n int) {
			go func() { got <- a.AwaitRoom(n, fits, over) }()
			synctest.Wait()
		}
		wait(3)
		a.MakeRoom() // in vain: there is none yet
		synctest.Wait()
		require.Empty(t, got)
		ring = 9
		a.MakeRoom()
		require.Equal(t, 4, <-got)
		wait(4)
		a.Yielded(2)
		a.claimed.Store(5)
		a.MakeRoom()
		require.Equal(t, 6, <-got)
		wait(6)
		close(over)
		require.Equal(t, 6, <-got)
	})
}

// What need not be run is left out of claims, and what is behind it is claimed next.
func TestArrivalsSkip(t *testing.T) {
	known := map[int]bool{0: true, 1: true, 4: true, 9: true}
	var seen []int
	skip := func(s Span) Span {
		for s.Lo < s.Hi && known[s.Lo] {
			seen = append(seen, s.Lo)
			delete(known, s.Lo)
			s.Lo++
		}
		run := Span{s.Lo, s.Lo}
		for run.Hi < s.Hi && !known[run.Hi] {
			run.Hi++
		}
		return run
	}
	a := NewArrivals(100, true)
	a.Skip(skip)
	a.Arrive(10)
	a.End()
	s, ok := a.TakeAlone(6)
	require.True(t, ok)
	require.Equal(t, Span{2, 4}, s)
	require.True(t, a.AwaitAlone(), "what was handed back is there")
	s, ok = a.TakeAlone(6)
	require.True(t, ok)
	require.Equal(t, Span{5, 6}, s, "of those that were handed back")
	i, ok := a.tryTake(1)
	require.True(t, ok)
	require.Equal(t, 6, i)
	s, waited, ok := a.Take(100, 1)
	require.True(t, ok)
	require.False(t, waited)
	require.Equal(t, Span{7, 9}, s)
	_, ok = a.TakeAlone(6)
	require.False(t, ok)
	require.Equal(t, []int{0, 1, 4, 9}, seen)
	require.False(t, a.AwaitAlone())
	require.Empty(t, a.Rest())

	known = map[int]bool{1: true, 2: true, 5: true}
	a = NewArrivals(100, true)
	a.Skip(skip)
	a.Arrive(6)
	require.Equal(t, []Span{{0, 1}, {3, 5}}, a.Rest(), "what need not be run is not left")
	require.Equal(t, []Span{{0, 1}, {3, 5}}, a.Rest(), "nor is it the next time")
	require.EqualValues(t, 3, a.items.Load())
	require.Empty(t, known)
}
