package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

// busy is an answer of a service to come back later.
type busy time.Duration

func (b busy) Error() string             { return fmt.Sprintf("busy for %v", time.Duration(b)) }
func (b busy) RetryAfter() time.Duration { return time.Duration(b) }

// refused is the error of a policy that did not make the call.
type refused time.Duration

func (r refused) Error() string          { return "refused" }
func (r refused) Refused() time.Duration { return time.Duration(r) }

func returns(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func TestRetryAfterPausesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 10, 10)
		start := time.Now()
		var wg sync.WaitGroup
		var at list[time.Duration]
		for range 5 {
			wg.Go(func() {
				assert.NoError(t, l.Acquire(t.Context()))
				at.add(time.Since(start))
			})
		}
		synctest.Wait()
		l.Feedback(fmt.Errorf("call: %w", busy(time.Minute)))
		wg.Wait()
		first := at.all[0]
		assert.GreaterOrEqual(t, first, time.Minute)
		assert.LessOrEqual(t, first, 66*time.Second, "a tenth more at the most")

		start = time.Now()
		require.ErrorIs(t, l.Do(t.Context(), returns(busy(24*time.Hour))), busy(24*time.Hour))
		require.NoError(t, l.Acquire(t.Context()))
		assert.LessOrEqual(t, time.Since(start), ratelimit.DefaultMaxPause*11/10+100*time.Millisecond, "capped")

		l.Reset()
		l.Feedback(errors.New("any other"))
		l.Feedback(busy(0))
		l.Feedback(nil)
		assert.EqualValues(t, 10, l.AvailableTokens())

		deaf := ratelimit.MustNew(ratelimit.Policy{IgnoreFeedback: true})
		require.Error(t, deaf.Do(t.Context(), returns(busy(time.Hour))))
		deaf.Feedback(busy(time.Hour))
		deaf.Remaining(0, time.Hour)
		assert.True(t, deaf.TryAcquireN(9))
	})
}

func TestRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 10)
		l.Remaining(20, time.Second)
		l.Remaining(-1, time.Second)
		assert.EqualValues(t, 10, l.AvailableTokens())
		l.Remaining(3, time.Second)
		assert.EqualValues(t, 3, l.AvailableTokens())
		l.Remaining(5, time.Second)
		assert.EqualValues(t, 3, l.AvailableTokens(), "tokens are only dropped")
		start := time.Now()
		l.Remaining(0, 30*time.Second)
		require.NoError(t, l.Acquire(t.Context()))
		assert.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestRefusedCallsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 1, 2)
		other := limiter(t, 1, 2)
		for range 10 {
			require.Error(t, l.Do(t.Context(), returns(fmt.Errorf("call: %w", refused(0)))))
			require.Error(t, ratelimit.All(l, other).Do(t.Context(), returns(refused(0))))
			_, err := ratelimit.Call(t.Context(), l, func(context.Context) (int, error) { return 0, refused(0) })
			require.Error(t, err)
		}
		assert.EqualValues(t, 2, l.AvailableTokens())
		assert.EqualValues(t, 2, other.AvailableTokens())
	})
}

// A service that takes so many per second and says no more than "too many": the
// limiter finds the rate, keeps near it, and is refused seldom.
func TestAdapt(t *testing.T) {
	for _, takes := range []float64{3, 50, 2000} {
		t.Run(fmt.Sprint(takes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := limiter(t, takes, 5)
				l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: min(10, takes), Adapt: &ratelimit.Adapt{Floor: 1}})
				var calls, refusals int
				var mu sync.Mutex
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var wg sync.WaitGroup
				for range 32 {
					wg.Go(func() {
						for err := error(nil); !errors.Is(err, context.DeadlineExceeded); {
							err = l.Do(ctx, func(context.Context) error {
								ok := service.TryAcquire()
								time.Sleep(10 * time.Millisecond)
								mu.Lock()
								defer mu.Unlock()
								calls++
								if !ok {
									refusals++
									return busy(0)
								}
								return nil
							})
						}
					})
				}
				wg.Wait()
				good := float64(calls-refusals) / 60
				t.Logf("%.3g per second of %g, %d of %d refused", good, takes, refusals, calls)
				assert.Greater(t, good, 0.75*takes)
				assert.Less(t, float64(refusals), 0.05*float64(calls)+3)
			})
		})
	}
}

func TestAdaptKeepsItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, Adapt: &ratelimit.Adapt{
			Floor: 40, Ceiling: 150, Decrease: 0.5, Throttled: func(err error) bool { return err.Error() == "slow down" },
		}})
		assert.EqualValues(t, 1, l.Burst())
		for range 1000 {
			require.NoError(t, l.Do(t.Context(), returns(nil)))
		}
		assert.EqualValues(t, 150, l.Rate())
		for range 5 {
			time.Sleep(time.Second)
			require.Error(t, l.Do(t.Context(), returns(errors.New("slow down"))))
			require.Error(t, l.Do(t.Context(), returns(errors.New("any other"))))
		}
		assert.EqualValues(t, 40, l.Rate())
		time.Sleep(time.Hour)
		require.NoError(t, l.Do(t.Context(), returns(nil)))
		assert.EqualValues(t, 40, l.Rate(), "nobody pressed against it")
	})
}

func TestAllOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second, hour := limiter(t, 10, 2), drained(t, 1, 3)
		g := ratelimit.All(second, hour)
		start := time.Now()
		assert.False(t, g.TryAcquire())
		done := make(chan error)
		go func() { done <- g.Acquire(t.Context()) }()
		synctest.Wait()
		assert.EqualValues(t, 2, second.AvailableTokens(), "none is held meanwhile")
		require.NoError(t, <-done)
		assert.Equal(t, time.Second, time.Since(start))
		assert.EqualValues(t, 1, second.AvailableTokens())
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, g.Acquire(ctx), ratelimit.ErrWouldExceedDeadline)
		require.NoError(t, g.AcquireEach(t.Context(), 0.5, 2))
		assert.Equal(t, 3*time.Second, time.Since(start))
		assert.EqualValues(t, 1.5, second.AvailableTokens())
		require.NoError(t, g.AcquireEach(t.Context(), 12, 1), "above what a bucket holds")
		assert.Equal(t, 4050*time.Millisecond, time.Since(start))
		require.NoError(t, g.Do(t.Context(), returns(nil)))
		require.ErrorIs(t, g.Do(t.Context(), nil), ratelimit.ErrInvalid)
	})
}

// Many calls under two limits, and others under one of them: nobody starves, and
// both limits are used up.
func TestGroupShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := limiter(t, 10, 1), limiter(t, 10, 3)
		g := ratelimit.All(a, b)
		start := time.Now()
		var wg sync.WaitGroup
		var alone, both atomic.Int32
		for range 20 {
			wg.Go(func() {
				for range 5 {
					assert.NoError(t, g.Acquire(t.Context()))
					both.Add(1)
				}
			})
		}
		wg.Go(func() {
			for range 50 {
				assert.NoError(t, a.Acquire(t.Context()))
				alone.Add(1)
			}
		})
		wg.Wait()
		assert.EqualValues(t, 150, alone.Load()+both.Load())
		assert.Less(t, time.Since(start), 16*time.Second)
	})
}

func TestGroupCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := limiter(t, 1, 2), drained(t, 1, 1)
		g := ratelimit.All(a, b)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { assert.ErrorIs(t, g.AcquireEach(ctx, 5), context.Canceled) })
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		time.Sleep(10 * time.Second)
		assert.EqualValues(t, 2, a.AvailableTokens())
		assert.True(t, g.TryAcquire())
	})
}

func TestKeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1}, 3)
		start := time.Now()
		for _, key := range []string{"a", "b", "a"} {
			require.NoError(t, k.Acquire(t.Context(), key))
		}
		assert.Equal(t, time.Second, time.Since(start))
		assert.False(t, k.TryAcquire("a"))
		require.NoError(t, k.AcquireN(t.Context(), "b", 1))
		assert.True(t, k.TryAcquire("c"))
		require.ErrorIs(t, k.Acquire(t.Context(), "d"), ratelimit.ErrTooManyKeys)
		assert.False(t, k.TryAcquire("d"))
		time.Sleep(time.Second)
		require.NoError(t, k.Do(t.Context(), "d", returns(nil)))
		assert.LessOrEqual(t, k.Len(), 3)
		got, err := ratelimit.WrapKeyed(k, func(s string) string { return s[:1] }, func(_ context.Context, s string) (int, error) { return len(s), nil })(t.Context(), "dora")
		require.NoError(t, err)
		assert.Equal(t, 4, got)
		assert.Panics(t, func() { ratelimit.MustNewKeyed[int](ratelimit.Policy{}, -1) })
	})
}

// Many keys take no more memory than those used within the time it takes to
// fill a bucket.
func TestManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1}, 0)
		most := 0
		for key := range 200_000 {
			if key%100 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			if !k.TryAcquire(key) {
				t.Fatal("a new key")
			}
			most = max(most, k.Len())
		}
		assert.Less(t, most, 1300) // 1000 are used in the 0.1 s that a bucket takes
	})
}
