package ratelimit

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/answer"
)

// What a policy further in refused has cost nothing: the whole estimate comes back, and no more.
func TestRefusedCostComesBack(t *testing.T) {
	for _, estimated := range []float64{0, 0.5, 1, 40} {
		synctest.Test(t, func(t *testing.T) {
			outer := MustNew(Policy{RequestsPerSecond: 100})
			require.True(t, outer.TryAcquireN(50))
			inner := MustNew(Policy{RequestsPerSecond: 1, OnLimit: Reject})
			require.True(t, inner.TryAcquire())
			var chain answer.Chain
			call := chain.Call(func(context.Context) error { t.Error("it is not made"); return nil })
			link := chain.Link(func(ctx context.Context) error { return inner.Do(ctx, call) })
			err := outer.DoCost(t.Context(), estimated, func(ctx context.Context) (float64, error) { return 7, link(ctx) })
			require.ErrorIs(t, err, ErrExceeded)
			require.InDelta(t, 50, outer.AvailableTokens(), 1e-6, estimated)
		})
	}
}

// What calls turn out to have cost is remembered only as long as one is under way whose cost is not known.
func TestCostsAreForgotten(t *testing.T) {
	l := MustNew(Policy{RequestsPerSecond: 100})
	cheap := func(within func()) func(context.Context) (float64, error) {
		return func(context.Context) (float64, error) { within(); return 1, nil }
	}
	for range 3 {
		require.NoError(t, l.DoCost(t.Context(), 2, cheap(func() {
			require.NoError(t, l.DoCost(t.Context(), 2, cheap(func() { require.Equal(t, 2, l.line.costs.open) })))
			require.Equal(t, 1, l.line.costs.open)
			require.NotEmpty(t, l.line.costs.low)
		})))
		require.Zero(t, l.line.costs.open)
		require.Zero(t, l.line.costs.seen)
		require.Empty(t, l.line.costs.low)
	}
}

// The call's own error is the one that is told, whatever it says that it has cost.
func TestErrorBeforeACost(t *testing.T) {
	odd := errors.New("odd")
	l := MustNew(Policy{RequestsPerSecond: 100})
	err := l.DoCost(t.Context(), 1, func(context.Context) (float64, error) { return math.Inf(1), odd })
	require.Equal(t, odd, err)
}

// A call that succeeds is one to an adaptive limiter, whatever it has cost.
func TestCostOfASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 100, Adapt: &Adapt{Throttled: func(error) bool { return true }}})
		call := func(err error) {
			_ = l.DoCost(t.Context(), 1, func(context.Context) (float64, error) { return 1, err })
		}
		call(errors.New("429"))
		low := l.Rate()
		require.Less(t, low, 100.0)
		for range 1000 { // as fast as the limiter lets them
			call(nil)
		}
		require.Greater(t, l.Rate(), low)
	})
}

// A key that was asked about, or called for, can make room for another, and a call for more than its bucket holds is
// one for a full bucket.
func TestCostKeysAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := MustNewKeyed[int](Policy{RequestsPerSecond: 10}, 1)
		for key := range 3 {
			require.NoError(t, k.DoCost(t.Context(), key, 10, func(context.Context) (float64, error) { return 10, nil }))
			wait, err := k.WouldTake(key, 25)
			require.NoError(t, err)
			require.Equal(t, time.Second, wait)
			time.Sleep(time.Minute) // full again
			wait, err = k.WouldTake(key, 5)
			require.NoError(t, err)
			require.Zero(t, wait)
		}
	})
}

// The line of a group is that of a limiter for one of many keys, if it has one: other keys may go on.
func TestLineOfAGroup(t *testing.T) {
	one, key := MustNew(Policy{RequestsPerSecond: 1}), MustNew(Policy{RequestsPerSecond: 1})
	key.keyed = true
	for _, of := range [][]*Limiter{{key, one}, {one, key}, {one, one, key}, {key}} {
		g := &Group{limiters: of}
		require.True(t, g.line().OneOfMany)
		require.Equal(t, key.inLine(), g.line())
	}
	g := &Group{limiters: []*Limiter{one, MustNew(Policy{RequestsPerSecond: 1})}}
	require.Equal(t, one.inLine(), g.line())
}

// What was taken at another rate is not given back at this one: it is settled already.
func TestCostAtAnotherRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 100})
		require.NoError(t, l.DoCost(t.Context(), 50, func(context.Context) (float64, error) {
			require.NoError(t, l.SetRate(2))
			require.InDelta(t, 50, l.AvailableTokens(), 1e-6)
			return 0, nil
		}))
		require.InDelta(t, 50, l.AvailableTokens(), 1e-6)
	})
}

// What a call did not cost goes to those that wait, whose own estimates are settled with it.
func TestCostsOfTwoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 100})
		began := time.Now()
		call := func(estimated, actual float64, took time.Duration) func() {
			return func() {
				_ = l.DoCost(t.Context(), estimated, func(context.Context) (float64, error) { time.Sleep(took); return actual, nil })
			}
		}
		var group sync.WaitGroup
		group.Go(call(60, 10, time.Second))
		synctest.Wait()
		group.Go(call(40, 10, 3*time.Second))
		synctest.Wait()
		group.Go(call(50, 50, 0)) // there are 51 once the first is settled
		group.Wait()
		require.Equal(t, 3*time.Second, time.Since(began))
		require.InDelta(t, 100-10-10-50+3, l.AvailableTokens(), 1e-6)
	})
}
