package executor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/internal/scenarios"
)

// FuzzEngine holds runs of random cost, failures, settings and cancellation
// against what the promises say of each item.
func FuzzEngine(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { engineHolds(t, rand.New(rand.NewPCG(seed, 7))) })
	})
}

func engineHolds(t *testing.T, random *rand.Rand) {
	f := forms[random.IntN(len(forms))]
	n := random.IntN(400)
	cost := make([]time.Duration, n)
	fails := make([]bool, n)
	unit := []time.Duration{0, time.Microsecond, time.Millisecond, 30 * time.Millisecond}[random.IntN(4)]
	failing := []float64{0, 0.002, 0.2}[random.IntN(3)]
	for i := range n {
		cost[i] = time.Duration(random.ExpFloat64() * float64(unit))
		if random.IntN(50) == 0 {
			cost[i] *= 100
		}
		fails[i] = random.Float64() < failing
	}
	var report executor.Report
	cfg := executor.Config{Report: &report, Errors: executor.ErrorMode(random.IntN(2))}
	switch random.IntN(5) {
	case 0:
		cfg.Workers = 1 + random.IntN(9)
	case 1:
		cfg.MaxWorkers = 1 + random.IntN(9)
	case 2:
		cfg.ChunkSize = 1 + random.IntN(99)
	case 3:
		cfg.SampleSize = 1 + random.IntN(99)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cancelled := random.IntN(4) == 0
	if cancelled {
		time.AfterFunc(time.Duration(random.Float64()*float64(unit)*50), cancel)
	}
	runs, ended := make([]atomic.Int32, n), make([]atomic.Int32, n)
	var running atomic.Int32
	out, err := f.run(ctx, func(_ context.Context, i int) (int, error) {
		running.Add(1)
		defer running.Add(-1)
		runs[i].Add(1)
		time.Sleep(cost[i])
		ended[i].Add(1)
		if fails[i] {
			return 0, fmt.Errorf("%w: %d", errOdd, i)
		}
		return i + 1, nil
	}, sequence(n), cfg)
	require.Zero(t, running.Load())
	require.Len(t, out, n)
	valid := 0
	for i := range n {
		require.LessOrEqual(t, runs[i].Load(), int32(1), "item %d was run twice", i)
		if report.Valid(i) {
			valid++
			require.Equal(t, i+1, out[i])
			require.False(t, fails[i])
		} else {
			require.Zero(t, out[i])
			if !f.batch && ended[i].Load() == 1 {
				require.True(t, fails[i], "item %d ended well and was dropped", i)
			}
		}
	}
	require.Equal(t, valid, report.Succeeded)
	require.LessOrEqual(t, report.Succeeded+report.Failed, n)
	switch {
	case err == nil:
		require.Equal(t, n, valid)
	case !errors.Is(err, context.Canceled):
		require.ErrorIs(t, err, errOdd)
		if cfg.Errors == executor.Collect {
			require.Equal(t, n, report.Succeeded+report.Failed)
		}
	default:
		require.True(t, cancelled)
	}
	require.Equal(t, err, report.Err)
}

// Calls that wait soon outnumber the cores, and go where the throughput goes.
func TestWaitingWork(t *testing.T) {
	for _, c := range []struct {
		n    int
		call time.Duration
		most time.Duration
	}{
		{100, 100 * time.Millisecond, 410 * time.Millisecond},
		{1000, 100 * time.Millisecond, 550 * time.Millisecond},
		{10_000, 100 * time.Millisecond, 900 * time.Millisecond},
		{2000, 5 * time.Millisecond, 50 * time.Millisecond},
		{2, time.Second, 1010 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d x %v", c.n, c.call), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var report executor.Report
				start := time.Now()
				_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
					time.Sleep(c.call)
					return i, nil
				}}, sequence(c.n), executor.Config{Report: &report})
				require.NoError(t, err)
				require.LessOrEqual(t, time.Since(start), c.most+lateDiscovery(), "%s", &report)
			})
		})
	}
}

// WithIOConcurrency(false): calls that wait keep to the cores.
func TestComputeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer running.Add(-1)
			time.Sleep(5 * time.Millisecond)
			return i, nil
		}}, sequence(500), executor.Config{ComputeOnly: true})
		require.NoError(t, err)
		require.LessOrEqual(t, int(most.Load()), runtime.GOMAXPROCS(0))
	})
}

// Work that calls the engine itself ends, and does not multiply goroutines.
// (ants and errgroup with a limit deadlock.)
func TestNested(t *testing.T) {
	var most atomic.Int64
	others := runtime.NumGoroutine() // of tests before, on their way out
	var nest func(depth int) int
	nest = func(depth int) int {
		most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
		if depth == 0 {
			sum := 0
			for i := range 20_000 {
				sum += i & depth
			}
			return 1 + sum
		}
		out, err := executor.Run(context.Background(), executor.Func[int, int]{Plain: func(int) (int, error) {
			return nest(depth - 1), nil
		}}, sequence(12), executor.Config{ComputeOnly: true}) // which a machine that others keep busy hides
		if err != nil {
			panic(err)
		}
		sum := 0
		for _, v := range out {
			sum += v
		}
		return sum
	}
	require.Equal(t, 12*12*12, nest(3))
	// Each run on the way down may have a supervisor and an alarm beside its workers.
	require.Less(t, most.Load(), int64(others+20+8*runtime.GOMAXPROCS(0)))
}

