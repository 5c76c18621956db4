package amorsizetest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/internal/scenarios"
)

var errTimeout = context.DeadlineExceeded

// flying counts calls in flight.
type flying struct{ now, most atomic.Int64 }

func (f *flying) begin() (end func()) {
	n := f.now.Add(1)
	for m := f.most.Load(); n > m && !f.most.CompareAndSwap(m, n); m = f.most.Load() {
	}
	return func() { f.now.Add(-1) }
}

// Losses that come however few calls are in flight do not lower their number for long.
//
// Goroutines are not scheduled the same way twice: the median of five seeds counts. Calls
// that end at the very same instant, 200 of them, are the worst for it, in particular in
// the order of the race detector, which is a random one.
func TestLossesUnrelatedToLoad(t *testing.T) {
	for spread, bound := range map[time.Duration]time.Duration{20 * ms: time.Minute, 1: 5 * time.Minute} {
		var took []time.Duration
		for seed := range uint64(scenarios.Fewer(5)) {
			took = append(took, runWithLosses(t, seed, spread))
		}
		if len(took) < 5 {
			continue // one tells nothing of the middle: they differ a lot
		}
		slices.Sort(took)
		require.Less(t, took[len(took)/2], bound, "spread by %v: 10 s without losses, half an hour at one call in flight", spread)
	}
}

func runWithLosses(t *testing.T, seed uint64, spread time.Duration) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 1))
		start := time.Now()
		_, _ = amorsize.ExecuteContext(t.Context(), func(context.Context, int) (int, error) {
			mu.Lock()
			takes, lost := 100*ms-spread/2+time.Duration(random.Int64N(int64(spread))), random.Float64() < 0.01
			mu.Unlock()
			time.Sleep(takes)
			if lost {
				return 0, errTimeout
			}
			return 0, nil
		}, make([]int, 20_000), amorsize.WithErrors(amorsize.Collect), amorsize.WithMaxWorkers(200))
		took = time.Since(start)
	})
	return took
}

// A call that takes long to be lost began when there were few.
func TestOneOddTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var report amorsize.Report
		start := time.Now()
		_, _ = amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
			if i == 2 {
				time.Sleep(5 * time.Second)
				return 0, errTimeout
			}
			time.Sleep(100 * ms)
			return i, nil
		}, indexes(100_000), amorsize.WithErrors(amorsize.Collect), amorsize.WithMaxWorkers(1000), amorsize.WithReport(&report))
		// 10 s without the odd one. It halves the limit for some seconds: how long is up to
		// the order in which calls that end together are taken. 20 s would be for good.
		require.Less(t, time.Since(start), 16*time.Second, report.Explain())
	})
}

// A batch is one observation, however many items it has.
func TestBatchesAreOneObservation(t *testing.T) {
	for _, size := range []int{1, 50} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(1, 2))
			slots := make(chan struct{}, 20)
			start := time.Now()
			_, err := amorsize.ExecuteBatches(t.Context(), func(_ context.Context, in []int) ([]int, error) {
				slots <- struct{}{}
				defer func() { <-slots }()
				mu.Lock()
				took := random.ExpFloat64() * float64(50*ms)
				mu.Unlock()
				time.Sleep(time.Duration(took))
				return in, nil
			}, make([]int, 2000*size), amorsize.WithChunkSize(size))
			require.NoError(t, err)
			require.Less(t, time.Since(start), 9*time.Second, "5 s at best, batches of %d", size)
		})
	}
}

// A service that dies with errors nobody knows is not taken for one that got fast.
func TestUnknownFailuresAreNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls flying
		slots := make(chan struct{}, 50)
		start := time.Now()
		_, _ = amorsize.ExecuteContext(t.Context(), func(context.Context, int) (int, error) {
			defer calls.begin()()
			if time.Since(start) > 2*time.Second {
				time.Sleep(ms)
				return 0, errors.New("broken")
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			time.Sleep(20 * ms)
			return 0, nil
		}, make([]int, 50_000), amorsize.WithErrors(amorsize.Collect))
		require.Less(t, calls.most.Load(), int64(300))
	})
}

// pass is a policy that does nothing.
type pass struct{}

func (pass) Do(ctx context.Context, call func(context.Context) error) error { return call(ctx) }

// A run that its own deadline cuts off says nothing of the service.
func TestOwnDeadlineIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := amorsize.New(func(ctx context.Context, i int) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(20 * ms):
				return i, nil
			}
		}, amorsize.WithPolicies(pass{}))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 150*ms)
		defer cancel()
		_, err = engine.Run(ctx, make([]int, 100_000))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Greater(t, engine.Stats().Limit, 200)
		require.Zero(t, engine.Stats().InFlight)
	})
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
