package executor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// What policies take is told from the time of the function, where it is measured.
func TestPolicedTime(t *testing.T) {
	waits := policy(func(ctx context.Context, call func(context.Context) error) error {
		time.Sleep(time.Second)
		_ = call(ctx)
		time.Sleep(time.Second)
		return call(ctx)
	})
	fn := func(i int) (int, error) {
		time.Sleep(100 * time.Millisecond)
		return i, nil
	}
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(calls[int, int]{fn: Func[int, int]{Plain: fn}, items: []int{0, 1, 2}, out: make([]int, 3)}, []Policy{waits})
		w := &worker{}
		require.NoError(t, g.run(t.Context(), w, span{Lo: 1, Hi: 3}))
		require.Equal(t, []int{0, 1, 2}, g.out)
		require.Equal(t, 3, w.at)
		require.True(t, w.returned)
		require.Equal(t, 2, w.attempts)
		require.Zero(t, g.result)
		require.Zero(t, w.policed.waited, "nobody measures")
		w.itemNanos = float64(leastWait)
		require.NoError(t, g.run(t.Context(), w, span{Lo: 1, Hi: 2}))
		require.Zero(t, w.policed.ownItems.Load())
		for _, measured := range []func(w *worker){
			func(w *worker) { w.policed.sampling = true }, func(w *worker) { w.itemNanos = float64(leastWait) + 1 },
		} {
			w := &worker{}
			measured(w)
			require.NoError(t, g.run(t.Context(), w, span{Lo: 1, Hi: 3}))
			require.Equal(t, 4*time.Second, w.policed.waited)
			require.EqualValues(t, 2, w.policed.ownItems.Load())
			require.EqualValues(t, 400*time.Millisecond, w.policed.ownTime.Load())
			require.Equal(t, 200*time.Millisecond, w.policed.own, "of the item that was run last")
			require.False(t, w.policed.inside.Load())
		}
	})
}

// The tracker is told of each attempt, unless the run is over.
func TestPolicedAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := opened()
		ctx, cancel := context.WithCancel(t.Context())
		w := &worker{}
		w.tally = new(tally)
		w.watch(g, ctx)
		w.beginPoliced()
		entered := w.enter(3, 2)
		require.Equal(t, 1, g.InFlight())
		require.True(t, w.policed.inside.Load())
		time.Sleep(time.Second)
		w.leave(entered, 3, nil)
		require.Zero(t, g.InFlight())
		require.EqualValues(t, 3, w.tally.latency.Count())
		require.Equal(t, time.Second, w.policed.own)
		w.leave(w.enter(3, 2), 3, refused(503))
		require.Less(t, g.Limit(), 4, "it was lost")
		limit := g.Limit()
		cancel()
		w.leave(w.enter(3, 2), 3, fmt.Errorf("%w: %w", refused(503), ctx.Err()))
		require.Equal(t, limit, g.Limit(), "the run is over, and that is all this says")
		require.EqualValues(t, 3, w.tally.latency.Count())
		require.Zero(t, g.InFlight())
	})
}

// A policy that answers without calling has no result to show, nor one that an earlier
// item left behind; and an error ends the claim where it came.
func TestGuardedAnswers(t *testing.T) {
	odd := errors.New("odd")
	for at, want := range map[int][]int{1: {10, 0, 12}, 2: {10, 11, 0}} {
		answers := policy(func(ctx context.Context, call func(context.Context) error) error {
			if ctx.Value(policed{}) == at {
				return nil
			}
			return call(ctx)
		})
		g := newGuarded(calls[int, int]{items: []int{10, 11, 12}, out: make([]int, 3)}, []Policy{answers})
		g.fn.Plain = func(i int) (int, error) { return i, nil }
		for i := range 3 {
			ctx := context.WithValue(t.Context(), policed{}, i)
			require.NoError(t, g.run(ctx, &worker{}, span{Lo: i, Hi: i + 1}))
		}
		require.Equal(t, want, g.out)
	}
	g := newGuarded(calls[int, int]{items: []int{10, 11, 12}, out: make([]int, 3)}, nil)
	g.fn.Context = func(_ context.Context, i int) (int, error) {
		if i == 11 {
			return 0, odd
		}
		return i, nil
	}
	w := &worker{}
	require.ErrorIs(t, g.run(t.Context(), w, span{Lo: 0, Hi: 3}), odd)
	require.Equal(t, 1, w.at)
	require.True(t, w.returned)
	require.Equal(t, &ItemError{Index: 1, Attempts: 1, Err: odd}, g.fail(w, span{Lo: 1, Hi: 2}, odd))
	w.signal.Store(halt)
	require.NoError(t, g.run(t.Context(), w, span{Lo: 2, Hi: 3}))
	require.Equal(t, 2, w.at)
}

