package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
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

		deaf := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, IgnoreFeedback: true})
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
		assert.Greater(t, time.Since(start), 30*time.Second, "spread above it")
		assert.LessOrEqual(t, time.Since(start), 33*time.Second)
	})
}

// One token that is left is no reason to pause, and less than one is.
func TestOneRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 10)
		for _, ignored := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 10, 1e300} {
			l.Remaining(ignored, time.Second)
			require.EqualValues(t, 10, l.AvailableTokens(), ignored)
		}
		l.Remaining(3, -1)
		require.EqualValues(t, 10, l.AvailableTokens())
		l.Remaining(3, 0)
		require.EqualValues(t, 3, l.AvailableTokens())
		l.Remaining(1.5, time.Hour)
		require.EqualValues(t, 1.5, l.AvailableTokens())
		l.Remaining(1, time.Hour)
		require.True(t, l.TryAcquire())
		l.Remaining(0.999, time.Hour)
		time.Sleep(ratelimit.DefaultMaxPause - 1)
		require.False(t, l.TryAcquire())
	})
}

// An answer is heeded as long as MaxPause allows.
func TestMaxPause(t *testing.T) {
	for _, adapt := range []*ratelimit.Adapt{nil, {}} {
		synctest.Test(t, func(t *testing.T) {
			l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, MaxPause: 10 * time.Second, Adapt: adapt})
			l.Feedback(busy(time.Hour))
			time.Sleep(10*time.Second - 1)
			assert.False(t, l.TryAcquire())
			time.Sleep(time.Second + 1)
			assert.True(t, l.TryAcquire(), "a tenth later at the latest")
			l.Feedback(busy(1))
			assert.False(t, l.TryAcquire(), "for a nanosecond")
			assert.EqualValues(t, 10, l.Rate(), "it is no reason to slow down")
		})
	}
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
