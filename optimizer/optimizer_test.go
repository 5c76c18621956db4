package optimizer_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

const ms = time.Millisecond

func sample(item time.Duration, share float64) sampling.Sample {
	return sampling.Sample{Items: 10, Elapsed: 10 * item, First: item, ItemNanos: float64(item), CPUShare: share, CPUKnown: true}
}

func host(procs int) sampling.Host {
	return sampling.Host{Procs: procs, LogicalCores: procs, PhysicalCores: procs, Load: -1}
}

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		name    string
		sample  sampling.Sample
		host    sampling.Host
		c       optimizer.Constraints
		mode    optimizer.Mode
		workers int
		class   sampling.Workload
		limit   string
	}{
		{"nothing", sampling.Sample{}, host(8), optimizer.Constraints{}, optimizer.Serial, 1, sampling.CPUBound, "items"},
		{"one item", sampling.Sample{Items: 1, ItemNanos: 1e9}, host(8), optimizer.Constraints{Items: 1}, optimizer.Serial, 1, sampling.CPUBound, "items"},
		{"tiny, OP-18", sample(50, 1), host(8), optimizer.Constraints{Items: 100}, optimizer.Serial, 1, sampling.CPUBound, "cores"},
		{"computing, OP-23", sample(20*time.Microsecond, 1), host(8), optimizer.Constraints{Items: 100_000}, optimizer.Parallel, 8, sampling.CPUBound, "cores"},
		{"computing on one core", sample(ms, 1), host(1), optimizer.Constraints{Items: 1000}, optimizer.Serial, 1, sampling.CPUBound, "cores"},
		{"computing on no core that is known", sample(ms, 1), host(0), optimizer.Constraints{Items: 1000}, optimizer.Serial, 1, sampling.CPUBound, "cores"},
		{"waiting, OP-22", sample(ms, 0.05), host(2), optimizer.Constraints{Items: 1000}, optimizer.Parallel, optimizer.FirstWindow, sampling.IOBound, "items"},
		{"waiting, cores only", sample(ms, 0.05), host(2), optimizer.Constraints{Items: 1000, ComputeOnly: true}, optimizer.Parallel, 2, sampling.IOBound, "cores"},
		{"mixed", sample(ms, 0.5), host(2), optimizer.Constraints{Items: 1000}, optimizer.Parallel, 4, sampling.Mixed, ""},
		{"fixed", sample(ms, 1), host(2), optimizer.Constraints{Items: 1000, Workers: 5}, optimizer.Parallel, 5, sampling.CPUBound, "WithWorkers"},
		{"bounded", sample(ms, 1), host(8), optimizer.Constraints{Items: 1000, MaxWorkers: 3}, optimizer.Parallel, 3, sampling.CPUBound, "WithMaxWorkers"},
		{"busy machine", sample(ms, 1), busyHost(8, 7.6), optimizer.Constraints{Items: 1000, LoadAware: true}, optimizer.Parallel, 4, sampling.CPUBound, "load"},
		{"memory", dear(sample(ms, 1), 2<<30), memoryHost(8, 10<<30), optimizer.Constraints{Items: 1000}, optimizer.Parallel, 3, sampling.CPUBound, "memory"},
		{"memory limit", dear(sample(ms, 1), 1<<20), memoryHost(8, 10<<30), optimizer.Constraints{Items: 1000, MemoryLimit: 3 << 20}, optimizer.Parallel, 2, sampling.CPUBound, "WithMemoryLimit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := optimizer.New(c.sample, c.host, c.c)
			require.Equal(t, c.mode, p.Mode, p.Reason)
			require.Equal(t, c.workers, p.Workers, p.Reason)
			require.Equal(t, c.class, p.Workload)
			if c.limit != "" {
				require.Contains(t, binding(p), c.limit)
			}
			sane(t, p)
		})
	}
	for procs, most := range map[int]int{0: 1, 1: 1, 2: 2, 8: 8} {
		p := optimizer.New(sample(ms, 1), host(procs), optimizer.Constraints{Items: 1000})
		require.Equal(t, most, p.MaxWorkers)
	}
}

func busyHost(procs int, load float64) sampling.Host {
	h := host(procs)
	h.Load = load
	return h
}

func memoryHost(procs int, bytes uint64) sampling.Host {
	h := host(procs)
	h.MemoryTotal, h.MemoryAvailable = bytes, bytes
	return h
}

func dear(s sampling.Sample, bytes float64) sampling.Sample {
	s.AllocBytes, s.AllocKnown = bytes, true
	return s
}

