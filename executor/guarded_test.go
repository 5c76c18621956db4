package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
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
		require.NoError(t, g.run(t.Context(), w, span{1, 3}))
		require.Equal(t, []int{0, 1, 2}, g.out)
		require.Equal(t, 3, w.at)
		require.True(t, w.returned)
		require.Equal(t, 2, w.attempts)
		require.Zero(t, g.result)
		require.Zero(t, w.policed.waited, "nobody measures")
		w.itemNanos = float64(leastWait)
		require.NoError(t, g.run(t.Context(), w, span{1, 2}))
		require.Zero(t, w.policed.ownItems.Load())
		for _, measured := range []func(w *worker){
			func(w *worker) { w.policed.sampling = true }, func(w *worker) { w.itemNanos = float64(leastWait) + 1 },
		} {
			w := &worker{}
			measured(w)
			require.NoError(t, g.run(t.Context(), w, span{1, 3}))
			require.Equal(t, 4*time.Second, w.policed.waited)
			require.EqualValues(t, 2, w.policed.ownItems.Load())
			require.EqualValues(t, 400*time.Millisecond, w.policed.ownTime.Load())
			require.Equal(t, 200*time.Millisecond, w.policed.own, "of the item that was run last")
			require.False(t, w.policed.inside.Load())
		}
	})
}

// The gate is told of each attempt, unless the run is over.
func TestPolicedGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := spied(4, runOf(0, 9))
		ctx, cancel := context.WithCancel(t.Context())
		w := &worker{gate: g, ctx: ctx}
		w.beginPoliced()
		entered := w.enter(3, 2)
		require.EqualValues(t, 1, g.inFlight.Load())
		require.True(t, w.policed.inside.Load())
		time.Sleep(time.Second)
		w.leave(entered, 3, nil)
		require.Zero(t, g.inFlight.Load())
		require.Len(t, s.done, 1)
		require.InDelta(t, 2, s.done[0].Cost, 0)
		require.Equal(t, time.Second, w.policed.own)
		w.leave(w.enter(3, 2), 3, refused(503))
		require.Len(t, s.lost, 1)
		cancel()
		w.leave(w.enter(3, 2), 3, ctx.Err())
		require.Equal(t, []int{1, 1}, []int{len(s.done), len(s.lost)}, "it takes no more")
		require.Zero(t, g.inFlight.Load())
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
			require.NoError(t, g.run(ctx, &worker{}, span{i, i + 1}))
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
	require.ErrorIs(t, g.run(t.Context(), w, span{0, 3}), odd)
	require.Equal(t, 1, w.at)
	require.True(t, w.returned)
	require.Equal(t, &ItemError{Index: 1, Attempts: 1, Err: odd}, g.fail(w, span{1, 2}, odd))
	w.signal.Store(halt)
	require.NoError(t, g.run(t.Context(), w, span{2, 3}))
	require.Equal(t, 2, w.at)
}
