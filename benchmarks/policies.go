package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/failsafe-go/failsafe-go"
	failsafebreaker "github.com/failsafe-go/failsafe-go/circuitbreaker"
	failsafelimiter "github.com/failsafe-go/failsafe-go/ratelimiter"
	failsaferetry "github.com/failsafe-go/failsafe-go/retrypolicy"
	juju "github.com/juju/ratelimit"
	"github.com/sony/gobreaker/v2"
	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// gcra is the oracle of limiters: a token bucket in one word, written by hand.
type gcra struct {
	tat         atomic.Int64
	cost, depth int64
}

var gcraBase = time.Now()

func (g *gcra) take() bool {
	now := int64(time.Since(gcraBase))
	for {
		tat := g.tat.Load()
		next := max(tat, now) + g.cost
		if next-now > g.depth {
			return false
		}
		if g.tat.CompareAndSwap(tat, next) {
			return true
		}
	}
}

// guard is the oracle of a retrier and a breaker: what must be looked at, inline.
type guard struct {
	open     atomic.Bool
	failures atomic.Int64
}

func (g *guard) do(ctx context.Context, call func(context.Context) error) error {
	if ctx.Err() != nil || g.open.Load() {
		return ctx.Err()
	}
	err := call(ctx)
	if err != nil || g.failures.Load() != 0 {
		g.failures.Add(1)
	}
	return err
}

func succeed(context.Context) error { return nil }

// policiesSuite times one call through policies on the path that is always taken:
// there is a token, the call succeeds, the breaker is closed.
func policiesSuite(o options) {
	ctx := context.Background()
	for _, group := range []struct {
		name string
		arms []policyArm
	}{
		{"A token that is there", limiterCalls(ctx)},
		{"A token that is not there, not waited for", deniedCalls()},
		{"A retrier, success", retrierCalls(ctx)},
		{"A closed breaker", breakerCalls(ctx)},
		{"Retry, breaker and limiter together", composedCalls(ctx)},
	} {
		t := newTable(o, group.name, "Nanoseconds per call on one goroutine, allocations, and time relative to the oracle, the first row, by goroutines (and GOMAXPROCS).",
			"arm", "ns", "allocations", "1", "64", "1024", "64 (GOMAXPROCS 1)")
		claimPolicies(o, group.name, comparePolicies(t, o, group.arms))
	}
	t := newTable(o, "Through Execute", "Nanoseconds per item, one worker, a function that does nothing.", "policies", "ns", "allocations")
	executeRow(t, o, "none")
	executeRow(t, o, "retry, breaker, limiter", retry.MustNew(retry.Policy{}), circuitbreaker.MustNew(circuitbreaker.Policy{}), ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e10}))
}

type policyArm struct {
	name string
	call func()
	peer bool
}

// claimPolicies holds ours against what the documentation says.
func claimPolicies(o options, group string, ns map[string]float64) {
	for _, claimed := range []struct {
		group, arm string
		most       float64
	}{
		{"A token that is there", "**amorsize** Acquire", 100},
		{"A retrier, success", "**amorsize**", 30},
		{"A closed breaker", "**amorsize**", 40},
		{"Retry, breaker and limiter together", "**amorsize**", 150},
	} {
		if claimed.group == group {
			o.atMost(group+": ns a call", ns[claimed.arm], claimed.most)
		}
	}
}

// comparePolicies prints a row for each arm, and returns its ns a call on one goroutine.
func comparePolicies(t table, o options, arms []policyArm) map[string]float64 {
	// On one goroutine many short runs, of which the median is not what else runs here;
	// with more, runs that are long beside the start of the goroutines.
	type column struct{ goroutines, procs, calls, reps int }
	columns := []column{{1, 0, 1 << 14, 16}, {64, 0, 1 << 16, 4}, {1024, 0, 1 << 18, 1}, {64, 1, 1 << 16, 4}}
	var kept []policyArm
	for _, a := range arms {
		if o.peers || !a.peer {
			kept = append(kept, a)
		}
	}
	results := make([][]time.Duration, len(columns))
	for c, column := range columns {
		var contenders []contender
		for _, a := range kept {
			contenders = append(contenders, contender{a.name, func() { inParallel(column.goroutines, column.calls, a.call) }})
		}
		before := runtime.GOMAXPROCS(column.procs)
		results[c] = interleave(o.reps*column.reps, contenders)
		runtime.GOMAXPROCS(before)
	}
	ns := map[string]float64{}
	for i, a := range kept {
		ns[a.name] = float64(results[0][i]) / float64(columns[0].calls)
		cells := []string{a.name, number(ns[a.name]), number(allocations(a.call))}
		for c := range columns {
			cells = append(cells, ratio(results[c][i], results[c][0]))
		}
		t.row(cells...)
	}
	return ns
}

func inParallel(goroutines, calls int, call func()) {
	if goroutines == 1 {
		for range calls {
			call()
		}
		return
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range calls / goroutines {
				call()
			}
		})
	}
	wg.Wait()
}

func allocations(call func()) float64 {
	const runs = 10_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		call()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / runs)
}