func binding(p optimizer.Plan) (names []string) {
	for _, l := range p.Limits {
		if l.Binding {
			names = append(names, l.Name)
		}
	}
	return names
}

// OP-19: what any plan promises.
func sane(t *testing.T, p optimizer.Plan) {
	t.Helper()
	require.GreaterOrEqual(t, p.Workers, 1)
	require.GreaterOrEqual(t, p.MaxWorkers, 1)
	require.GreaterOrEqual(t, p.ChunkSize, 1)
	require.GreaterOrEqual(t, p.PredictedSpeedup, 0.0)
	require.GreaterOrEqual(t, p.PredictedDuration, time.Duration(0))
	require.NotEmpty(t, p.Reason)
	require.NotContains(t, p.String(), "\n")
	require.NotContains(t, p.Explain(), "NaN")
	for _, l := range p.Limits {
		require.GreaterOrEqual(t, l.Workers, p.MaxWorkers, "%s is not kept to", l.Name)
	}
}

func TestAnyPlanIsSane(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	magnitude := func(most float64) float64 { return random.ExpFloat64() * most * random.Float64() * random.Float64() }
	for range 3000 {
		s := sampling.Sample{
			Items: random.IntN(100), ItemNanos: magnitude(1e10), CV: magnitude(10),
			CPUShare: random.Float64(), CPUKnown: random.IntN(4) > 0,
			AllocBytes: magnitude(1e12), AllocKnown: random.IntN(2) > 0,
		}
		s.Elapsed = time.Duration(s.ItemNanos * float64(s.Items))
		h := memoryHost(random.IntN(200), uint64(magnitude(1e12)))
		h.Load = magnitude(300) - 1
		p := optimizer.New(s, h, optimizer.Constraints{
			Items: int(magnitude(1e9)), Workers: random.IntN(2) * random.IntN(100), MaxWorkers: random.IntN(2) * random.IntN(100),
			ChunkSize: random.IntN(2) * random.IntN(100), ComputeOnly: random.IntN(2) > 0, LoadAware: random.IntN(2) > 0,
		})
		sane(t, p)
	}
}

// More workers than the work has use for are not taken.
func TestSearchesTheWorkerCount(t *testing.T) {
	p := optimizer.New(sample(100*ms, 1), host(64), optimizer.Constraints{Items: 30})
	require.LessOrEqual(t, p.Workers, 20, "20 items are left")
	unknown := sample(ms, 0)
	unknown.CPUKnown = false
	p = optimizer.New(unknown, host(4), optimizer.Constraints{Items: 1000})
	require.Equal(t, 4, p.Workers, "unknown counts as computing")
	require.Contains(t, strings.Join(p.Warnings, ""), "CPU share")
}

func TestCeiling(t *testing.T) {
	c := optimizer.Constraints{Items: 100_000}
	require.Equal(t, optimizer.MaxWaiting, optimizer.Ceiling(sample(ms, 1), host(2), c))
	c.ComputeOnly = true
	require.Equal(t, 2, optimizer.Ceiling(sample(ms, 1), host(2), c))
	c.ComputeOnly, c.MaxWorkers = false, 70
	require.Equal(t, 70, optimizer.Ceiling(sample(ms, 1), host(2), c))
	require.Equal(t, 90, optimizer.Ceiling(sample(ms, 1), host(2), optimizer.Constraints{Items: 100}), "ten were sampled")
	require.Equal(t, 1, optimizer.Ceiling(sample(ms, 1), host(2), optimizer.Constraints{Items: 5}))
}

func ExampleNew() {
	sample := sampling.Sample{
		Items: 20, Elapsed: 400 * time.Microsecond, ItemNanos: 20_000, CPUShare: 1, CPUKnown: true,
	}
	host := sampling.Host{Procs: 4, LogicalCores: 4, Load: -1}
	plan := optimizer.New(sample, host, optimizer.Constraints{Items: 50_000})
	fmt.Println(plan.Mode, plan.Workers, plan.Workload)
	fmt.Println(plan.Reason)
	// Output:
	// parallel 4 CPU-bound
	// limited by cores: 100 % of a call's time is CPU time
}

