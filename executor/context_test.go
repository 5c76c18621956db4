package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// opened is a tracker that begins with four calls.
func opened() *flight.Tracker {
	tracker := new(flight.Tracker)
	s := &wired(Config{}, 9).sharing
	s.allow(100, 100)
	tracker.Enlist(s, 0)
	tracker.Open(0, 4, 0, 0, false)
	return tracker
}

// The context of calls ends with the run, however few workers it had.
func TestContextEndsWithTheRun(t *testing.T) {
	for _, workers := range []int{0, 2} {
		var kept context.Context
		_, err := Run(t.Context(), Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
			if i == 2 {
				kept = ctx
			}
			return i, ctx.Err()
		}}, []int{0, 1, 2}, Config{Workers: workers})
		require.NoError(t, err)
		require.ErrorIs(t, kept.Err(), context.Canceled)
		<-kept.Done()
	}
	var kept context.Context
	_, err := Measure(t.Context(), Func[int, int]{Context: func(ctx context.Context, i int) (int, error) { kept = ctx; return i, ctx.Err() }}, []int{0, 1, 2}, Config{})
	require.NoError(t, err)
	require.ErrorIs(t, kept.Err(), context.Canceled, "of a sample, too")
}

// A call that is held back is not in flight, and what it waits is not its time.
func TestCallHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := opened()
		w := &worker{call: newCallContext(&runContext{Context: t.Context()}, &Config{})}
		c, stirred := w.call, make(chan struct{}, 1)
		c.watch(g, &w.attempt, &pacer{stirred: stirred})
		g.Watch(&w.attempt)
		g.Enter(&w.attempt, 0, 2, 3)
		line := waiting.Line{Of: g}
		hold := waiting.BeginWith(c, line)
		<-stirred
		require.Zero(t, g.InFlight())
		at, waits := c.waitsIn()
		require.True(t, waits)
		require.Equal(t, line, at)
		time.Sleep(time.Second)
		second := waiting.BeginWith(c, waiting.Line{}) // from another goroutine of the call
		require.Empty(t, stirred)
		second.End()
		_, waits = c.waitsIn()
		require.True(t, waits)
		require.Equal(t, time.Second, c.heldFor(c.since+time.Second))
		hold.End()
		_, waits = c.waitsIn()
		require.False(t, waits)
		require.Equal(t, 1, g.InFlight(), "it goes on")
		hold.End() // twice
		require.Zero(t, c.holders)
		time.Sleep(time.Second)
		require.Equal(t, time.Second, c.heldFor(0))
		require.Equal(t, time.Second, c.settle())
		require.Zero(t, c.settle())
		require.Zero(t, c.heldFor(0))

		late := waiting.BeginWith(c, line)
		time.Sleep(time.Second)
		require.Equal(t, time.Second, c.settle(), "by a goroutine that the function has left behind")
		late.End()
		require.Zero(t, c.holders)
		require.Equal(t, flight.Paused{}, c.paused)
		next := waiting.BeginWith(c, line)
		late.End()
		require.Equal(t, 1, c.holders, "that is another call")
		next.End()
	})
	var none *callContext
	require.Zero(t, none.settle())
	require.Zero(t, none.heldFor(1))
	_, waits := none.waitsIn()
	require.False(t, waits)
	none.watch(nil, nil, nil)
	require.False(t, none.hasTurn())
}

// A call gives its turn to another one while it is held back.
func TestCallsTurn(t *testing.T) {
	c := newCallContext(&runContext{Context: t.Context()}, &Config{})
	all := new(flight.Turns)
	taken := func() (n int) {
		for all.Allow(n); all.Over(); all.Allow(n) {
			n++
		}
		return n
	}
	all.Allow(2)
	age, _, ok := all.Take(nil, time.Hour)
	require.True(t, ok)
	require.False(t, c.hasTurn())
	c.takesTurn(all, age)
	require.True(t, c.hasTurn())
	hold := waiting.BeginWith(c, waiting.Line{})
	require.Zero(t, taken())
	hold.End()
	require.Equal(t, 1, taken())
	c.forcesTurn(all)
	require.Equal(t, 1, taken(), "it has one")
	of, _ := c.endsTurn()
	require.Same(t, all, of)
	require.False(t, c.hasTurn())

	c.forcesTurn(all)
	require.Equal(t, 2, taken())
	require.True(t, c.hasTurn())
	c.endsTurn()
	hold = waiting.BeginWith(c, waiting.Line{})
	c.forcesTurn(all)
	require.Equal(t, 2, taken(), "when it goes on")
	hold.End()
	require.Equal(t, 3, taken())
}

// What calls are given ends with the run, for the first reason.
func TestRunContext(t *testing.T) {
	why := errors.New("odd")
	early := &runContext{Context: t.Context()}
	require.NoError(t, early.Err())
	require.Nil(t, early.own, "nobody has asked for more")
	early.end(why)
	early.end(nil)
	require.ErrorIs(t, early.Err(), context.Canceled)
	<-early.Done()
	require.ErrorIs(t, context.Cause(early), why)
	late := &runContext{Context: t.Context()}
	done := late.Done()
	require.NoError(t, late.Err())
	late.end(why)
	<-done
	late.end(nil)
	require.ErrorIs(t, context.Cause(late), why)
	key := new(int)
	valued := &runContext{Context: context.WithValue(t.Context(), key, 7)}
	require.Equal(t, 7, valued.Value(key))
	valued.Done()
	require.Equal(t, 7, valued.Value(key))
	valued.end(nil)
}

