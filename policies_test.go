package amorsize_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

var errService = errors.New("out of order")

// guards are the three policies, with what they have of capacity.
type guards struct {
	limiter *ratelimit.Limiter
	breaker *circuitbreaker.Breaker
	rated   *circuitbreaker.Breaker
	retrier *retry.Retrier
	timed   *retry.Retrier
	group   *ratelimit.Group
}

func newGuards() guards {
	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 5})
	return guards{
		limiter: l,
		breaker: circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 100, HalfOpenProbes: 2, SuccessThreshold: 1, OpenFor: time.Hour}),
		rated: circuitbreaker.MustNew(circuitbreaker.Policy{
			FailureThreshold: 100, FailureRate: 0.99, SlowCall: time.Minute, SlowCallRate: 0.99, MinimumCalls: 1000,
			HalfOpenProbes: 2, SuccessThreshold: 1, OpenFor: time.Hour, WhenOpen: circuitbreaker.Wait, MaxWait: time.Minute,
		}),
		retrier: retry.MustNew(retry.Policy{MaxRetries: 1}),
		timed:   retry.MustNew(retry.Policy{MaxRetries: 1, AttemptTimeout: time.Minute, MaxElapsed: time.Hour, Budget: retry.MustNewBudget(retry.BudgetPolicy{})}),
		group:   ratelimit.All(l, ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 5})),
	}
}

// full asserts that everything is as before, once the tokens that were taken have
// come again.
func (g guards) full(t *testing.T) {
	t.Helper()
	synctest.Wait()
	time.Sleep(time.Minute)
	for range 5 {
		assert.True(t, g.limiter.TryAcquire())
	}
	assert.False(t, g.limiter.TryAcquire())
	for _, b := range []*circuitbreaker.Breaker{g.breaker, g.rated} {
		c := b.Counts()
		assert.Zero(t, c.Probes)
		assert.Zero(t, c.Waiting)
		if b.State() == circuitbreaker.Open { // a probe has failed
			time.Sleep(time.Hour)
		}
		assert.NoError(t, b.Do(t.Context(), func(context.Context) error { return nil }))
		assert.Equal(t, circuitbreaker.Closed, b.State())
	}
}

// Whatever a call does, under each policy and all of them, capacity is as before.
func TestOutcomes(t *testing.T) {
	calls := map[string]func(context.CancelFunc) error{
		"ok":            func(context.CancelFunc) error { return nil },
		"error":         func(context.CancelFunc) error { return errService },
		"panic":         func(context.CancelFunc) error { panic("boom") },
		"panic(nil)":    func(context.CancelFunc) error { panic(nil) },
		"Goexit":        func(context.CancelFunc) error { runtime.Goexit(); return nil },
		"cancel during": func(cancel context.CancelFunc) error { cancel(); return context.Canceled },
		"cancel before": nil,
		"own deadline":  func(context.CancelFunc) error { time.Sleep(time.Second); return context.DeadlineExceeded },
	}
	chains := map[string]func(guards) []amorsize.Policy{
		"limiter": func(g guards) []amorsize.Policy { return []amorsize.Policy{g.limiter} },
		"group":   func(g guards) []amorsize.Policy { return []amorsize.Policy{g.group} },
		"retrier": func(g guards) []amorsize.Policy { return []amorsize.Policy{g.retrier} },
		"breaker": func(g guards) []amorsize.Policy { return []amorsize.Policy{g.breaker} },
		"rated":   func(g guards) []amorsize.Policy { return []amorsize.Policy{g.rated} },
		"timed":   func(g guards) []amorsize.Policy { return []amorsize.Policy{g.timed, g.rated} },
		"all":     func(g guards) []amorsize.Policy { return []amorsize.Policy{g.retrier, g.breaker, g.limiter} },
		"others":  func(g guards) []amorsize.Policy { return []amorsize.Policy{g.limiter, g.retrier, g.breaker} },
	}
	for callName, call := range calls {
		for chainName, policies := range chains {
			for _, halfOpen := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%v", callName, chainName, halfOpen), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						g := newGuards()
						if halfOpen {
							for range 100 {
								_ = g.breaker.Do(t.Context(), func(context.Context) error { return errService })
								_ = g.rated.Do(t.Context(), func(context.Context) error { return errService })
							}
							time.Sleep(time.Hour)
						}
						ctx, cancel := context.WithCancel(t.Context())
						switch callName {
						case "cancel before":
							cancel()
						case "own deadline":
							cancel()
							ctx, cancel = context.WithTimeout(t.Context(), time.Second)
						}
						do := func(context.Context) error { return call(cancel) }
						for _, p := range policies(g) {
							inner := do
							do = func(ctx context.Context) error { return p.Do(ctx, inner) }
						}
						var wg sync.WaitGroup
						for range 3 {
							wg.Go(func() {
								defer func() { _ = recover() }()
								err := do(ctx)
								if callName == "cancel before" {
									assert.ErrorIs(t, err, context.Canceled)
								}
							})
						}
						wg.Wait()
						cancel()
						g.full(t)
					})
				})
			}
		}
	}
}