// Calls that compute for half of their time begin with two a core.
func TestFirst(t *testing.T) {
	for share, want := range map[float64]int{0: optimizer.FirstWindow, 0.29: optimizer.FirstWindow, 0.5: 4, 0.4: 5} {
		require.Equal(t, want, optimizer.First(sampling.Sample{CPUShare: share, CPUKnown: true}, 2))
	}
	for procs, want := range map[int]int{-1: 2, 0: 2, 1: 2, 2: 4, 64: optimizer.FirstWindow} {
		require.Equal(t, want, optimizer.First(sampling.Sample{CPUShare: 0.5, CPUKnown: true}, procs), procs)
	}
}

// All numbers up to eight are tried, then half as many again, and the most.
func TestLadder(t *testing.T) {
	for most, want := range map[int][]int{
		1: {1}, 2: {1, 2}, 8: {1, 2, 3, 4, 5, 6, 7, 8}, 9: {1, 2, 3, 4, 5, 6, 7, 8, 9}, 12: {1, 2, 3, 4, 5, 6, 7, 8, 12},
		13: {1, 2, 3, 4, 5, 6, 7, 8, 12, 13}, 40: {1, 2, 3, 4, 5, 6, 7, 8, 12, 18, 27, 40}, 41: {1, 2, 3, 4, 5, 6, 7, 8, 12, 18, 27, 40, 41},
	} {
		var got []int
		for _, c := range optimizer.New(sample(ms, 0), host(1), optimizer.Constraints{Items: 1000, Workers: most}).Candidates {
			got = append(got, c.Workers)
		}
		require.Equal(t, want, got)
	}
}

// What is predicted for calls that compute is what the model says, to the nanosecond.
// Workers beyond the cores share them, and no schedule is shorter than an item.
func TestPredictedComputing(t *testing.T) {
	s := sample(ms, 1)
	s.CV = 0.25
	for procs, cores := range map[int]int{0: 1, 1: 1, 2: 2, 4: 4} {
		for _, c := range optimizer.New(s, host(procs), optimizer.Constraints{Items: 1010, ChunkSize: 3, Workers: 12}).Candidates {
			if c.Workers == 1 {
				require.Equal(t, optimizer.Candidate{Workers: 1, Duration: time.Second, Speedup: 1}, c)
				continue
			}
			model := optimizer.Model{
				Work: time.Second, Items: 1000, JoinDelay: 150 * time.Microsecond, SpawnCost: time.Microsecond,
				ChunkCost: 100 / time.Duration(c.Workers), Tail: 1625 * time.Microsecond, Contention: 0.04,
			}
			sharing := max(0, c.Workers-cores)
			want := model.Makespan(c.Workers-sharing, 3) + time.Duration(sharing)*time.Microsecond
			require.Equal(t, want, c.Duration, "%d on %d", c.Workers, procs)
			require.InDelta(t, float64(time.Second)/float64(want), c.Speedup, 1e-12)
		}
	}
	two := optimizer.New(sample(time.Second, 1), host(2), optimizer.Constraints{Items: 12, Workers: 2, ChunkSize: 1})
	require.Greater(t, two.Candidates[1].Duration, time.Second)
}

// Where nothing is left, or known, nothing is gained.
func TestPredictsNothing(t *testing.T) {
	for _, c := range []struct {
		sample sampling.Sample
		items  int
	}{{sample(ms, 1), 10}, {sample(ms, 1), 5}, {sampling.Sample{}, 1000}, {sampling.Sample{}, 0}} {
		p := optimizer.New(c.sample, host(2), optimizer.Constraints{Items: c.items})
		require.Equal(t, 1.0, p.PredictedSpeedup)
		require.Zero(t, p.PredictedDuration)
		require.Equal(t, optimizer.Serial, p.Mode)
		require.Equal(t, 1, p.Workers)
		require.Equal(t, optimizer.Candidate{Workers: 1, Duration: p.Candidates[0].Duration, Speedup: 1}, p.Candidates[0])
	}
	p := optimizer.New(sampling.Sample{Items: 1, ItemNanos: 1}, host(2), optimizer.Constraints{Items: 2})
	require.Equal(t, time.Duration(1), p.PredictedDuration)
	require.Equal(t, 1.0, p.PredictedSpeedup)
}

// That the share is unknown is said where it matters: something is left, and takes time.
func TestUnknownShare(t *testing.T) {
	for _, c := range []struct {
		sampled int
		nanos   float64
		items   int
		warned  bool
	}{{1, 1, 2, true}, {0, 1, 2, false}, {1, 0, 2, false}, {1, 1, 1, false}, {5, 1e6, 100, true}} {
		p := optimizer.New(sampling.Sample{Items: c.sampled, ItemNanos: c.nanos}, host(2), optimizer.Constraints{Items: c.items})
		require.Equal(t, c.warned, len(p.Warnings) == 1, c)
	}
}

