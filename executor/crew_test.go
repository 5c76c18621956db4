package executor

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
)

func TestHeadcount(t *testing.T) {
	var h headcount
	h.begin(10, 40)
	require.Equal(t, headcount{workers: 1, peak: 1, since: 40, area: 30}, h)
	h.change(50, 5)
	h.change(60, 3)
	require.Equal(t, headcount{workers: 3, peak: 5, since: 60, area: 30 + 10 + 50}, h)
}

// Workers keep their seats in order as others leave.
func TestSeats(t *testing.T) {
	c := &wired(Config{}, 9).crew
	all := []*worker{{}, {}, {}}
	for i, w := range all {
		c.enter(w)
		require.Equal(t, i, w.seat)
		require.True(t, w.working)
	}
	all[0].items, all[0].chunks, all[0].busy, all[0].failed = 4, 3, 2, 1
	c.exit(all[0])
	require.Equal(t, []*worker{all[2], all[1]}, c.workers)
	require.Zero(t, all[2].seat)
	require.Nil(t, c.workers[:3][2], "who is gone is forgotten")
	require.False(t, all[0].working)
	require.Equal(t, totals{items: 4, chunks: 3, busy: 2, failed: 1}, c.done)
	require.Equal(t, totals{}, all[0].totals)
	c.exit(all[0]) // twice
	require.EqualValues(t, 2, c.running.Load())
	require.Equal(t, 2, c.count.workers)
	c.closeIfEmpty()
	require.False(t, c.closed)
	c.exit(all[1])
	c.exit(all[2])
	c.closeIfEmpty()
	c.closeIfEmpty()
	<-c.idle
	require.Equal(t, 4, c.done.items)
}

// All workers hear that the run is over, and those who come later.
func TestCrewStops(t *testing.T) {
	c := &wired(Config{}, 9).crew
	first, later := &worker{}, &worker{}
	c.enter(first)
	c.stop()
	require.EqualValues(t, halt, first.signal.Load())
	first.signal.Store(goOn)
	c.stop()
	require.EqualValues(t, goOn, first.signal.Load(), "once")
	c.enter(later)
	require.EqualValues(t, halt, later.signal.Load())
	c.limit.Store(9)
	c.grow()
	require.Len(t, c.workers, 2, "nobody is hired any more")
}

// Who leaves because there are more than the limit.
func TestRetire(t *testing.T) {
	c := &wired(Config{}, 9).crew
	all := []*worker{{}, {}, {}}
	for _, w := range all {
		c.enter(w)
	}
	c.limit.Store(3)
	require.False(t, c.retire(all[1]))
	c.limit.Store(2)
	require.True(t, c.retire(all[1]))
	require.False(t, all[1].working)
	require.False(t, c.retire(all[2]))
	c.running.Store(9) // one left just now
	require.False(t, c.retire(all[2]))
}

// The caller stays where calls compute.
func TestSurplus(t *testing.T) {
	r := wired(Config{}, 9)
	r.caller = &worker{}
	helper := &worker{}
	r.crew.enter(r.caller)
	r.crew.enter(helper)
	r.crew.limit.Store(1)
	require.False(t, r.surplus(r.caller))
	r.scheduler.mode.Store(modeWaiting)
	require.True(t, r.surplus(r.caller))
	require.False(t, r.surplus(helper))
}

// employing is an employer made of two functions.
type employing struct {
	make func(working int) *worker
	do   func(*worker)
}

func (e employing) hire(working int) *worker { return e.make(working) }
func (e employing) work(w *worker)           { e.do(w) }

// Helpers come up to the limit as long as there are items, and one takes the place of
// one that ended before its time; the last one to leave ends the supervisor. A crew needs
// nothing but a source, and somebody who makes workers.
func TestCrewGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		hired, most := 0, 4
		leave := make(chan struct{})
		c := &crew{
			idle: make(chan struct{}), source: source.NewSlice(0, 3),
		}
		c.jobs = employing{func(working int) *worker {
			mu.Lock()
			defer mu.Unlock()
			if hired == most {
				return nil
			}
			hired++
			require.Less(t, working, 3)
			return &worker{}
		}, func(*worker) { <-leave }}
		caller := &worker{}
		c.start(caller, false)
		require.Empty(t, c.workers, "the caller leaves its items to helpers")
		c.limit.Store(2)
		c.grow()
		c.grow()
		require.EqualValues(t, 2, c.running.Load())
		c.limit.Store(9)
		most = 3
		c.grow()
		require.EqualValues(t, 3, c.running.Load(), "no more are to be had")
		most = 4
		c.limit.Store(3)
		leave <- struct{}{} // before its time: there are items
		synctest.Wait()
		require.Equal(t, 4, hired)
		require.EqualValues(t, 3, c.running.Load())
		require.Equal(t, 3, c.each(func(*worker) {}))
		c.source.Take(3, 1)
		c.limit.Store(9)
		close(leave)
		c.wait(caller)
		<-c.idle
		require.Equal(t, 4, hired)
		require.Zero(t, c.running.Load())
	})
}

// How far a run may go by itself, and how far those go that share its limit.
func TestAllow(t *testing.T) {
	r := wired(Config{}, 9)
	s := &r.scheduler
	r.planner.top = 50
	bounds := func() []int {
		_, most, reach := r.sharing.Bounds()
		return []int{most, reach}
	}
	s.allow(30)
	require.Equal(t, []int{30, 30}, bounds())
	r.sharing.shares, r.planner.reach = true, 400
	s.allow(49)
	require.Equal(t, []int{49, 49}, bounds(), "memory bounds all of them")
	s.allow(50)
	require.Equal(t, []int{50, 400}, bounds(), "that it has few items does not")
	r.planner.reach, r.total = 0, 50
	s.allow(50)
	require.Positive(t, bounds()[1])
	require.Equal(t, r.planner.reach, bounds()[1])
}
