package concurrency_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// With the engine: two runs and plain callers share what a service takes by one limiter,
// and none of its slots is idle. Who waits for the limiter is not in flight.
func TestWithTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := amorsizetest.New(amorsizetest.Conditions{Slots: 8, Latency: amorsizetest.Lognormal(mean, 0.3)}, 1)
		l := concurrency.MustNew(concurrency.Policy{})
		var group sync.WaitGroup
		var made atomic.Int64
		for range 2 {
			group.Go(func() {
				results, err := amorsize.ExecuteContext(t.Context(), func(ctx context.Context, n int) (int, error) {
					made.Add(1)
					return n, s.Call(ctx)
				}, numbers(2000), amorsize.WithPolicies(l))
				assert.NoError(t, err)
				assert.Equal(t, numbers(2000), results)
			})
		}
		for range 4 {
			group.Go(func() {
				for range 100 {
					assert.NoError(t, l.Do(t.Context(), s.Call))
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 4000, made.Load())
		settled := s.Timeline().After(500)
		settled.AssertGoodput(t, 0.95*8/mean.Seconds())
		require.Less(t, settled.MeanInFlight(), 16.0)
		require.Zero(t, l.Stats().InFlight)
	})
}

// With streams and batches, where a call is many items.
func TestWithStreamsAndBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := concurrency.MustNew(concurrency.Policy{Max: 2, Initial: 2})
		var inFlight, most atomic.Int64
		enter := func() {
			most.Store(max(most.Load(), inFlight.Add(1)))
			time.Sleep(mean)
			inFlight.Add(-1)
		}
		next := 0
		for r := range amorsize.Stream(t.Context(), func(_ context.Context, n int) (int, error) { enter(); return n, nil },
			func(yield func(int) bool) {
				for i := range 50 {
					if !yield(i) {
						return
					}
				}
			}, amorsize.WithPolicies(l)) {
			require.NoError(t, r.Err)
			require.Equal(t, next, r.Value)
			next++
		}
		require.Equal(t, 50, next)
		batches, err := amorsize.ExecuteBatches(t.Context(), func(_ context.Context, b []int) ([]int, error) { enter(); return b, nil },
			numbers(1000), amorsize.WithPolicies(l))
		require.NoError(t, err)
		require.Equal(t, numbers(1000), batches)
		require.LessOrEqual(t, most.Load(), int64(2))
	})
}

// With a retrier outside: who is refused comes back at a time of its own, each call is made
// once, and few tries are in vain.
func TestWithARetrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := concurrency.MustNew(concurrency.Policy{Max: 4, Initial: 4, OnLimit: concurrency.Reject})
		r := retry.MustNew(retry.Policy{MaxRetries: 3, InitialDelay: 10 * time.Millisecond})
		var made, refused atomic.Int64
		inner := concurrency.Wrap(l, func(context.Context, int) (int, error) {
			made.Add(1)
			time.Sleep(mean)
			return 1, nil
		})
		fn := retry.Wrap(r, counted(&refused, inner))
		start := time.Now()
		var group sync.WaitGroup
		for i := range 200 {
			group.Go(func() {
				_, err := fn(t.Context(), i)
				assert.NoError(t, err)
			})
		}
		group.Wait()
		require.EqualValues(t, 200, made.Load())
		t.Logf("%d refusals, %v", refused.Load(), time.Since(start))
		require.Less(t, refused.Load(), int64(1000))
	})
}

// counted is fn, whose refusals are counted; a policy of somebody else's, between two.
func counted(refused *atomic.Int64, fn func(context.Context, int) (int, error)) func(context.Context, int) (int, error) {
	return answer.Wrap(fn, func(ctx context.Context, item int, fn func(context.Context, int) (int, error)) (int, error) {
		result, err := fn(ctx, item)
		if errors.Is(err, concurrency.ErrFull) {
			refused.Add(1)
		}
		return result, err
	})
}

// A retrier within: a call in flight may be several attempts, which lower the limit once, by
// what came of them.
func TestWithARetrierWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := concurrency.MustNew(concurrency.Policy{Max: 4, Initial: 4})
		r := retry.MustNew(retry.Policy{MaxRetries: 2, InitialDelay: 10 * time.Millisecond})
		n := 0
		require.NoError(t, l.Do(t.Context(), func(ctx context.Context) error {
			return r.Do(ctx, func(context.Context) error {
				if n++; n < 3 {
					return errors.New("busy")
				}
				return nil
			})
		}))
		require.Equal(t, 4, l.Stats().Limit)
		require.Zero(t, l.Stats().InFlight)
	})
}

