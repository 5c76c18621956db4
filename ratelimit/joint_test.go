package ratelimit_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

// Calls of a group that nobody else is beside get one token after the other.
func TestGroupAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ratelimit.All(limiter(t, 100, 100), drained(t, 1, 1))
		start := time.Now()
		at := make([]time.Duration, 3)
		var wg sync.WaitGroup
		for i := range at {
			wg.Go(func() {
				assert.NoError(t, g.Acquire(t.Context()))
				at[i] = time.Since(start)
			})
			synctest.Wait()
		}
		wg.Wait()
		require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, at)
	})
}

// A limit that owes less than a token's time is waited for, too.
func TestGroupWaitsForTheSmallestDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 1e9, 1)
		require.NoError(t, l.Debit(1))
		start := time.Now()
		require.NoError(t, ratelimit.All(l).Acquire(t.Context()))
		require.Equal(t, 2*time.Nanosecond, time.Since(start))
	})
}

// What a bucket can just hold is left there for others until all is there; more is not.
func TestGroupHoldsNothingBack(t *testing.T) {
	for n, left := range map[float64]float64{2: 3, 3: 3, 3.5: 0.5} {
		synctest.Test(t, func(t *testing.T) {
			a, b := limiter(t, 10, 3), drained(t, 1, 1)
			done := make(chan error)
			go func() { done <- ratelimit.All(b, a).AcquireEach(t.Context(), 1, n) }()
			time.Sleep(100 * time.Millisecond)
			require.EqualValues(t, left, a.AvailableTokens(), "%g are wanted", n)
			require.NoError(t, <-done)
		})
	}
}

// What was taken first, since no bucket holds it, is given back if the rest is not to be had.
func TestGroupThatGivesUpALargeAmount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := limiter(t, 10, 3), drained(t, 1, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		time.AfterFunc(150*time.Millisecond, cancel)
		require.ErrorIs(t, ratelimit.All(b, a).AcquireEach(ctx, 1, 3.5), context.Canceled)
		require.EqualValues(t, 3, a.AvailableTokens(), "as many as there is room for")
	})
}

// Of a limiter of which nothing is wanted, a pause is not waited for.
func TestGroupOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := limiter(t, 1, 2), limiter(t, 1, 2)
		b.PauseFor(time.Hour)
		require.True(t, ratelimit.All(a, b).TryAcquireEach(1, 0))
		require.NoError(t, ratelimit.All(a, b).AcquireEach(t.Context(), 1, 0))
		require.Zero(t, a.AvailableTokens())
	})
}

// OnWait of those limiters is called that had no tokens, with how long it took in all.
func TestGroupTellsOfItsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := map[string][]time.Duration{}
		var limiters []*ratelimit.Limiter
		for name, tokens := range map[string]float64{"full": 30, "half": 1.5, "empty": 0} {
			l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 30, OnWait: func(d time.Duration) {
				waits[name] = append(waits[name], d)
			}})
			require.NoError(t, l.Debit(30-tokens))
			limiters = append(limiters, l)
		}
		g := ratelimit.All(limiters...)
		require.NoError(t, g.AcquireEach(t.Context(), 2, 2, 2))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		require.ErrorIs(t, g.AcquireEach(ctx, 2, 2, 2), context.Canceled)
		require.Equal(t, map[string][]time.Duration{
			"half":  {2 * time.Second, 300 * time.Millisecond},
			"empty": {2 * time.Second, 300 * time.Millisecond},
		}, waits)
	})
}

// A limiter that rejects does so if it has no tokens, and not because another has none.
func TestGroupRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := rejecting(1, 1), drained(t, 10, 1)
		g := ratelimit.All(b, a)
		start := time.Now()
		require.NoError(t, g.Acquire(t.Context()))
		require.Equal(t, 100*time.Millisecond, time.Since(start))
		var exceeded *ratelimit.ExceededError
		require.ErrorAs(t, g.Acquire(t.Context()), &exceeded)
		require.Equal(t, time.Second, exceeded.RetryAfter)
		require.ErrorAs(t, ratelimit.All(b).AcquireEach(t.Context(), 1e30), &exceeded)
		require.Equal(t, time.Duration(math.MaxInt64), exceeded.RetryAfter)
	})
}

