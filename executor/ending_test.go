package executor

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// At the end of a run, what waits for its listeners is delivered for a while if they are fast, and dropped
// after two slow calls; the events that nobody may miss come in any case.
func TestFarewell(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration // a call of the observer
		told  int           // chunks
	}{
		"at once":       {0, 200},
		"fast":          {slowCall / 3, 200},
		"not fast":      {slowCall * 3 / 4, 134}, // in 100 ms
		"slow":          {slowCall + 1, 2},
		"one takes all": {farewell + 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			told := map[EventKind]int{}
			e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(e Event) {
				told[e.Kind]++
				time.Sleep(c.takes)
			})}}, 200, 0)
			for range 200 {
				e.chunk(1, 1)
			}
			e.tell(Event{Kind: Planned})
			e.close()
			var report Report
			require.Empty(t, e.finish(&report), name)
			require.Equal(t, c.told, told[ChunkDone], name)
			require.Equal(t, 200-c.told, report.Dropped, name)
			require.Equal(t, []int{1, 1}, []int{told[Planned], told[Finished]}, name)
		})
	}
}

// awaiting has the end of a run wait until done. It returns what tells when it has stopped to wait, 0 before that.
func awaiting(e *events, done func() bool) func() time.Duration {
	var stopped atomic.Int64
	go func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.await(done)
		stopped.Store(int64(clock.Now()))
	}()
	synctest.Wait()
	return func() time.Duration { return time.Duration(stopped.Load()) }
}

// The end of a run waits as long for one call of a listener as it says, since that call began, be it just now.
func TestPatienceIsForOneCall(t *testing.T) {
	for _, later := range []time.Duration{0, 1, 2, time.Second, Patience - 1} {
		synctest.Test(t, func(t *testing.T) {
			e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(Event) {})}}, 9, 0)
			began := clock.Now()
			stopped := awaiting(e, func() bool { return false })
			time.Sleep(later)
			e.teller.began.Store(int64(clock.Now()))
			time.Sleep(2 * Patience)
			synctest.Wait()
			require.Equal(t, began+later+Patience, stopped())
			require.True(t, e.teller.given)
		})
	}
}

// What was done in time is not given up, although who waits for it has not noticed yet.
func TestWhatIsDoneIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(Event) {})}}, 9, 0)
		done := false
		stopped := awaiting(e, func() bool { return done })
		e.mu.Lock()
		done = true
		e.mu.Unlock()
		time.Sleep(2 * Patience)
		synctest.Wait()
		require.False(t, e.teller.given)
		require.Zero(t, stopped())
		e.teller.quiet.Broadcast()
		synctest.Wait()
		require.NotZero(t, stopped())
		require.False(t, e.teller.given)
	})
}

// Observers that are slow get the report without the progress, which says the same.
func TestSlowObserversGetNoLastProgress(t *testing.T) {
	for slow, want := range [][]EventKind{{Progressed, Finished}, {Progressed, Finished}, {Finished}, {Finished}} {
		var told []EventKind
		e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(e Event) { told = append(told, e.Kind) })}}, 9, 0)
		e.teller.slow = slow
		e.close()
		require.Empty(t, e.finish(new(Report)))
		require.Equal(t, want, told, slow)
	}
}

// Nothing follows the end, whatever a goroutine that the function left behind still causes.
func TestNothingFollowsTheEnd(t *testing.T) {
	var told []EventKind
	var e *events
	e = newEvents(&Config{Observers: []Observer{ObserverFunc(func(event Event) {
		told = append(told, event.Kind)
		if event.Kind == Finished {
			e.tellPolicy(PolicyState{})
		}
	})}}, 9, 0)
	e.close()
	require.Empty(t, e.finish(new(Report)))
	e.chunk(1, 1)
	require.Equal(t, []EventKind{Progressed, Finished}, told)
	require.Zero(t, e.backlog.len())
}
