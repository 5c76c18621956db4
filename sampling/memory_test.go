package sampling

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMeminfo(t *testing.T) {
	total, available, err := readMeminfo(tree(map[string]string{
		"proc/meminfo": "MemTotal:       24731648 kB\nMemFree:        1 kB\nMemAvailable:   2048 kB\nBuffers: 3 kB\n"}))
	require.NoError(t, err)
	require.Equal(t, uint64(24731648<<10), total)
	require.Equal(t, uint64(2<<20), available)
	for _, text := range []string{
		"", "MemTotal: 5 kB\n", "MemAvailable: 1 kB\n", "MemTotal: x kB\nMemAvailable: 1 kB\n", "MemTotal: 5 kB\nMemAvailable: x kB\n",
	} {
		_, _, err = readMeminfo(tree(map[string]string{"proc/meminfo": text}))
		require.Error(t, err, "%q: somebody else must say", text)
	}
}

// litter allocates so many bytes and leaves them to the collector.
func litter(n int) { runtime.KeepAlive(make([]byte, n)) }

// The runtime's own limit is found, and what counts against it: live objects and what the
// runtime has besides objects, but neither garbage nor what is free.
func TestGoMemoryLimit(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	require.NotEqual(t, uint64(512<<20), QuickHost().GoMemoryLimit)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(512 << 20))
	held := make([]byte, 64<<20)
	litter(100 << 20)
	debug.FreeOSMemory()
	litter(32 << 20)
	runtime.GC()
	litter(16 << 20)
	h := QuickHost()
	require.Equal(t, uint64(512<<20), h.GoMemoryLimit)

	live := ReadHeap().Live
	require.GreaterOrEqual(t, live, uint64(len(held)))
	require.Less(t, live, uint64(len(held)+16<<20))
	var besides float64
	for _, m := range metrics.All() {
		if class, ok := strings.CutPrefix(m.Name, "/memory/classes/"); ok && class != "total:bytes" && class != "heap/objects:bytes" &&
			class != "heap/free:bytes" && class != "heap/released:bytes" && class != "heap/unused:bytes" {
			sample := []metrics.Sample{{Name: m.Name}}
			metrics.Read(sample)
			besides += float64(sample[0].Value.Uint64())
		}
	}
	require.InDelta(t, float64(live)+besides, float64(h.GoMemoryUsed), 64<<10)
	runtime.KeepAlive(held)
}

// What was ever allocated is more than what objects take, and that more than what is live,
// by what was collected and by what was allocated since.
func TestReadHeap(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	held := make([]byte, 8<<20)
	litter(32 << 20)
	runtime.GC()
	litter(16 << 20)
	before, ok := HeapAllocated()
	require.True(t, ok)
	heap := ReadHeap()
	after, _ := HeapAllocated()
	require.GreaterOrEqual(t, heap.Allocated, before)
	require.LessOrEqual(t, heap.Allocated, after)
	require.GreaterOrEqual(t, heap.Live, uint64(len(held)))
	require.GreaterOrEqual(t, heap.Objects, heap.Live+15<<20, "small objects are counted by the span")
	require.GreaterOrEqual(t, heap.Allocated, heap.Objects+31<<20)
	runtime.KeepAlive(held)
}

// A figure that the runtime does not know is none.
func TestFigure(t *testing.T) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/of/nothing:bytes"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(sample)
	require.Positive(t, figure(sample[0]))
	require.Zero(t, figure(sample[1]))
	require.Zero(t, figure(sample[2]), "no whole number")
}
