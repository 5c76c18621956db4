package amorsize_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// A refusal is the chain's business only if a policy of the chain made it before the
// function was entered. From within the function it is a failure like any other.

// opened is a breaker that refuses everything for an hour.
func opened(t *testing.T) *circuitbreaker.Breaker {
	t.Helper()
	b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, OpenFor: time.Hour})
	require.Error(t, b.Do(t.Context(), func(context.Context) error { return errService }))
	return b
}

func slowLimiter(burst int) *ratelimit.Limiter {
	return ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: burst})
}

// refusers are policies that refuse, each in its way, with what they have refused.
func refusers(t *testing.T) map[string]amorsize.Policy {
	t.Helper()
	rejects := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 1, OnLimit: ratelimit.Reject})
	require.True(t, rejects.TryAcquire())
	full := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 1}, 1)
	require.True(t, full.TryAcquire(1))
	b := opened(t)
	return map[string]amorsize.Policy{
		"breaker": b,
		"limiter": rejects,
		"group":   ratelimit.All(slowLimiter(9), rejects),
		"keyed":   keyedPolicy{full},
		"retrier": wrapping{retry.MustNew(retry.Policy{}), b},
	}
}

// keyedPolicy and wrapping are policies of the user's own.
type keyedPolicy struct{ keyed *ratelimit.Keyed[int] }

func (k keyedPolicy) Do(ctx context.Context, call func(context.Context) error) error {
	return k.keyed.Do(ctx, 2, call)
}

// wrapping is two policies as one.
type wrapping struct{ outer, inner amorsize.Policy }

func (w wrapping) Do(ctx context.Context, call func(context.Context) error) error {
	return w.outer.Do(ctx, func(ctx context.Context) error { return w.inner.Do(ctx, call) })
}

// limitedBy runs items through a limiter and whatever is inside, in all ways that
// there are. It returns the tokens that are left of a hundred.
func limitedBy(t *testing.T, policies []amorsize.Policy, fn func(context.Context, int) (int, error)) map[string]int {
	t.Helper()
	left := map[string]int{}
	run := func(name string, f func(amorsize.Option, []int)) {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 100})
		f(amorsize.WithPolicies(append([]amorsize.Policy{l}, policies...)...), make([]int, 5))
		left[name] = int(l.AvailableTokens())
	}
	run("items", func(o amorsize.Option, items []int) {
		_, err := amorsize.ExecuteContext(t.Context(), fn, items, o, amorsize.WithErrors(amorsize.Collect))
		require.Error(t, err)
	})
	run("batches", func(o amorsize.Option, items []int) {
		_, err := amorsize.ExecuteBatches(t.Context(), func(ctx context.Context, _ []int) ([]int, error) {
			_, err := fn(ctx, 0)
			return nil, err
		}, items, o, amorsize.WithErrors(amorsize.Collect), amorsize.WithChunkSize(1))
		require.Error(t, err)
	})
	run("stream", func(o amorsize.Option, items []int) {
		next, stop := iter.Pull(amorsize.Stream(t.Context(), fn, slices.Values(items), o, amorsize.WithErrors(amorsize.Collect)))
		defer stop()
		for r, ok := next(); ok; r, ok = next() {
			require.Error(t, r.Err)
		}
	})
	return left
}

func TestRefusedInTheChainCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func(context.Context, int) (int, error) { t.Error("entered"); return 0, nil }
		for name, p := range refusers(t) {
			for how, left := range limitedBy(t, []amorsize.Policy{p}, never) {
				require.Equal(t, 100, left, "%s, %s", name, how)
			}
		}
	})
}

func TestRefusedWithinTheFunctionCostsAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, p := range refusers(t) {
			var calls atomic.Int64
			fn := func(ctx context.Context, _ int) (int, error) {
				calls.Add(1)
				return 0, p.Do(ctx, func(context.Context) error { t.Error("entered"); return nil })
			}
			for how, left := range limitedBy(t, nil, fn) {
				require.Equal(t, 95, left, "%s, %s", name, how)
			}
			require.EqualValues(t, 15, calls.Load())
			l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 100})
			for range 5 {
				require.Error(t, l.Do(t.Context(), func(ctx context.Context) error { _, err := fn(ctx, 0); return err }))
				_, err := ratelimit.Wrap(l, fn)(t.Context(), 0)
				require.Error(t, err)
				require.Error(t, ratelimit.All(l).Do(t.Context(), func(ctx context.Context) error { _, err := fn(ctx, 0); return err }))
			}
			require.Equal(t, 85, int(l.AvailableTokens()))
		}
	})
}

