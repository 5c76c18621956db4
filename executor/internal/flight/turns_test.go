package flight

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Random turns against what is promised: never more at once than allowed, first come
// first served, all room back at rest, whoever gives up on the way.
func TestTurns(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { turnsHold(t, rand.New(rand.NewPCG(seed, 11))) })
	}
}

func turnsHold(t *testing.T, random *rand.Rand) {
	var all Turns
	most := 1 + random.IntN(5)
	all.Allow(most)
	var mu sync.Mutex // of what follows
	running, served := 0, map[int]time.Time{}
	done := make(chan struct{}, 1000)
	const users = 60
	for i := range users {
		length := time.Duration(1+random.IntN(20)) * time.Millisecond
		patient := random.IntN(4) > 0
		gone := make(chan struct{})
		go func() {
			defer func() { done <- struct{}{} }()
			if !patient {
				stop := time.AfterFunc(length, func() { close(gone) })
				defer stop.Stop()
			}
			age, _, ok := all.Take(gone, Stalled)
			if !ok {
				return
			}
			mu.Lock()
			served[i] = time.Now()
			running++
			assert.LessOrEqual(t, running, most)
			mu.Unlock()
			time.Sleep(length)
			mu.Lock()
			running--
			mu.Unlock()
			all.Give(age)
		}()
		synctest.Wait()
		if random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
			synctest.Wait()
		}
	}
	for range users {
		<-done
	}
	var latest time.Time
	for i := range users {
		if at, ok := served[i]; ok {
			require.False(t, at.Before(latest), "not in turn")
			latest = at
		}
	}
	require.Zero(t, all.taken)
	require.Nil(t, all.first)
	require.Nil(t, all.last)
}

// Turns that are never given back do not stop the others for ever.
func TestTurnsThatStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all Turns
		all.Allow(2)
		start := time.Now()
		for range 30 {
			_, _, ok := all.Take(nil, Stalled)
			require.True(t, ok)
		}
		require.LessOrEqual(t, time.Since(start), 5*Stalled)
		age := all.Force()
		taken := all.taken
		all.Give(0) // of an age that counts no longer
		require.Equal(t, taken, all.taken)
		all.Give(age)
		require.Equal(t, taken-1, all.taken)
	})
}

// Each time that no turn ends for long, those taken count no longer, and from the second
// time in a row on twice as many more are let in.
func TestTurnsRoom(t *testing.T) {
	all := Turns{most: 3}
	for stalls, room := range map[int]int{0: 3, 1: 3, 2: 6, 3: 12, 11: 3 << 10, 12: 3 << 10, 99: 3 << 10} {
		all.stalls = stalls
		require.Equal(t, room, all.room())
	}
	all = Turns{most: 1, taken: 1}
	require.Equal(t, 1, all.unstall(0), "whoever looks next is to wait as long")
	require.EqualValues(t, 1, all.age)
	require.Equal(t, 1, all.stalls)
	require.Zero(t, all.taken)
	require.Equal(t, 1, all.unstall(0), "a turn has ended since")
	require.EqualValues(t, 1, all.age)
	all.Give(0)
	require.Zero(t, all.stalls)
	require.Equal(t, 2, all.ended)
	require.Zero(t, all.taken, "it was of another age")

	all = Turns{most: 2, taken: 2}
	require.False(t, all.Over())
	all.Allow(1)
	require.True(t, all.Over())
	require.EqualValues(t, 0, all.Force())
	require.Equal(t, 3, all.taken)
	all.Give(0)
	require.Equal(t, 2, all.taken)
}

// Who leaves the line, from its front, its midst, its end, or with a turn just given.
func TestTurnsLeave(t *testing.T) {
	line := func(n int) (all *Turns, places []*turn) {
		all = &Turns{most: 1, taken: 1}
		for range n {
			places = append(places, &turn{ready: make(chan struct{})})
		}
		for i := range n - 1 {
			places[i].next = places[i+1]
		}
		all.first, all.last = places[0], places[n-1]
		return all, places
	}
	for leaves := range 3 {
		all, places := line(3)
		all.leave(places[leaves])
		var left []*turn
		for at := all.first; at != nil; at = at.next {
			left = append(left, at)
		}
		require.Len(t, left, 2)
		require.NotContains(t, left, places[leaves])
		require.Same(t, left[1], all.last)
		require.Equal(t, 1, all.taken)
	}
	all, places := line(1)
	all.leave(places[0])
	require.Nil(t, all.first)
	require.Nil(t, all.last)

	all, places = line(2)
	all.taken = 2
	all.Give(0)
	require.Same(t, places[0], all.first, "there are as many as there may be")
	all.Allow(2)
	<-places[0].ready
	require.Same(t, places[1], all.first)
	require.Same(t, places[1], all.last)

	all, places = line(2)
	all.Give(0)
	require.Equal(t, 1, places[0].taken)
	all.leave(places[0]) // its turn goes to the next one
	<-places[1].ready
	require.Equal(t, 1, all.taken)
	require.Nil(t, all.first)
	require.Nil(t, all.last)
	all.age = 5
	all.leave(places[1])
	require.Equal(t, 1, all.taken, "of another age")
}

// A turn that is free is taken at once, by nobody who comes later than one who waits.
func TestTurnsTake(t *testing.T) {
	all := Turns{most: 2, age: 4}
	gone := make(chan struct{})
	close(gone)
	for n := range 2 {
		age, taken, ok := all.Take(gone, Stalled)
		require.True(t, ok)
		require.EqualValues(t, 4, age)
		require.Equal(t, n+1, taken)
	}
	_, _, ok := all.Take(gone, Stalled)
	require.False(t, ok)
	require.Equal(t, 2, all.taken)
	require.Nil(t, all.first)
	all = Turns{most: 2}
	all.first = &turn{ready: make(chan struct{})} // somebody waits
	all.last = all.first
	_, _, ok = all.Take(gone, Stalled)
	require.False(t, ok)
	synctest.Test(t, func(t *testing.T) { // the turns before have Stalled, each for as long
		all := Turns{most: 1, taken: 1}
		start := time.Now()
		age, taken, ok := all.Take(nil, Stalled)
		require.True(t, ok)
		require.EqualValues(t, 1, age)
		require.Equal(t, 1, taken)
		require.Equal(t, Stalled, time.Since(start))
		_, taken, _ = all.Take(nil, Stalled)
		require.Equal(t, 1, taken)
		require.Equal(t, 2*Stalled, time.Since(start))
		_, taken, _ = all.Take(nil, Stalled)
		require.Equal(t, 2, taken)
	})
}