// A rate holds back all but a burst, and is the same for all numbers of workers.
func TestHeldToRate(t *testing.T) {
	s := sampling.Sample{Items: 1, Elapsed: 20 * ms, First: 20 * ms, ItemNanos: 20e6, CPUKnown: true}
	plain := optimizer.New(s, host(4), optimizer.Constraints{Items: 1000})
	for _, c := range []struct {
		rate, burst float64
		held        time.Duration
	}{
		{0.5, 10, 1980*time.Second + 20*ms},
		{1, 999, time.Second + 20*ms},
		{1, 1000, 20 * ms},
		{1, 2000, 20 * ms},
	} {
		p := optimizer.New(s, host(4), optimizer.Constraints{Items: 1000, Rate: c.rate, Burst: c.burst})
		took := max(plain.PredictedDuration, c.held)
		require.Equal(t, took, p.PredictedDuration, c)
		require.Equal(t, took > c.held, p.AtBest, c)
		require.InDelta(t, max(20e9, float64(took))/float64(took), p.PredictedSpeedup, 1e-9)
		for i, got := range p.Candidates {
			require.Equal(t, max(plain.Candidates[i].Duration, c.held-20*ms), got.Duration, "%v, %d workers", c, got.Workers)
			require.InDelta(t, max(19.98e9, float64(got.Duration))/float64(got.Duration), got.Speedup, 1e-9)
		}
	}
	// A rate that takes as long as the calls do hides nothing of what they can do at best.
	for burst, atBest := range map[float64]bool{1.9999: true, 1.9998: false} {
		p := optimizer.New(s, host(4), optimizer.Constraints{Items: 3, Rate: 50, Burst: burst})
		require.Equal(t, atBest, p.PredictedDuration == 40_002_000, "%v: %v", burst, p.PredictedDuration)
		require.Equal(t, atBest, p.AtBest, burst)
	}
}

// What is predicted for calls that wait follows the ramp: sixteen at first, twice as many
// where those take longer than a moment, and two and a half times as many after each round.
func TestPredictedWaiting(t *testing.T) {
	for _, c := range []struct {
		name          string
		item          time.Duration
		cv, share     float64
		procs, fixed  int
		left, workers int
		rounds        float64
		moment        time.Duration
	}{
		{"one window", 10 * ms, 0, 0, 1, 0, 1000, 16, 63, 0},
		{"one more worker", 10 * ms, 0, 0, 1, 0, 1000, 17, 59, 0},
		{"two windows more", 10 * ms, 0, 0, 1, 0, 1000, 100, 12, 0},
		{"as many as are left", 10 * ms, 0.5, 0, 1, 0, 56, 56, 3.3115458459, 0},
		{"a moment", 25 * ms, 0, 0, 1, 0, 1000, 100, 12, 0},
		{"longer", 30 * ms, 0, 0, 1, 0, 1000, 100, 11, 25 * ms},
		{"longer, one window", 30 * ms, 0, 0, 1, 0, 1000, 16, 63, 0},
		{"longer, and less than another window", 30 * ms, 0, 0, 1, 0, 1000, 20, 50, 25 * ms},
		{"asked for", 30 * ms, 0, 0, 1, 100, 1000, 100, 10, 0},
		{"few, that vary", 10 * ms, 0.5, 0, 1, 3, 3, 3, 1.1857326548, 0},
		{"two, that vary", 10 * ms, 0.5, 0, 1, 2, 2, 2, 1, 0},
		{"on no core that is known", 10 * ms, 0, 0.5, 0, 4, 1000, 4, 500, 0},
		{"on one core", 10 * ms, 0, 0.5, 1, 4, 1000, 4, 500, 0},
		{"on two", 10 * ms, 0, 0.5, 2, 4, 1000, 4, 250, 0},
		{"on four", 10 * ms, 0, 0.5, 4, 4, 1000, 4, 250, 0},
	} {
		s := sample(c.item, c.share)
		s.CV = c.cv
		p := optimizer.New(s, host(c.procs), optimizer.Constraints{Items: 10 + c.left, Workers: c.fixed, MaxWorkers: c.workers})
		last := p.Candidates[len(p.Candidates)-1]
		require.Equal(t, c.workers, last.Workers, c.name)
		want := c.rounds*float64(c.item) + float64(c.moment) + float64(c.workers)*1000
		require.InDelta(t, want, last.Duration, 1, c.name)
	}
}
