package executor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/source"
)

// How many workers are busy, and what there is for others.
func TestDemand(t *testing.T) {
	r := wired(Config{}, 9)
	r.crew.running.Store(3)
	busy, more := r.sharing.Demand()
	require.Equal(t, []int{3, 9}, []int{busy, more})
	r.of(starving{source.NewArrivals(9, false)})
	busy, more = r.sharing.Demand()
	require.Equal(t, []int{2, 0}, []int{busy, more}, "who waits for an item is not")
	r.sharing.allow(5, 7)
	r.cfg.MinWorkers = 2
	least, most, reach := r.sharing.Bounds()
	require.Equal(t, []int{2, 5, 7}, []int{least, most, reach})
}

// Runs of one function that are under way at the same time share a tracker.
func TestJoin(t *testing.T) {
	fn := func(context.Context, int) (int, error) { return 0, nil }
	made := func(change func(r *run)) *sharing {
		r := wired(Config{}, 9)
		r.cfg.function = functionOf(fn)
		if change != nil {
			change(r)
		}
		r.sharing.join()
		return &r.sharing
	}
	a, b := made(nil), made(nil)
	require.True(t, a.shares)
	require.Same(t, a.tracker, b.tracker)
	require.False(t, a.inTurn(), "nobody is enlisted")
	for name, change := range map[string]func(r *run){
		"a plain function":  func(r *run) { r.cfg.function = function{} },
		"a fixed number":    func(r *run) { r.cfg.Workers = 2 },
		"batches":           func(r *run) { r.batches = &batching{} },
		"a call of its own": func(r *run) { r.parent = newCallContext(r.ctx, r.cfg) },
	} {
		c := made(change)
		require.False(t, c.shares, name)
		require.NotSame(t, a.tracker, c.tracker, name)
		c.leave()
	}
	a.leave()
	c := made(nil)
	require.Same(t, b.tracker, c.tracker)
	b.leave()
	c.leave()
	require.Empty(t, trackers.of, "the last one takes it along")
	s := made(func(r *run) { r.cfg.Session = new(Session) })
	require.True(t, s.shares)
	require.True(t, s.inTurn())
	s.leave()
}

// A worker takes a turn once, and gives back what it has.
func TestTurnOfAWorker(t *testing.T) {
	r := wired(Config{Session: new(Session)}, 9)
	s := &r.sharing
	s.join()
	s.tracker.Turns.Allow(1)
	w := &worker{call: newCallContext(r.ctx, r.cfg)}
	require.True(t, s.takeTurn(w))
	require.True(t, s.takeTurn(w), "it has one")
	over := func(most int) bool { s.tracker.Turns.Allow(most); return s.tracker.Turns.Over() }
	require.True(t, over(0))
	require.False(t, over(1))
	r.ctx.end(nil)
	other := &worker{call: newCallContext(r.ctx, r.cfg)}
	require.False(t, s.takeTurn(other), "the run is over")
	s.part(w)
	require.False(t, over(0))
	s.part(w)
	s.giveTurn(other)
	require.False(t, over(0))
}

// A run of one worker that the caller demands shares nothing: it could not keep to a limit of others.
func TestOneDemandedWorkerSharesNothing(t *testing.T) {
	r := wired(Config{Workers: 1}, 9)
	r.cfg.function = functionOf(func(context.Context, int) (int, error) { return 0, nil })
	r.sharing.join()
	require.False(t, r.sharing.shares)
	r.sharing.leave()
}

// A run that has left a session bounds the calls of the others no longer.
func TestWhoLeavesIsNotAmongThoseThatShare(t *testing.T) {
	session := new(Session)
	var all []*sharing
	for range 3 {
		r := wired(Config{Session: session}, 9)
		r.sharing.join()
		session.tracker.Enlist(&r.sharing, 0)
		all = append(all, &r.sharing)
	}
	for i, shared := range []bool{true, false, false} {
		require.True(t, session.tracker.Shared() || i > 1)
		all[i].leave()
		require.Equal(t, shared, session.tracker.Shared(), "%d have left", i+1)
	}
}

// A worker that leaves within a hold takes no turn any more: nobody would give it back.
func TestWhoHasLeftTakesNoTurn(t *testing.T) {
	r := wired(Config{Session: new(Session)}, 9)
	r.sharing.join()
	turns := &r.sharing.tracker.Turns
	w := &worker{call: newCallContext(r.ctx, r.cfg)}
	r.sharing.part(w)
	w.call.forcesTurn(turns)
	require.False(t, w.call.hasTurn())
	other := &worker{call: newCallContext(r.ctx, r.cfg)}
	other.call.forcesTurn(turns)
	require.True(t, other.call.hasTurn())
	r.sharing.part(&worker{}) // without a context there is nothing to give up
}

// The attempt that a turn is for is told how many turns are taken with it.
func TestAnAttemptKnowsTheTurnsTaken(t *testing.T) {
	r := wired(Config{Session: new(Session)}, 9)
	r.sharing.join()
	r.sharing.tracker.Turns.Allow(3)
	for taken := range 3 {
		w := &worker{call: newCallContext(r.ctx, r.cfg)}
		require.True(t, r.sharing.takeTurn(w))
		var want flight.Attempt
		want.TookTurn(taken + 1)
		require.Equal(t, &want, &w.attempt)
	}
}