// A function that calls something with a limit of its own keeps to the limit around it.
func TestRateHoldsWhateverTheFunctionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slowLimiter(1)
		b := opened(t)
		var mu sync.Mutex
		var at []time.Duration
		start := time.Now()
		done := make(chan struct{})
		for range 50 {
			go func() {
				defer func() { done <- struct{}{} }()
				_ = l.Do(t.Context(), func(ctx context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					at = append(at, time.Since(start)) // one at a time
					return b.Do(ctx, func(context.Context) error { return nil })
				})
			}()
		}
		for range 50 {
			<-done
		}
		for i, d := range at {
			require.Equal(t, time.Duration(i)*time.Second, d)
		}
	})
}

// Decorators around decorators are a chain, and others around a function are not.
func TestWrappedChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, b := slowLimiter(3), opened(t)
		r := retry.MustNew(retry.Policy{MaxRetries: 1, MaxDelay: 2 * time.Hour, Jitter: retry.JitterNone})
		start, runs := time.Now(), 0
		inner := ratelimit.Wrap(l, circuitbreaker.Wrap(b, func(_ context.Context, i int) (int, error) { runs++; return i, nil }))
		got, err := retry.Wrap(r, inner)(t.Context(), 7)
		require.NoError(t, err)
		require.Equal(t, 7, got)
		require.Equal(t, time.Hour, time.Since(start), "it waits for the breaker")
		require.Equal(t, 1, runs)
		require.Equal(t, 2, int(l.AvailableTokens()), "and the refused try cost no token")

		charged := 0
		once := retry.MustNew(retry.Policy{MaxRetries: retry.NoRetries, MaxDelay: 2 * time.Hour, Jitter: retry.JitterNone})
		b = opened(t)
		guarded := circuitbreaker.Wrap(b, func(context.Context, int) (int, error) { return 0, nil })
		_, err = retry.Wrap(once, func(ctx context.Context, i int) (int, error) {
			charged++
			return guarded(ctx, i)
		})(t.Context(), 1)
		require.ErrorIs(t, err, circuitbreaker.ErrOpen)
		require.Equal(t, 1, charged)
	})
}

// A retrier counts what the function has done, and waits for what its chain refuses.
func TestRetrierCountsWhatRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		once := retry.MustNew(retry.Policy{MaxRetries: retry.NoRetries, MaxDelay: 2 * time.Hour, Jitter: retry.JitterNone})
		b := opened(t)
		charged := 0
		_, err := amorsize.ExecuteContext(t.Context(), func(ctx context.Context, _ int) (int, error) {
			charged++
			return 0, fmt.Errorf("pay: %w", b.Do(ctx, func(context.Context) error { return nil }))
		}, make([]int, 1), amorsize.WithPolicies(once))
		require.ErrorIs(t, err, circuitbreaker.ErrOpen)
		require.Equal(t, 1, charged)

		start := time.Now()
		_, err = amorsize.ExecuteContext(t.Context(), func(context.Context, int) (int, error) { charged++; return 0, nil },
			make([]int, 1), amorsize.WithPolicies(once, slowLimiter(1), b))
		require.NoError(t, err)
		require.Equal(t, 2, charged)
		require.Equal(t, time.Hour, time.Since(start))
	})
}

// What a run returns is what the policy or the function did, without any mark.
func TestRefusalsComeOutPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t)
		refused := func(fn func(context.Context, int) (int, error), options ...amorsize.Option) {
			t.Helper()
			_, err := amorsize.ExecuteContext(t.Context(), fn, make([]int, 3), options...)
			item, ok := errors.AsType[*amorsize.ItemError](err)
			require.True(t, ok)
			require.IsType(t, &circuitbreaker.OpenError{}, item.Err)
		}
		fn := func(_ context.Context, i int) (int, error) { return i, nil }
		refused(fn, amorsize.WithPolicies(b))
		refused(fn, amorsize.WithPolicies(slowLimiter(9), b))
		refused(circuitbreaker.Wrap(b, fn))
		refused(ratelimit.Wrap(slowLimiter(9), circuitbreaker.Wrap(b, fn)), amorsize.WithPolicies(slowLimiter(9)))
		refused(circuitbreaker.Wrap(b, fn), amorsize.WithWorkers(2), amorsize.WithPolicies(slowLimiter(9)))
	})
}