// The wait of a call of a group is that for all who came before it and are still there.
func TestDeadlineOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ratelimit.All(drained(t, 1, 1), limiter(t, 100, 100))
		ctx, cancel := context.WithCancel(t.Context())
		gone, leave := context.WithCancel(t.Context())
		for i := range 5 {
			go func() { _ = g.Acquire(map[bool]context.Context{true: gone, false: ctx}[i%2 == 1]) }()
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		timed, stop := context.WithTimeout(t.Context(), 4*time.Second)
		defer stop()
		var late *ratelimit.DeadlineError
		require.ErrorAs(t, g.AcquireEach(timed, 1.5), &late)
		require.Equal(t, ratelimit.DeadlineError{Wait: 4500 * time.Millisecond, Left: 4 * time.Second}, *late)
		start := time.Now()
		_ = g.Acquire(timed) // in time, or canceled in the same instant
		require.Equal(t, 4*time.Second, time.Since(start))
		cancel()
	})
}

// Returned tokens go on to a call of a group at once.
func TestReturnedToAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := drained(t, 1, 2), limiter(t, 100, 100)
		start, done := time.Now(), make(chan error)
		go func() { done <- ratelimit.All(a, b).AcquireEach(t.Context(), 2) }()
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, a.Return(1.5))
		require.NoError(t, <-done)
		require.Equal(t, 500*time.Millisecond, time.Since(start))
		require.Zero(t, a.AvailableTokens())
	})
}

// waiters has so many calls wait, one behind the other, and returns a function that returns
// how long each did.
func waiters(t *testing.T, n int, acquire func(context.Context) error) func() []time.Duration {
	t.Helper()
	start, took := time.Now(), make([]time.Duration, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if acquire(t.Context()) == nil {
				took[i] = time.Since(start)
			}
		})
		synctest.Wait()
	}
	return func() []time.Duration { wg.Wait(); return took }
}

// Where a limit has to be waited for after all, the call lets those pass in the others who
// are behind it: calls of other groups, too. What came for it beyond a bucket is gone.
func TestGroupRetreats(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		wants         float64 // of the first limit, which holds 2
		paused        time.Duration
		other, others []time.Duration
	}{
		{1, 500 * time.Millisecond, []time.Duration{1 * s}, []time.Duration{2 * s, 3 * s, 4 * s}},
		{20, 5 * s, []time.Duration{6 * s}, []time.Duration{5 * s, 5 * s, 7 * s}},
	} {
		synctest.Test(t, func(t *testing.T) {
			first, second := drained(t, 1, 2), limiter(t, 100, 100)
			group := waiters(t, 1, func(ctx context.Context) error { return ratelimit.All(first, second).AcquireEach(ctx, c.wants) })
			other := waiters(t, 1, ratelimit.All(first, limiter(t, 100, 100)).Acquire)
			others := waiters(t, 3, first.Acquire)
			time.Sleep(c.paused)
			second.PauseFor(30*s - c.paused)
			require.Equal(t, c.other, other())
			require.Equal(t, c.others, others())
			// At the end of the pause the first limit has 2 tokens, and the second has one.
			require.Equal(t, []time.Duration{30*s + max(0, time.Duration(c.wants-2)*s)}, group())
		})
	}
}

// A call that is passed over takes nothing from those behind, who want more than a bucket
// holds: what is returned is theirs, too.
func TestGroupThatIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := drained(t, 1, 1), limiter(t, 100, 100)
		second.PauseFor(time.Minute)
		group := waiters(t, 1, ratelimit.All(first, second).Acquire)
		large := waiters(t, 1, func(ctx context.Context) error { return first.AcquireN(ctx, 10) })
		time.Sleep(5 * time.Second)
		second.PauseFor(time.Minute)
		require.NoError(t, first.Return(1))
		require.Equal(t, []time.Duration{9 * time.Second}, large())
		require.Equal(t, []time.Duration{65 * time.Second}, group())
	})
}

// When the one ahead leaves, a call of a group moves up at once.
func TestGroupMovesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		large := waiters(t, 1, func(context.Context) error { return l.AcquireN(ctx, 10) })
		group := waiters(t, 1, ratelimit.All(l, limiter(t, 100, 100)).Acquire)
		time.Sleep(5 * time.Second)
		cancel()
		require.Equal(t, []time.Duration{5 * time.Second}, group())
		require.Zero(t, large()[0])
	})
}

// Groups that go for the same limits in different orders don't hold each other up.
func TestGroupsInDifferentOrders(t *testing.T) {
	a, b := limiter(t, 1e9, 1e6), limiter(t, 1e9, 1e6)
	g := ratelimit.All(a, b)
	var wg sync.WaitGroup
	for _, n := range [][]float64{{2e6, 1}, {1, 2e6}} { // more than a bucket is gone for first
		wg.Go(func() {
			for range 2000 {
				g.TryAcquireEach(n...)
			}
		})
	}
	wg.Wait()
}