// A policy that recovers the panic of a call leaves the worker outside of the function: while the next item waits
// in the policy, it is held back.
func TestPanicThatAPolicyRecovers(t *testing.T) {
	w := &worker{}
	w.policed.sampling = true
	var inside []bool
	recovers := policy(func(ctx context.Context, call func(context.Context) error) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = errors.New("recovered")
			}
		}()
		inside = append(inside, w.policed.inside.Load())
		return call(ctx)
	})
	fn := func(int) (int, error) {
		inside = append(inside, w.policed.inside.Load())
		panic("odd")
	}
	g := newGuarded(calls[int, int]{fn: Func[int, int]{Plain: fn}, items: []int{0, 1}, out: make([]int, 2)}, []Policy{recovers})
	require.Error(t, g.run(t.Context(), w, span{Lo: 0, Hi: 1}))
	require.Error(t, g.run(t.Context(), w, span{Lo: 1, Hi: 2}))
	require.Equal(t, []bool{false, true, false, true}, inside)
}

// What policies take around a call is their overhead up to a bound, and a wait above it.
func TestOverheadOfPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for took, waited := range map[time.Duration]time.Duration{leastWait: 0, leastWait + 1: leastWait + 1} {
			p := policed{measured: true, own: time.Second}
			began := clock.Now()
			time.Sleep(time.Second + took)
			p.end(began)
			require.Equal(t, waited, p.waited)
			require.EqualValues(t, 1, p.ownItems.Load())
			require.EqualValues(t, time.Second, p.ownTime.Load())
		}
	})
}

// A policy within the function that refuses has made the call fail: it is not one that was never made.
func TestRefusedWithinTheFunction(t *testing.T) {
	var report Report
	refuses := Func[int, int]{Plain: func(int) (int, error) { return 0, refusedHere{} }}
	_, err := Run(t.Context(), refuses, []int{0, 1}, Config{Policies: []Policy{passing{}}, Errors: Collect, Report: &report})
	require.Error(t, err)
	require.EqualValues(t, 2, report.Calls.Failed.Refused)
	require.Zero(t, report.Calls.NotMade)
}

// How long a call took counts neither what policies around it took nor what a policy within it held it back.
func TestAttemptsAreTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Second) // the clock does not begin with the call
		w := &worker{call: newCallContext(&runContext{Context: t.Context()}, &Config{})}
		w.tally, w.policed.sampling = new(tally), true
		waits := policy(func(ctx context.Context, call func(context.Context) error) error {
			time.Sleep(time.Minute)
			return call(ctx)
		})
		fn := func(i int) (int, error) {
			time.Sleep(100 * time.Millisecond)
			hold := waiting.BeginWith(w.call, waiting.Line{})
			time.Sleep(time.Hour)
			hold.End()
			return i, nil
		}
		g := newGuarded(calls[int, int]{fn: Func[int, int]{Plain: fn}, items: []int{0, 1}, out: make([]int, 2)}, []Policy{waits})
		require.NoError(t, g.run(t.Context(), w, span{Lo: 0, Hi: 2}))
		require.EqualValues(t, 2, w.tally.latency.Count())
		require.Equal(t, 200*time.Millisecond, w.tally.latency.Sum())
		require.EqualValues(t, 200*time.Millisecond, w.policed.ownTime.Load())
		require.Equal(t, 2*time.Hour, w.heldBack)
		require.True(t, w.timed)
	})
}