// With a rate limiter outside, the rate is kept, and waiting for it is no latency.
func TestWithARateLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 1})
		l := concurrency.MustNew(concurrency.Policy{})
		fn := ratelimit.Wrap(rate, concurrency.Wrap(l, func(context.Context, int) (int, error) {
			time.Sleep(mean)
			return 1, nil
		}))
		start := time.Now()
		_, err := amorsize.ExecuteContext(t.Context(), fn, numbers(500))
		require.NoError(t, err)
		require.InDelta(t, 4.99+mean.Seconds(), time.Since(start).Seconds(), 0.05)
		require.InDelta(t, mean.Seconds(), l.Stats().Latency.Seconds(), 0.001)
		require.GreaterOrEqual(t, l.Stats().Limit, 16, "a limit that bounds nothing stays as it is")
	})
}

// A refusal by a breaker, or by a limiter of another service, is no loss of this one.
func TestRefusalsWithin(t *testing.T) {
	l := concurrency.MustNew(concurrency.Policy{})
	b := circuitbreaker.MustNew(circuitbreaker.Policy{})
	b.Isolate()
	other := concurrency.MustNew(concurrency.Policy{Max: 1, OnLimit: concurrency.Reject})
	_, _ = other.TryAcquire()
	spent := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1, OnLimit: ratelimit.Reject})
	spent.TryAcquire()
	for range 100 {
		require.ErrorIs(t, l.Do(t.Context(), func(ctx context.Context) error {
			return b.Do(ctx, func(context.Context) error { return nil })
		}), circuitbreaker.ErrOpen)
		require.ErrorIs(t, l.Do(t.Context(), func(ctx context.Context) error {
			return other.Do(ctx, func(context.Context) error { return nil })
		}), concurrency.ErrFull)
		require.ErrorIs(t, l.Do(t.Context(), func(ctx context.Context) error {
			return spent.Do(ctx, func(context.Context) error { return nil })
		}), ratelimit.ErrExceeded)
	}
	require.Equal(t, 16, l.Stats().Limit)
}

// A breaker outside does not take a full limiter for a failure, nor lose a probe to it.
func TestWithABreakerOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := concurrency.MustNew(concurrency.Policy{Max: 1, OnLimit: concurrency.Reject})
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, OpenFor: time.Second, SuccessThreshold: 1})
		p, _ := l.TryAcquire()
		call := func() error {
			return b.Do(t.Context(), func(ctx context.Context) error {
				return l.Do(ctx, func(context.Context) error { return nil })
			})
		}
		for range 10 {
			require.ErrorIs(t, call(), concurrency.ErrFull)
		}
		require.Equal(t, circuitbreaker.Closed, b.State())
		require.Error(t, b.Do(t.Context(), func(context.Context) error { return errors.New("down") }))
		time.Sleep(time.Second)
		require.ErrorIs(t, call(), concurrency.ErrFull) // the probe
		p.Cancel()
		require.NoError(t, call())
		require.Equal(t, circuitbreaker.Closed, b.State())
	})
}

// Keys are apart, and one whose calls are in flight is not forgotten.
func TestKeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := concurrency.MustNewKeyed[int](concurrency.Policy{Max: 1, OnLimit: concurrency.Reject}, 2)
		first, err := k.Acquire(t.Context(), 1)
		require.NoError(t, err)
		second, ok := k.TryAcquire(2)
		require.True(t, ok)
		_, ok = k.TryAcquire(1)
		require.False(t, ok)
		_, err = k.Acquire(t.Context(), 3)
		var full *concurrency.TooManyKeysError
		require.ErrorAs(t, err, &full)
		require.ErrorIs(t, err, concurrency.ErrTooManyKeys)
		require.Equal(t, 2, full.Keys)
		_, ok = k.TryAcquire(3)
		require.False(t, ok)
		second.Done(nil)
		require.NoError(t, k.Do(t.Context(), 3, func(context.Context) error { return nil }))
		require.Equal(t, 2, k.Len())
		require.Equal(t, 1, k.Stats(1).InFlight)
		first.Done(nil)

		time.Sleep(11 * time.Minute)
		require.NoError(t, k.Do(t.Context(), 4, func(context.Context) error { return nil }))
		require.Equal(t, 1, k.Len(), "what nobody has used for ten minutes is dropped")

		fn := concurrency.WrapKeyed(k, func(n int) int { return n % 2 }, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		got, err := fn(t.Context(), 21)
		require.NoError(t, err)
		require.Equal(t, 42, got)
	})
}

func TestKeyNotEqualToItself(t *testing.T) {
	k := concurrency.MustNewKeyed[float64](concurrency.Policy{}, 0)
	nan := 0.0
	nan /= nan
	_, err := k.Acquire(t.Context(), nan)
	require.ErrorIs(t, err, concurrency.ErrInvalid)
	require.Panics(t, func() { concurrency.MustNewKeyed[int](concurrency.Policy{}, -1) })
}
