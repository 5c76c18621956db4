package optimizer_test

import (
	"encoding/json"
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

// The reference formula, at the figures that users of the Python system know.
func TestModelReference(t *testing.T) {
	seconds := func(items int, each float64) time.Duration {
		return time.Duration(float64(items) * each * float64(time.Second))
	}
	for _, c := range []struct {
		id      string
		model   optimizer.Model
		workers int
		chunk   int
		want    float64
	}{
		{"OP-01", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: ms, SpawnCost: 10 * ms, ChunkCost: 500 * time.Microsecond}, 2, 10, 1.9704},
		{"OP-02", optimizer.Model{Work: time.Second, Items: 100, ResultCost: 0, SpawnCost: 500 * ms, ChunkCost: 500 * time.Microsecond}, 2, 10, 0.6645},
		{"OP-03, 2 workers", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: 100 * time.Microsecond, SpawnCost: 10 * ms, ChunkCost: 500 * time.Microsecond}, 2, 10, 1.9881},
		{"OP-03, 4 workers", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: 100 * time.Microsecond, SpawnCost: 10 * ms, ChunkCost: 500 * time.Microsecond}, 4, 10, 3.9216},
		{"OP-05, no work", optimizer.Model{}, 4, 10, 1},
		{"OP-05, no workers", optimizer.Model{Work: seconds(10, 1)}, 0, 10, 1},
		{"OP-06", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: 100 * time.Microsecond, SpawnCost: 10 * ms, ChunkCost: 500 * time.Microsecond}, 4, 25, 3.9262},
		{"OP-07", optimizer.Model{Work: 10 * time.Second, Items: 100}, 8, 10, 8},
		{"OP-08, cheap chunks", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: ms, ChunkCost: 100 * time.Microsecond}, 2, 10, 1.9897},
		{"OP-08, dear chunks", optimizer.Model{Work: 10 * time.Second, Items: 100, ResultCost: ms, ChunkCost: 10 * ms}, 2, 10, 1.9512},
	} {
		t.Run(c.id, func(t *testing.T) {
			require.InDelta(t, c.want, c.model.Speedup(c.workers, c.chunk), 0.02)
		})
	}
}

// The universal scalability law has a peak; without its terms it is linear.
func TestCapacity(t *testing.T) {
	require.InDelta(t, 64, optimizer.Model{}.Capacity(64), 1e-9)
	amdahl := optimizer.Model{Contention: 0.1}
	require.InDelta(t, 10, amdahl.Capacity(1_000_000), 0.01)
	usl := optimizer.Model{Contention: 0.05, Coherency: 0.001}
	require.Greater(t, usl.Capacity(31), usl.Capacity(10))
	require.Greater(t, usl.Capacity(31), usl.Capacity(100))
}

func TestChunkSize(t *testing.T) {
	for _, c := range []struct {
		id             string
		item, target   time.Duration
		cv             float64
		items, workers int
		want           int
	}{
		{"OP-11", 5 * ms, 200 * ms, 0.3, 1000, 4, 40},
		{"OP-13", 300 * ms, 200 * ms, 0, 1000, 4, 1},
		{"OP-14, many", 100 * time.Microsecond, 200 * ms, 0, 10_000, 1, 2000},
		{"OP-14, few", 100 * time.Microsecond, 200 * ms, 0, 50, 2, 6},
		{"OP-14, fewer than workers", 5 * ms, 200 * ms, 0, 9, 4, 1},
		{"OP-15, unknown cost", 0, 200 * ms, 0, 100, 4, 1},
		{"OP-15, unknown total", 5 * ms, 200 * ms, 0, -1, 4, 40},
		{"OP-16", ms, 500 * ms, 0, 4000, 2, 500},
		{"variation", 5 * ms, 200 * ms, 1, 1000, 4, 20},
	} {
		t.Run(c.id, func(t *testing.T) {
			require.Equal(t, c.want, optimizer.ChunkSize(float64(c.item), c.cv, c.target, c.items, c.workers))
		})
	}
}

func TestMemoryWorkers(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct{ per, want int }{{0, 8}, {2, 4}, {20, 1}} {
		require.Equal(t, c.want, optimizer.MemoryWorkers(10*gib, float64(c.per)*gib, 8), "OP-24")
	}
	require.Equal(t, 8, optimizer.MemoryWorkers(0, 1, 8), "unknown binds nothing")
}

func TestLoadAware(t *testing.T) {
	for _, c := range []struct {
		cpu, memory float64
		want        int
	}{
		{50, 50, 8}, {70, 50, 6}, {80, 50, 6}, {89.9, 50, 6}, {90, 50, 4}, {95, 50, 4},
		{50, 75, 6}, {50, 90, 4}, {95, 95, 4}, {100, 100, 4}, {-1, -1, 8},
	} {
		require.Equal(t, c.want, optimizer.LoadAware(8, c.cpu, c.memory), "OP-26, OP-27: %v", c)
	}
	require.Equal(t, 1, optimizer.LoadAware(1, 100, 100))
}

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
}

func TestPlanJSON(t *testing.T) {
	p := optimizer.New(sample(ms, 0.5), memoryHost(4, 1<<33), optimizer.Constraints{Items: 5000, MaxWorkers: 9})
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.Contains(t, string(text), `"mode":"parallel"`)
	require.Contains(t, string(text), `"workload":"mixed"`)
	var back optimizer.Plan
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, p, back)
	require.Error(t, json.Unmarshal([]byte(`{"mode":"sideways"}`), &back))
	require.Error(t, json.Unmarshal([]byte(`{"workload":"leisure"}`), &back))
}

func TestExplain(t *testing.T) {
	cold := sample(20*time.Microsecond, 1)
	cold.First = ms
	h := memoryHost(8, 1<<33)
	h.Warnings = []string{"load unknown: no such file"}
	text := optimizer.New(cold, h, optimizer.Constraints{Items: 100_000}).Explain()
	for _, want := range []string{
		"Plan      parallel: 8 workers", "Measured  10 of 100000 items", "the first call was cold (1ms)",
		"100 % of it on a core", "Host      GOMAXPROCS 8", "chosen to start with", "cores allow 8 (binding)",
		"Warning   load unknown", "Otherwise a call that waits",
	} {
		require.Contains(t, text, want)
	}
	serial := optimizer.New(sample(50, 1), host(8), optimizer.Constraints{Items: 100}).Explain()
	require.Contains(t, serial, "too little for a second worker to gain anything")
	require.Contains(t, serial, "items of this cost would be worth a second worker")
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
	// the calls compute (100 % of their time on a core): bound by cores
}

// Calls that compute for half of their time begin with two a core.
func TestFirst(t *testing.T) {
	for share, want := range map[float64]int{0: optimizer.FirstWindow, 0.29: optimizer.FirstWindow, 0.5: 4, 0.4: 5} {
		require.Equal(t, want, optimizer.First(sampling.Sample{CPUShare: share, CPUKnown: true}, 2))
	}
	require.Equal(t, optimizer.FirstWindow, optimizer.First(sampling.Sample{CPUShare: 0.5, CPUKnown: true}, 64))
}

func TestOfMemory(t *testing.T) {
	for name, want := range map[string]bool{"memory": true, "GOMEMLIMIT": true, "WithMemoryLimit": true, "cores": false, "WithMaxWorkers": false} {
		require.Equal(t, want, optimizer.Limit{Name: name}.OfMemory(), name)
	}
}