func limiterCalls(ctx context.Context) []policyArm {
	oracle := &gcra{cost: 1, depth: 1e9}
	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e9})
	x := rate.NewLimiter(1e9, 1e9)
	j := juju.NewBucketWithQuantum(time.Millisecond, 1e9, 1e6)
	u := uber.New(1e9, uber.WithSlack(1e6))
	f := failsafelimiter.NewBursty[any](1e9, time.Second)
	return []policyArm{
		{"oracle", func() { oracle.take() }, false},
		{"**amorsize** TryAcquire", func() { l.TryAcquire() }, false},
		{"**amorsize** Acquire", func() { _ = l.Acquire(ctx) }, false},
		{"x/time Allow", func() { x.Allow() }, true},
		{"x/time Wait", func() { _ = x.Wait(ctx) }, true},
		{"juju TakeAvailable", func() { j.TakeAvailable(1) }, true},
		{"uber Take", func() { u.Take() }, true},
		{"failsafe TryAcquirePermit", func() { f.TryAcquirePermit() }, true},
	}
}

func deniedCalls() []policyArm {
	oracle := &gcra{cost: 1e15, depth: 1e15}
	oracle.take()
	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: ratelimit.MinRate, BurstSize: 1})
	l.TryAcquire()
	x := rate.NewLimiter(1e-6, 1)
	x.Allow()
	return []policyArm{
		{"oracle", func() { oracle.take() }, false},
		{"**amorsize** TryAcquire", func() { l.TryAcquire() }, false},
		{"x/time Allow", func() { x.Allow() }, true},
	}
}

func retrierCalls(ctx context.Context) []policyArm {
	var g guard
	r := retry.MustNew(retry.Policy{})
	f := failsafe.With(failsaferetry.NewWithDefaults[any]())
	return []policyArm{
		{"oracle", func() { _ = g.do(ctx, succeed) }, false},
		{"**amorsize**", func() { _ = r.Do(ctx, succeed) }, false},
		{"backoff Retry", func() {
			_, _ = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, succeed(ctx) })
		}, true},
		{"failsafe", func() { _ = f.RunWithExecution(func(failsafe.Execution[any]) error { return succeed(ctx) }) }, true},
	}
}

func breakerCalls(ctx context.Context) []policyArm {
	var g guard
	b := circuitbreaker.MustNew(circuitbreaker.Policy{})
	rated := circuitbreaker.MustNew(circuitbreaker.Policy{FailureRate: 0.5})
	limited, stop := context.WithTimeout(ctx, 24*time.Hour)
	context.AfterFunc(ctx, stop)
	sony := gobreaker.NewCircuitBreaker[any](gobreaker.Settings{})
	alone := failsafebreaker.NewWithDefaults[any]()
	policy := failsafe.With(failsafebreaker.NewWithDefaults[any]())
	return []policyArm{
		{"oracle", func() { _ = g.do(ctx, succeed) }, false},
		{"**amorsize**", func() { _ = b.Do(ctx, succeed) }, false},
		{"**amorsize**, failure rate", func() { _ = rated.Do(ctx, succeed) }, false},
		{"**amorsize**, deadline", func() { _ = b.Do(limited, succeed) }, false},
		{"gobreaker Execute", func() { _, _ = sony.Execute(func() (any, error) { return nil, succeed(ctx) }) }, true},
		{"failsafe, alone", func() {
			if alone.TryAcquirePermit() {
				_ = succeed(ctx)
				alone.RecordSuccess()
			}
		}, true},
		{"failsafe, as a policy", func() { _ = policy.RunWithExecution(func(failsafe.Execution[any]) error { return succeed(ctx) }) }, true},
	}
}

func composedCalls(ctx context.Context) []policyArm {
	var g1, g2 guard
	oracle := &gcra{cost: 1, depth: 1e9}
	limited := func(ctx context.Context) error {
		if !oracle.take() {
			return nil
		}
		return succeed(ctx)
	}
	broken := func(ctx context.Context) error { return g2.do(ctx, limited) }

	r, b := retry.MustNew(retry.Policy{}), circuitbreaker.MustNew(circuitbreaker.Policy{})
	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e9})
	inner := func(ctx context.Context) error { return l.Do(ctx, succeed) }
	middle := func(ctx context.Context) error { return b.Do(ctx, inner) }

	x := rate.NewLimiter(1e9, 1e9)
	sony := gobreaker.NewCircuitBreaker[any](gobreaker.Settings{})
	f := failsafe.With(failsaferetry.NewWithDefaults[any](), failsafebreaker.NewWithDefaults[any](), failsafelimiter.NewBursty[any](1e9, time.Second))
	return []policyArm{
		{"oracle", func() { _ = g1.do(ctx, broken) }, false},
		{"**amorsize**", func() { _ = r.Do(ctx, middle) }, false},
		{"backoff + gobreaker + x/time", func() {
			_, _ = backoff.Retry(ctx, func() (any, error) {
				return sony.Execute(func() (any, error) {
					if err := x.Wait(ctx); err != nil {
						return nil, err
					}
					return nil, succeed(ctx)
				})
			})
		}, true},
		{"failsafe", func() { _ = f.RunWithExecution(func(failsafe.Execution[any]) error { return succeed(ctx) }) }, true},
	}
}

func executeRow(t table, o options, name string, policies ...amorsize.Policy) {
	items := make([]int, 200_000)
	run := func() {
		_, err := amorsize.Execute(func(i int) (int, error) { return i, nil }, items, amorsize.WithPolicies(policies...), amorsize.WithWorkers(1))
		if err != nil {
			panic(fmt.Sprint("benchmarks: ", err))
		}
	}
	times := interleave(o.reps, []contender{{name, run}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	t.row(name, number(float64(times[0])/float64(len(items))), number(float64((after.Mallocs-before.Mallocs)/uint64(len(items)))))
}