// Each attempt takes its own token, the breaker sees attempts, and calls that were
// refused cost neither a token nor a retry.
func TestComposition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 10})
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 4, OpenFor: 5 * time.Second, SuccessThreshold: 1})
		retrier := retry.MustNew(retry.Policy{MaxRetries: 1, InitialDelay: time.Millisecond, Jitter: retry.JitterNone})
		var calls []time.Duration
		start := time.Now()
		items := []int{0, 1, 2}
		var report amorsize.Report
		out, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
			calls = append(calls, time.Since(start))
			if len(calls) <= 4 {
				return 0, errService
			}
			return i + 1, nil
		}, items, amorsize.WithPolicies(retrier, breaker, limiter), amorsize.WithWorkers(1), amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&report))
		// Items 0 and 1 fail twice each, which opens the breaker. Item 2 waits until
		// it is half-open, and then succeeds at once.
		var errs *amorsize.Errors
		require.ErrorAs(t, err, &errs)
		require.Len(t, errs.Unwrap(), 2)
		for _, e := range errs.Unwrap() {
			var item *amorsize.ItemError
			require.ErrorAs(t, e, &item)
			assert.Equal(t, 2, item.Attempts)
			require.ErrorIs(t, e, retry.ErrExhausted)
			require.ErrorIs(t, e, errService)
		}
		assert.Equal(t, []int{0, 0, 3}, out)
		assert.Equal(t, []time.Duration{0, time.Millisecond, time.Millisecond, 2 * time.Millisecond, 5002 * time.Millisecond}, calls)
		assert.EqualValues(t, 9, limiter.AvailableTokens(), "five tokens, and those came again")
	})
}

// The service never sees more than the rate, whatever a breaker that closes or
// backoffs that end release at once.
func TestRateHoldsThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 5})
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{OpenFor: 500 * time.Millisecond, WhenOpen: circuitbreaker.Wait})
		retrier := retry.MustNew(retry.Policy{MaxRetries: retry.Unlimited, MaxDelay: time.Second})
		start := time.Now()
		var mu sync.Mutex
		var calls []time.Duration
		_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
			at := time.Since(start)
			mu.Lock()
			calls = append(calls, at)
			mu.Unlock()
			time.Sleep(20 * time.Millisecond)
			if at > time.Second && at < 3*time.Second {
				return 0, errService
			}
			return i, nil
		}, make([]int, 500), amorsize.WithPolicies(retrier, breaker, limiter), amorsize.WithWorkers(50))
		require.NoError(t, err)
		for i := range calls {
			for j := i; j < len(calls); j++ {
				if most := 5 + int((calls[j]-calls[i])*100/time.Second); j-i+1 > most {
					require.LessOrEqual(t, j-i+1, most)
				}
			}
		}
	})
}

// Outage drill: 10 000 items, the service down for 2 s after item 1000. A breaker
// that waits, and retries, lose nothing, and next to no call reaches the dead service.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 3, OpenFor: 400 * time.Millisecond, WhenOpen: circuitbreaker.Wait})
		retrier := retry.MustNew(retry.Policy{})
		var served, dead atomic.Int64
		var downAt atomic.Int64
		start := time.Now()
		items := make([]int, 10_000)
		for i := range items {
			items[i] = i
		}
		out, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
			now := int64(time.Since(start)) + 1
			if served.Load() >= 1000 {
				downAt.CompareAndSwap(0, now)
			}
			if at := downAt.Load(); at > 0 && now < at+int64(2*time.Second) {
				dead.Add(1)
				return 0, errService
			}
			time.Sleep(time.Millisecond)
			served.Add(1)
			return i * i, nil
		}, items, amorsize.WithPolicies(retrier, breaker), amorsize.WithMaxWorkers(8))
		require.NoError(t, err)
		for i, v := range out {
			require.Equal(t, i*i, v)
		}
		assert.Less(t, dead.Load(), int64(20))
		assert.GreaterOrEqual(t, time.Since(start), 2*time.Second)
		t.Logf("%d calls reached the dead service", dead.Load())
	})
}

