package amorsizetest_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/internal/scenarios"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

const ms = time.Millisecond

// call makes a function of the engine of a service.
func call(s *amorsizetest.Service) func(context.Context, int) (int, error) {
	return func(ctx context.Context, i int) (int, error) { return i, s.Call(ctx) }
}

// batch runs so many calls of a service in virtual time, settling nothing.
func batch(t *testing.T, seed uint64, c amorsizetest.Conditions, calls int, opts ...amorsize.Option) (tl amorsizetest.Timeline, report amorsize.Report) {
	synctest.Test(t, func(t *testing.T) {
		service := amorsizetest.New(c, seed)
		_, err := amorsize.ExecuteContext(t.Context(), call(service), make([]int, calls), append(opts, amorsize.WithReport(&report))...)
		require.NoError(t, err)
		tl = service.Timeline()
	})
	return tl, report
}

// A limit on the rate is no latency: no more calls in flight than it feeds.
func TestOwnRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 500, BurstSize: 1})
		service := amorsizetest.New(amorsizetest.Conditions{Latency: amorsizetest.Lognormal(20*ms, 0.5)}, 1)
		var report amorsize.Report
		_, err := amorsize.ExecuteContext(t.Context(), call(service), make([]int, 4000), amorsize.WithPolicies(limiter), amorsize.WithReport(&report))
		require.NoError(t, err)
		tl := service.Timeline()
		tl.AssertGoodput(t, 0.99*500)
		require.LessOrEqual(t, tl.MeanInFlight(), 1.5*10.0)
		require.Equal(t, amorsize.BoundByPolicies, report.Bound, report.Explain())
		require.LessOrEqual(t, report.PeakWorkers, 80, report.Explain())
		require.InDelta(t, 20, report.Latency.Base.Seconds()*1000, 4, "waiting is not latency: %s", report.Explain())
	})
}

// The same limit, known only by being refused. The retrier makes up for it.
// Goroutines are not scheduled the same way twice: the median of five seeds counts.
func TestRateLimitLearnedFromRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		after bool
		least float64
	}{{"429", false, 0.97}, {"429 with Retry-After", true, 0.98}} {
		t.Run(c.name, func(t *testing.T) {
			var goodput, lost []float64
			for seed := range uint64(5) {
				retrier := retry.MustNew(retry.Policy{MaxRetries: 50, InitialDelay: 20 * ms, MaxDelay: 100 * ms})
				tl, _ := batch(t, seed, amorsizetest.Conditions{
					Rate: 500, Burst: 10, Latency: amorsizetest.Lognormal(20*ms, 0.1), Refusal: ms, RetryAfter: c.after,
				}, 4000, amorsize.WithPolicies(retrier))
				goodput, lost = append(goodput, tl.Goodput()/500), append(lost, tl.Lost())
			}
			slices.Sort(goodput)
			slices.Sort(lost)
			t.Logf("goodput %.3f, lost %.4f", goodput, lost)
			require.GreaterOrEqual(t, goodput[len(goodput)/2], c.least-scheduling)
			require.LessOrEqual(t, lost[len(lost)/2], 0.03)
		})
	}
}

// Services without limit, from cold.
func TestUnlimited(t *testing.T) {
	for _, c := range []struct {
		calls int
		most  time.Duration
	}{{100, 300 * ms}, {1000, 500 * ms}, {10_000, 900 * ms}} {
		tl, report := batch(t, 1, amorsizetest.Conditions{Latency: amorsizetest.Constant(100 * ms)}, c.calls)
		require.LessOrEqual(t, tl.Until, c.most, "%d calls\n%s", c.calls, report.Explain())
		require.Equal(t, amorsize.BoundByItems, report.Bound)
	}
}

