package executor

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
	var all turns
	most := 1 + random.IntN(5)
	all.allow(most)
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
			age, _, ok := all.take(gone, stalled)
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
			all.give(age)
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
		var all turns
		all.allow(2)
		start := time.Now()
		for range 30 {
			_, _, ok := all.take(nil, stalled)
			require.True(t, ok)
		}
		require.LessOrEqual(t, time.Since(start), 5*stalled)
		age := all.force()
		taken := all.taken
		all.give(0) // of an age that counts no longer
		require.Equal(t, taken, all.taken)
		all.give(age)
		require.Equal(t, taken-1, all.taken)
	})
}
