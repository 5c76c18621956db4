package executor

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// Of several reviews at once, one goes on for all.
func TestPacerMergesReviews(t *testing.T) {
	var p pacer
	begun, end := make(chan struct{}), make(chan bool)
	looks := 0
	look := func(time.Duration) bool {
		looks++
		begun <- struct{}{}
		return <-end
	}
	changed := make(chan bool)
	go func() { changed <- p.review(0, look) }()
	<-begun
	var others sync.WaitGroup
	for range 5 {
		others.Go(func() { require.False(t, p.review(0, look), "it is left to the one under way") })
	}
	others.Wait()
	end <- true
	<-begun // once more, for all of them
	end <- false
	require.True(t, <-changed, "something was, in one of the two")
	require.Equal(t, 2, looks)
	require.True(t, p.mu.TryLock())
	p.mu.Unlock()
	require.False(t, p.review(0, func(time.Duration) bool {
		if looks++; looks == 3 {
			p.again()
		}
		return false
	}))
	require.Equal(t, 4, looks)
}

// A review that panics, or ends its goroutine, leaves the way free.
func TestPacerSurvives(t *testing.T) {
	var p pacer
	require.Panics(t, func() { p.review(0, func(time.Duration) bool { panic("odd") }) })
	require.True(t, p.review(0, func(time.Duration) bool { return true }))
}

// The supervisor looks ever more rarely where nothing changes, and soon when it is to.
func TestSupervise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{stirred: make(chan struct{}, 1)}
		idle := make(chan struct{})
		start, changes := time.Now(), false
		var at []time.Duration
		var running sync.WaitGroup
		running.Go(func() {
			p.supervise(idle, func(time.Duration) bool {
				at = append(at, time.Since(start)/time.Millisecond)
				return changes
			})
		})
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []time.Duration{2, 6, 14, 30, 62, 126, 226, 326, 426}, at)
		require.True(t, p.resting.Load())
		at, changes = nil, true
		p.hurry()
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []time.Duration{502, 504}, at)
		require.False(t, p.resting.Load())
		p.hurry()
		require.Empty(t, p.stirred, "it looks soon anyway")
		p.stir()
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []time.Duration{502, 504, 506, 508, 510}, at, "that changes nothing")
		close(idle)
		running.Wait()
	})
}

// A review that follows another one is told the time at which it begins.
func TestReviewsAreToldTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		var told []time.Duration
		start := clock.Now()
		p.review(start, func(now time.Duration) bool {
			if told = append(told, now-start); len(told) < 3 {
				p.again()
			}
			time.Sleep(time.Second)
			return false
		})
		require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second}, told)
	})
}

// Once a review has changed something, the next ones come soon again, without anybody asking for it.
func TestSuperviseAfterAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{stirred: make(chan struct{}, 1)}
		idle := make(chan struct{})
		start := time.Now()
		var at []time.Duration
		var running sync.WaitGroup
		running.Go(func() {
			p.supervise(idle, func(time.Duration) bool {
				at = append(at, time.Since(start)/time.Millisecond)
				return len(at) == 4 || len(at) == 5
			})
		})
		time.Sleep(50 * time.Millisecond)
		close(idle)
		running.Wait()
		require.Equal(t, []time.Duration{2, 6, 14, 30, 32, 34, 38, 46}, at)
	})
}