// Nested with a fixed number of waiting workers: no deadlock, exactly that many.
func TestNestedFixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(int) (int, error) {
			out, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
				ran.Add(1)
				time.Sleep(time.Millisecond)
				return i, nil
			}}, sequence(30), executor.Config{Workers: 3})
			return len(out), err
		}}, sequence(30), executor.Config{Workers: 3})
		require.NoError(t, err)
		require.Equal(t, int32(900), ran.Load())
	})
}

// burn computes for so many rounds of a nanosecond.
func burn(rounds int) {
	s := uint32(rounds)
	for range rounds {
		s = s*1664525 + 1013904223
	}
	runtime.KeepAlive(s)
}

// GOMAXPROCS changed while running: nothing is lost, and the limit follows.
func TestProcsChangeWhileRunning(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	var calls atomic.Int64
	out, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
		switch calls.Add(1) {
		case 1000:
			runtime.GOMAXPROCS(1)
		case 3000:
			runtime.GOMAXPROCS(before + 2)
		}
		burn(5000)
		return i, nil
	}}, sequence(6000), executor.Config{})
	require.NoError(t, err)
	require.Equal(t, sequence(6000), out)
}

// Ten million items that return at once.
func TestTenMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("80 MB of items")
	}
	out, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) { return ^i, nil }},
		sequence(scenarios.Fewer(10_000_000)), executor.Config{})
	require.NoError(t, err)
	for i := range out {
		if out[i] != ^i {
			t.Fatalf("out[%d] = %d", i, out[i])
		}
	}
}

// Many runs at once share the cores.
func TestConcurrentRuns(t *testing.T) {
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			out, err := executor.Run(context.Background(), executor.Func[int, int]{Plain: func(i int) (int, error) {
				burn(200)
				return i, nil
			}}, sequence(3000), executor.Config{})
			if err != nil || len(out) != 3000 || out[2999] != 2999 {
				t.Error(len(out), err)
			}
		})
	}
	group.Wait()
}

func TestReportString(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var report executor.Report
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
			time.Sleep(10 * time.Millisecond)
			if i == 150 {
				return 0, errOdd
			}
			return i, nil
		}}, sequence(300), executor.Config{Report: &report, MaxWorkers: 10})
		require.Error(t, err)
		text := report.String()
		for _, want := range []string{"of 300 items in", "1 failed", "not run", "bound by  the caller: an option sets", "calls ", "up to 10 workers", "failed    calls: 1 with other errors; 0 retried", "error     item 150: odd"} {
			require.Contains(t, text, want)
		}
		require.InDelta(t, float64(report.Succeeded)/report.Elapsed.Seconds(), report.Goodput(), 1)
		require.Greater(t, report.Speedup, 4.0)
		require.LessOrEqual(t, report.MeanWorkers, 10.0)
		require.False(t, strings.Contains(text, "NaN"))
		require.LessOrEqual(t, strings.Count(text, "\n"), 10)
		for _, want := range []string{text, "\n  plan      parallel", "\n  time      calls", "\n  latency   ", "\n  over time\n"} {
			require.Contains(t, report.Explain(), want)
		}
	})
	require.NotPanics(t, func() { _ = new(executor.Report).String() })
}

func TestMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		fn := executor.Func[int, int]{Plain: func(i int) (int, error) {
			runs.Add(1)
			time.Sleep(10 * time.Millisecond)
			if i == 7 {
				return 0, errOdd
			}
			return i, nil
		}}
		plan, err := executor.Measure(t.Context(), fn, sequence(1000), executor.Config{})
		require.NoError(t, err)
		require.Equal(t, int(runs.Load()), plan.Sample.Items)
		require.Less(t, plan.Sample.Items, 7)
		require.Equal(t, 10*time.Millisecond, plan.Sample.ItemTime())
		require.Equal(t, 1000, plan.Constraints.Items)
		require.NotEmpty(t, plan.Reason)
		runs.Store(0)
		plan, err = executor.Measure(t.Context(), fn, sequence(1000), executor.Config{SampleSize: 5})
		require.NoError(t, err)
		require.Equal(t, 5, plan.Sample.Items)
		require.Equal(t, int32(5), runs.Load())
		plan, err = executor.Measure(t.Context(), fn, sequence(1000), executor.Config{SampleSize: 20})
		require.ErrorIs(t, err, errOdd)
		require.Positive(t, plan.Workers)
		plan, err = executor.Measure(t.Context(), fn, nil, executor.Config{})
		require.NoError(t, err)
		require.Equal(t, 1, plan.Workers)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = executor.Measure(ctx, fn, sequence(10), executor.Config{})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A saved plan needs no sample, and still ends well where it does not fit.
func TestGivenPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := executor.Func[int, int]{Context: milliseconds}
		plan, err := executor.Measure(t.Context(), fn, sequence(1000), executor.Config{MaxWorkers: 4})
		require.NoError(t, err)
		plan.Host.LogicalCores, plan.Host.Procs = 999, 999
		var report executor.Report
		out, err := executor.Run(t.Context(), fn, sequence(1000), executor.Config{Plan: &plan, Report: &report})
		require.NoError(t, err)
		require.Equal(t, sequence(1000), out)
		require.LessOrEqual(t, report.PeakWorkers, 4)
		require.Contains(t, report.Plan.Reason, "given")
		require.Contains(t, strings.Join(report.Warnings, "\n"), "the plan was made for another host: logical cores")
	})
}