// While the function runs, the tracker has it as one ordinary attempt for one item.
func TestAnAttemptIsForOneItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker, reference := opened(), new(flight.Attempt)
		w := &worker{}
		w.watch(tracker, t.Context())
		ran := 0
		fn := func(i int) (int, error) {
			ran++
			require.Equal(t, 1, tracker.InFlight())
			tracker.Enter(reference, clock.Now(), 1, 1)
			require.Equal(t, tracker.Pause(reference, clock.Now()), tracker.Pause(&w.attempt, clock.Now()))
			return i, nil
		}
		g := newGuarded(calls[int, int]{fn: Func[int, int]{Plain: fn}, items: []int{0, 1}, out: make([]int, 2)}, []Policy{passing{}})
		require.NoError(t, g.run(t.Context(), w, span{Lo: 0, Hi: 2}))
		require.Equal(t, 2, ran)
	})
}

// ownRefusal is a policy's refusal, of which only the chain can tell whether the function had begun.
type ownRefusal struct{ refusedHere }

func (ownRefusal) ByPolicy() {}

// A policy is told that a call was not made if one within it refused, and not if the function had begun.
func TestAPolicyIsToldOfCallsThatWereNotMade(t *testing.T) {
	var told []bool
	outer := policy(func(ctx context.Context, call func(context.Context) error) error {
		err := call(ctx)
		_, _, notMade := answer.NotMade(err)
		told = append(told, notMade)
		return err
	})
	refuses := false
	inner := policy(func(ctx context.Context, call func(context.Context) error) error {
		if refuses {
			return ownRefusal{}
		}
		return call(ctx)
	})
	run := chain([]Policy{outer, inner}, func(context.Context) error { return ownRefusal{} })
	for _, refuses = range []bool{false, true, false} {
		require.Equal(t, ownRefusal{}, run(t.Context()), "without a mark")
	}
	require.Equal(t, []bool{false, true, false}, told)
}

// A keeper gets how an item ended: what was done is kept in any case, a failure only if the run had not ended before.
func TestOutcomesThatAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		cancels bool
		err     error
		kept    bool
	}{
		"done": {false, nil, true}, "failed": {false, errKept, true}, "done at the end": {true, nil, true}, "failed at the end": {true, errKept, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Hour) // the clock does not begin with the call
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fn := func(i int) (int, error) {
				if time.Sleep(time.Second); c.cancels {
					cancel()
				}
				return i, c.err
			}
			m := &memoryKeeper{}
			g := newGuarded(calls[int, int]{fn: Func[int, int]{Plain: fn, Keeper: m}, items: []int{0, 7}, out: make([]int, 2)}, []Policy{slowPolicy(time.Minute)})
			require.Equal(t, c.err, g.run(ctx, &worker{}, span{Lo: 1, Hi: 2}), name)
			want := map[int]Outcome[int]{1: {Value: 7, Attempts: 1, Took: time.Minute + time.Second}}
			if c.err != nil {
				want[1] = Outcome[int]{Err: c.err, Attempts: 1, Took: time.Minute + time.Second}
			}
			if !c.kept {
				want = nil
			}
			require.Equal(t, want, m.kept, name)
		})
	}
}

// slowPolicy takes so long before each call.
type slowPolicy time.Duration

func (s slowPolicy) Do(ctx context.Context, call func(context.Context) error) error {
	time.Sleep(time.Duration(s))
	return call(ctx)
}

// A keeper gets the item whose call panicked, or ended its goroutine, with how often it was called.
func TestAKeeperGetsAnItemThatDidNotReturn(t *testing.T) {
	for name, c := range map[string]struct {
		ends func()
		err  func(w *worker) error
	}{
		"a panic":  {func() { panic("odd") }, func(w *worker) error { return w.panicked }},
		"a Goexit": {runtime.Goexit, func(*worker) error { return ErrGoexit }},
	} {
		m, w := &memoryKeeper{}, &worker{}
		fn := func(i int) (int, error) {
			if i == 8 {
				c.ends()
			}
			return i, nil
		}
		g := newGuarded(calls[int, int]{fn: Func[int, int]{Plain: fn, Keeper: m}, items: []int{7, 8, 9}, out: make([]int, 3)}, []Policy{passing{}})
		var group sync.WaitGroup
		group.Go(func() { _ = g.run(t.Context(), w, span{Lo: 0, Hi: 3}) })
		group.Wait()
		require.Len(t, m.kept, 2, name)
		require.Equal(t, Outcome[int]{Err: c.err(w), Attempts: 1}, m.kept[1], name)
		require.Error(t, m.kept[1].Err, name)
	}
}