// What calls hold of memory bounds how many are in flight.
func TestMemoryBound(t *testing.T) {
	const each, limit = 256 << 10, 64 << 20
	synctest.Test(t, func(t *testing.T) {
		service := amorsizetest.New(amorsizetest.Conditions{Latency: amorsizetest.Constant(100 * ms)}, 1)
		var report amorsize.Report
		_, err := amorsize.ExecuteContext(t.Context(), func(ctx context.Context, i int) (int, error) {
			held := make([]byte, each)
			err := service.Call(ctx)
			runtime.KeepAlive(held)
			return i, err
		}, make([]int, 10_000), amorsize.WithMemoryLimit(limit), amorsize.WithReport(&report))
		require.NoError(t, err)
		service.Timeline().AssertInFlight(t, limit/each)
		require.Equal(t, amorsize.BoundByMemory, report.Bound, report.Explain())
		require.Greater(t, report.MeanWorkers, 0.5*limit/each, report.Explain())
	})
}

// Half of the calls compute for a millisecond on one of two cores, half wait for
// five: near cores + the waiting share.
func TestMixedWork(t *testing.T) {
	mixed := func(opts ...amorsize.Option) (took time.Duration, report amorsize.Report) {
		synctest.Test(t, func(t *testing.T) {
			cores := amorsizetest.New(amorsizetest.Conditions{Slots: 2, Latency: amorsizetest.Constant(ms)}, 1)
			waits := amorsizetest.New(amorsizetest.Conditions{Latency: amorsizetest.Constant(5 * ms)}, 2)
			items := make([]int, 8000)
			for i := range items {
				items[i] = i * 7919 % 2
			}
			start := time.Now()
			_, err := amorsize.ExecuteContext(t.Context(), func(ctx context.Context, i int) (int, error) {
				if i == 0 {
					return 0, cores.Call(ctx)
				}
				return 0, waits.Call(ctx)
			}, items, append(opts, amorsize.WithReport(&report))...)
			require.NoError(t, err)
			took = time.Since(start)
		})
		return took, report
	}
	best := time.Hour
	for _, n := range []int{4, 6, 8, 12, 16, 24, 32, 64} {
		took, _ := mixed(amorsize.WithWorkers(n))
		best = min(best, took)
	}
	took, report := mixed()
	require.GreaterOrEqual(t, best.Seconds()/took.Seconds(), 0.93, report.Explain())
}

// A service that dies: the results so far and the cause, at once.
func TestDeadService(t *testing.T) {
	for _, outage := range []amorsizetest.Outage{amorsizetest.Refusing, amorsizetest.Hanging} {
		synctest.Test(t, func(t *testing.T) {
			const died, patience = time.Second, 100 * ms
			service := amorsizetest.New(amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Lognormal(20*ms, 0.5)}, 1)
			service.At(died, amorsizetest.Conditions{Outage: outage, Refusal: ms})
			var report amorsize.Report
			start := time.Now()
			out, err := amorsize.ExecuteContext(t.Context(), func(ctx context.Context, i int) (int, error) {
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				return i + 1, service.Call(ctx)
			}, make([]int, 100_000), amorsize.WithReport(&report))
			require.Error(t, err)
			require.LessOrEqual(t, time.Since(start), died+patience+20*ms, "promptly")
			if outage == amorsizetest.Refusing {
				refused, ok := errors.AsType[*amorsizetest.RefusedError](err)
				require.True(t, ok)
				require.Equal(t, amorsizetest.Unavailable, refused.Reason)
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			require.Greater(t, report.Succeeded, 600)
			for i, v := range out {
				require.Equal(t, report.Valid(i), v != 0)
			}
			dead := service.Timeline().Between(died, time.Hour)
			require.LessOrEqual(t, len(dead.Ended), 48, "calls that reached the dead service")
			service.At(2*died, amorsizetest.Conditions{}) // lets hanging calls go
		})
	}
}