// Waiting for a token is not taken for the items' own time.
func TestSampleLeavesWaitingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1})
		plan, err := amorsize.Optimize(t.Context(), func(_ context.Context, i int) (int, error) {
			time.Sleep(3 * time.Millisecond)
			return i, nil
		}, make([]int, 100), amorsize.WithPolicies(limiter), amorsize.WithSampleSize(20))
		require.NoError(t, err)
		assert.InDelta(t, 3*time.Millisecond, plan.Sample.ItemNanos, 1e5)
		assert.Equal(t, 20, plan.Sample.Items)
	})
}

// Nor is it when the run finds out only later that its calls take long.
func TestPlanLeavesWaitingOut(t *testing.T) {
	for _, own := range []time.Duration{time.Microsecond, time.Millisecond, 20 * time.Millisecond, 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 50, BurstSize: 1})
			var report amorsize.Report
			start := time.Now()
			_, err := amorsize.ExecuteContext(t.Context(), func(context.Context, int) (int, error) {
				time.Sleep(own)
				return 0, nil
			}, make([]int, 500), amorsize.WithPolicies(limiter), amorsize.WithReport(&report))
			require.NoError(t, err)
			assert.InDelta(t, float64(own), report.Plan.Sample.ItemNanos, 0.1*float64(own), "%v: %v", own, report.Plan)
			assert.GreaterOrEqual(t, time.Since(start), 499*20*time.Millisecond)
			assert.Less(t, time.Since(start), 499*20*time.Millisecond+2*own+50*time.Millisecond, "the limit is used up")
		})
	}
}

// Policies cost no allocation per item.
func TestPoliciesAllocateNothingPerItem(t *testing.T) {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e10})
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{})
	retrier := retry.MustNew(retry.Policy{})
	allocs := func(n int) float64 {
		items := make([]int, n)
		return testing.AllocsPerRun(5, func() {
			_, err := amorsize.Execute(func(i int) (int, error) { return i, nil }, items, amorsize.WithPolicies(retrier, breaker, limiter), amorsize.WithWorkers(2))
			assert.NoError(t, err)
		})
	}
	// A run that takes longer is reviewed more often: what an item allocates would be 1 at least.
	assert.InDelta(t, 0, (allocs(100_000)-allocs(1000))/99_000, 0.01)
}

func BenchmarkPolicies(b *testing.B) {
	ctx := b.Context()
	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e10})
	r := retry.MustNew(retry.Policy{})
	c := circuitbreaker.MustNew(circuitbreaker.Policy{})
	call := func(context.Context) error { return nil }
	for name, p := range map[string]amorsize.Policy{"limiter": l, "retrier": r, "breaker": c} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Do(ctx, call)
			}
		})
	}
}

// An attempt that ran out of time in a limiter's line has failed, and is made again.
func TestAttemptTimeoutInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 1})
		retrier := retry.MustNew(retry.Policy{AttemptTimeout: 100 * time.Millisecond, MaxRetries: 20})
		_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) { return i, nil },
			make([]int, 300), amorsize.WithPolicies(retrier, limiter), amorsize.WithWorkers(40))
		require.NoError(t, err)
	})
}

// A policy that is a nil pointer is what a constructor returned beside its error: it is refused before any item runs.
func TestPolicyOfAnErrorThatNobodyLookedAt(t *testing.T) {
	limiter, err := ratelimit.New(ratelimit.Policy{RequestsPerSecond: -5})
	require.Error(t, err)
	hosts, err := ratelimit.NewKeyed[string](ratelimit.Policy{RequestsPerSecond: -5}, 0)
	require.Error(t, err)
	for _, policy := range []amorsize.Policy{limiter, amorsize.ByKey(hosts, strconv.Itoa)} {
		_, err = amorsize.Execute(func(int) (int, error) { t.Error("no item runs"); return 0, nil }, []int{1, 2}, amorsize.WithPolicies(policy))
		require.ErrorIs(t, err, amorsize.ErrConfig)
		require.ErrorContains(t, err, "WithPolicies[0]")
	}
}