// A turn that a call has given back says nothing of how many calls it is in flight with when it goes on.
func TestAGivenTurnIsNoCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := opened()
		w := &worker{call: newCallContext(&runContext{Context: t.Context()}, &Config{})}
		w.call.watch(g, &w.attempt, &pacer{stirred: make(chan struct{}, 1)})
		g.Watch(&w.attempt)
		for range 100 {
			w.attempt.TookTurn(100)                              // a crowd that the law would leave out
			waiting.BeginWith(w.call, waiting.Line{Of: g}).End() // before its attempt
			began := clock.Now()
			g.Enter(&w.attempt, began, 1, 1)
			time.Sleep(time.Second)
			_, ok := g.Leave(&w.attempt, clock.Now(), 1, nil)
			require.True(t, ok)
			w.call.settle()
		}
		require.True(t, g.Due(), "they have all been counted")
	})
}

// A call of one item that was held back is in flight again when it goes on, like one of several.
func TestOneItemIsInFlightAgain(t *testing.T) {
	g := opened()
	w := &worker{call: newCallContext(&runContext{Context: t.Context()}, &Config{})}
	w.call.watch(g, &w.attempt, &pacer{stirred: make(chan struct{}, 1)})
	g.Enter(&w.attempt, 0, 1, 1)
	hold := waiting.BeginWith(w.call, waiting.Line{})
	require.Zero(t, g.InFlight())
	hold.End()
	require.Equal(t, 1, g.InFlight())
}

// Once turns have stalled, those that were taken before count no longer. A turn that is forced after that is a new one,
// which counts until it is given back.
func TestAForcedTurnIsOfItsAge(t *testing.T) {
	for name, force := range map[string]func(c *callContext, all *flight.Turns){
		"when the call goes on": func(c *callContext, all *flight.Turns) {
			c.takesTurn(all, all.Force())
			hold := waiting.BeginWith(c, waiting.Line{})
			stall(all)
			hold.End()
		},
		"for the call": func(c *callContext, all *flight.Turns) {
			stall(all)
			c.forcesTurn(all)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			all := new(flight.Turns)
			c := newCallContext(&runContext{Context: t.Context()}, &Config{})
			force(c, all)
			all.Allow(1)
			require.True(t, all.Over(), name)
			of, age := c.endsTurn()
			of.Give(age)
			require.False(t, all.Over(), name)
		})
	}
}

// stall has others wait for a turn for so long that those taken count no longer, and take one.
func stall(all *flight.Turns) {
	all.Allow(1)
	all.Force()
	_, _, _ = all.Take(nil, time.Second)
}

// Who goes on just as somebody looks waits no longer, though it was seen to wait before the look had the lock.
func TestWhoHasJustGoneOnWaitsInNoLine(t *testing.T) {
	c := newCallContext(&runContext{Context: t.Context()}, &Config{})
	waiting.BeginWith(c, waiting.Line{}).End()
	c.held.Store(true)
	_, waits := c.waitsIn()
	require.False(t, waits)
}

// The state of a policy that tells of a change is known to the run, and told.
func TestChangesOfPoliciesAreTold(t *testing.T) {
	var told []PolicyState
	cfg := Config{tally: &tally{tell: func(s PolicyState) { told = append(told, s) }}}
	c := newCallContext(&runContext{Context: t.Context()}, &cfg)
	c.Changed(&fakePolicy{kind: "circuitbreaker", name: "search", state: "open"})
	require.Equal(t, []PolicyState{{"circuitbreaker", "search", "open", time.Second}}, told)
}

// A policy that holds a call back is known to the run from then on.
func TestPoliciesAreMet(t *testing.T) {
	cfg := Config{tally: new(tally)}
	c := newCallContext(&runContext{Context: t.Context()}, &cfg)
	c.HoldBegins(waiting.Line{By: &fakePolicy{kind: "ratelimit", name: "a", state: "paused"}})
	require.Len(t, cfg.tally.policies, 1)
}

// What a call waited for a policy is counted when the wait has ended.
func TestWaitsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{tally: new(tally)}
		c := newCallContext(&runContext{Context: t.Context()}, &cfg)
		ticket := c.HoldBegins(waiting.Line{By: &fakePolicy{kind: "ratelimit", name: "a", state: "paused"}})
		time.Sleep(3 * time.Second)
		require.Empty(t, cfg.tally.snapshot().Waits)
		c.HoldEnds(ticket)
		waits := cfg.tally.snapshot().Waits
		require.Len(t, waits, 1)
		require.Equal(t, []any{"ratelimit", "a", int64(1), 3 * time.Second}, []any{waits[0].Kind, waits[0].Name, waits[0].Calls, waits[0].Total})
		require.Equal(t, 3*time.Second, c.settle())
	})
}