// Collecting failures, a run goes on against a dead service, but carefully, and is back soon
// after it: also where its calls end together, each time, and it tells of them.
func TestDeadServiceCollecting(t *testing.T) {
	for range scenarios.Fewer(20) {
		synctest.Test(t, func(t *testing.T) {
			service := amorsizetest.New(amorsizetest.Conditions{Slots: 64, Latency: amorsizetest.Constant(20 * ms)}, 1)
			service.At(time.Second, amorsizetest.Conditions{Outage: amorsizetest.Refusing, Refusal: 20 * ms})
			service.At(3*time.Second, amorsizetest.Conditions{Slots: 64, Latency: amorsizetest.Constant(20 * ms)})
			var report amorsize.Report
			_, err := amorsize.ExecuteContext(t.Context(), call(service), make([]int, 12_000),
				amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&report))
			require.Error(t, err)
			dead := service.Timeline().Between(1300*ms, 3*time.Second)
			require.LessOrEqual(t, dead.MeanInFlight(), 3.0)
			back := service.Timeline().Between(4500*ms, 5*time.Second)
			back.AssertGoodput(t, 0.85*3200)
		})
	}
}

// Runs of an engine at the same time share one limit, and what they learn stays.
func TestEngineSharesTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := amorsizetest.New(amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Lognormal(20*ms, 0.2)}, 1)
		engine, err := amorsize.New(call(service))
		require.NoError(t, err)
		_, known := engine.Plan()
		require.False(t, known)

		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				_, err := engine.Run(t.Context(), make([]int, 1600))
				require.NoError(t, err)
			})
		}
		group.Wait()
		ended := service.Timeline().Until
		settled := service.Timeline().Between(ended/4, ended)
		settled.AssertGoodput(t, 0.93*800)
		require.LessOrEqual(t, settled.MeanInFlight(), 48.0, "one limit for all: five would have 90")
		stats := engine.Stats()
		require.Equal(t, 5, stats.Runs)
		require.Zero(t, stats.Active)
		require.Zero(t, stats.InFlight)
		require.EqualValues(t, 8000, stats.Items)
		require.InDelta(t, 20, stats.Base.Seconds()*1000, 20)
		plan, known := engine.Plan()
		require.True(t, known)
		require.Equal(t, amorsize.IOBound, plan.Workload)

		_, err = engine.Run(t.Context(), make([]int, 800))
		require.NoError(t, err)
		next := service.Timeline().Between(ended, ended+ms/2)
		require.GreaterOrEqual(t, next.MostInFlight(), 10, "from the first instant as many as were learned")

		n := 0
		for r := range engine.Stream(t.Context(), func(yield func(int) bool) {
			for i := range 400 {
				if !yield(i) {
					return
				}
			}
		}) {
			require.NoError(t, r.Err)
			n++
		}
		require.Equal(t, 400, n)
	})
}

// Bounds on the workers are bounds on the calls in flight.
func TestBounds(t *testing.T) {
	c := amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Constant(20 * ms)}
	tl, report := batch(t, 1, c, 2000, amorsize.WithMaxWorkers(8))
	tl.AssertInFlight(t, 8)
	require.Equal(t, amorsize.BoundByCaller, report.Bound, report.Explain())
	tl, _ = batch(t, 1, c, 4000, amorsize.WithMinWorkers(40))
	require.GreaterOrEqual(t, tl.Between(time.Second, 4*time.Second).MeanInFlight(), 39.0)
	var bases []float64 // of which one in some hundreds is half again as long: the middle one counts
	for range 3 {
		tl, report = batch(t, 1, c, 2000)
		require.Equal(t, amorsize.BoundByService, report.Bound, report.Explain())
		require.NotZero(t, tl.Goodput())
		bases = append(bases, report.Latency.Base.Seconds()*1000)
	}
	slices.Sort(bases)
	require.InDelta(t, 20, bases[1], 8)
	require.GreaterOrEqual(t, report.Latency.P99, report.Latency.P50)
	require.NotEmpty(t, report.Timeline)
}
