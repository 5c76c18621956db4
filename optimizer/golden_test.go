package optimizer_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

var update = flag.Bool("update", false, "write the plans into testdata, to be read before they are believed")

// TestExplained holds plans, and what they say of themselves, against a file that was
// read by eye: each kind of work, each thing that bounds it, and each prediction.
func TestExplained(t *testing.T) {
	computes := sampling.Sample{Items: 20, Elapsed: 2 * ms, First: 100_000, ItemNanos: 100_000, CPUShare: 1, CPUKnown: true}
	waits := sampling.Sample{Items: 1, Elapsed: 20 * ms, First: 20 * ms, ItemNanos: 20e6, CV: 0.5, CPUShare: 0.02, CPUKnown: true}
	mixed := sampling.Sample{Items: 3, Elapsed: 60 * ms, First: 20 * ms, ItemNanos: 20e6, CV: 0.1, CPUShare: 0.4, CPUKnown: true, AllocBytes: 3 << 20, AllocKnown: true}
	slow := waits
	slow.ItemNanos, slow.Elapsed, slow.CV = 400e6, 400*ms, 0.2
	cold := computes
	cold.First, cold.AllocBytes, cold.AllocKnown = 5*ms, 100, true
	unknown := computes
	unknown.CPUKnown = false
	cheap := sampling.Sample{Items: 40, Elapsed: 4 * time.Microsecond, ItemNanos: 100, CPUShare: 1, CPUKnown: true}
	small := sampling.Host{Procs: 4, LogicalCores: 8, PhysicalCores: 4, Load: -1}
	full := sampling.Host{
		Procs: 2, LogicalCores: 8, PhysicalCores: 4, CPUQuota: 1.5, MemoryTotal: 8 << 30, MemoryAvailable: 1 << 30,
		Load: 6, GoMemoryLimit: 512 << 20, GoMemoryUsed: 112 << 20, Warnings: []string{"something is unknown"},
	}
	tiny := sampling.Host{Procs: 1, LogicalCores: 1, PhysicalCores: 1, CPUQuota: 0.5, Load: 0.5}
	idle := sampling.Host{Procs: 2, LogicalCores: 2}
	unsteady := mixed
	unsteady.CV, unsteady.CPUShare, unsteady.AllocBytes = 2.5, 0.54, 1000
	var b strings.Builder
	for _, c := range []struct {
		name   string
		sample sampling.Sample
		host   sampling.Host
		wishes optimizer.Constraints
	}{
		{"no items", sampling.Sample{}, small, optimizer.Constraints{}},
		{"all in the sample", computes, small, optimizer.Constraints{Items: 20}},
		{"a single item", sampling.Sample{Items: 1, Elapsed: ms, First: ms, ItemNanos: 1e6, CPUKnown: true, CPUShare: 1}, small, optimizer.Constraints{Items: 1}},
		{"too little to gain", cheap, small, optimizer.Constraints{Items: 1000}},
		{"too little to gain for two", cheap, small, optimizer.Constraints{Items: 1000, MaxWorkers: 2}},
		{"hardly anything to gain", cheap, small, optimizer.Constraints{Items: 1690}},
		{"hardly any time", sampling.Sample{Items: 1, Elapsed: 1, First: 1, ItemNanos: 1}, small, optimizer.Constraints{Items: 1000}},
		{"one item left", computes, small, optimizer.Constraints{Items: 21}},
		{"one item left, one worker", computes, small, optimizer.Constraints{Items: 21, Workers: 1}},
		{"two items left, one worker at the most", computes, small, optimizer.Constraints{Items: 22, MaxWorkers: 1}},
		{"three items left, five workers", computes, small, optimizer.Constraints{Items: 23, Workers: 5}},
		{"cheap, and many", cheap, small, optimizer.Constraints{Items: 10_000_000}},
		{"computes", computes, small, optimizer.Constraints{Items: 10_000}},
		{"computes, on a full machine", computes, full, optimizer.Constraints{Items: 10_000, LoadAware: true}},
		{"computes, one worker on a full machine", computes, full, optimizer.Constraints{Items: 10_000, LoadAware: true, MaxWorkers: 1}},
		{"computes, five workers on a full machine", computes, full, optimizer.Constraints{Items: 10_000, LoadAware: true, Workers: 5}},
		{"computes, on a tiny machine", computes, tiny, optimizer.Constraints{Items: 10_000, Workers: 1}},
		{"computes, on an idle machine", computes, idle, optimizer.Constraints{Items: 10_000}},
		{"computes, one worker at the most", computes, small, optimizer.Constraints{Items: 10_000, MaxWorkers: 1}},
		{"computes, six workers", computes, small, optimizer.Constraints{Items: 10_000, Workers: 6, ChunkSize: 7}},
		{"computes, in long chunks", computes, small, optimizer.Constraints{Items: 10_000, TargetChunk: 10 * ms}},
		{"computes, in chunks of a nanosecond", cheap, small, optimizer.Constraints{Items: 10_000_000, TargetChunk: 1}},
		{"computes, one item at a time", cheap, small, optimizer.Constraints{Items: 10_000_000, ChunkSize: 1}},
		{"cold", cold, small, optimizer.Constraints{Items: 10_000}},
		{"unknown", unknown, small, optimizer.Constraints{Items: 10_000}},
		{"nothing measured", sampling.Sample{}, small, optimizer.Constraints{Items: 10_000}},
		{"waits", waits, small, optimizer.Constraints{Items: 10_000}},
		{"waits, more items than calls in flight", waits, small, optimizer.Constraints{Items: 100_000}},
		{"waits, few items", waits, small, optimizer.Constraints{Items: 5}},
		{"waits, twenty items", waits, small, optimizer.Constraints{Items: 21}},
		{"waits, fifty at the most", waits, small, optimizer.Constraints{Items: 10_000, MaxWorkers: 50}},
		{"waits, ten workers", waits, small, optimizer.Constraints{Items: 1000, Workers: 10}},
		{"waits, twenty workers", waits, small, optimizer.Constraints{Items: 1000, Workers: 20}},
		{"waits, at a low rate", waits, small, optimizer.Constraints{Items: 1000, Rate: 0.5, Burst: 10}},
		{"waits, at a rate that the burst is for", waits, small, optimizer.Constraints{Items: 1000, Rate: 1, Burst: 2000}},
		{"waits, at a rate", waits, small, optimizer.Constraints{Items: 1000, Rate: 100, Burst: 10}},
		{"waits, at a rate that is not reached", waits, small, optimizer.Constraints{Items: 1000, Rate: 1e6, Burst: 1}},
		{"waits, as many as cores", waits, small, optimizer.Constraints{Items: 1000, ComputeOnly: true}},
		{"waits long", slow, small, optimizer.Constraints{Items: 1000}},
		{"mixed", mixed, small, optimizer.Constraints{Items: 1000}},
		{"mixed, and unsteady", unsteady, small, optimizer.Constraints{Items: 1000}},
		{"mixed, on a full machine", mixed, full, optimizer.Constraints{Items: 1000}},
		{"mixed, in little memory", mixed, full, optimizer.Constraints{Items: 1000, MemoryLimit: 40 << 20}},
	} {
		plan := optimizer.New(c.sample, c.host, c.wishes)
		fmt.Fprintf(&b, "== %s\n%s\n", c.name, plan.Explain())
	}
	stream := optimizer.Plan{Mode: optimizer.Parallel, Workers: 1, MaxWorkers: 16, ChunkSize: 1, Sample: unsteady, Host: small}
	fmt.Fprintf(&b, "== a stream\n%s", stream.Explain())
	stream.Sample.Items = 1
	fmt.Fprintf(&b, "\n== a stream, after one item\n%s", stream.Explain())

	path := filepath.Join("testdata", "plans.txt")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "go test ./optimizer -run TestExplained -update writes it; read the difference")
}
