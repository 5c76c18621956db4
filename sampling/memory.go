package sampling

import (
	"io/fs"
	"math"
	"runtime/debug"
	"runtime/metrics"
)

// Heap is what the runtime reports about the heap of this process, in bytes.
type Heap struct {
	// Allocated is the total ever allocated.
	Allocated uint64
	// Objects is the size of all objects, including garbage that is not yet freed: live
	// memory is at most that.
	Objects uint64
	// Live is what the latest collection found in use, 0 before the first one.
	Live uint64
}

// ReadHeap reads the figures of the heap, all 0 if the runtime does not provide them.
// Small objects are counted in spans of 8 KiB, so differences are exact only for more
// than that. It costs about 500 ns and an allocation.
func ReadHeap() Heap { return HeapReader()() }

// HeapReader returns a [ReadHeap] that allocates only once, for one goroutine at a
// time.
func HeapReader() func() Heap {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
	}
	return func() Heap {
		metrics.Read(samples)
		return Heap{Allocated: figure(samples[0]), Objects: figure(samples[1]), Live: figure(samples[2])}
	}
}

// HeapAllocated returns the bytes that the process has ever allocated on the heap, and
// whether the runtime provides that: [Heap].Allocated alone, for about 450 ns.
func HeapAllocated() (uint64, bool) {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return figure(sample[0]), sample[0].Value.Kind() == metrics.KindUint64
}

// goMemory returns the runtime's memory limit (GOMEMLIMIT), 0 for none, and what counts
// against it now: live objects and the runtime's memory other than objects. Garbage is
// left out, because the runtime collects it before it exceeds the limit. It costs 30 ns
// without a limit, 1 µs with one.
func goMemory() (limit, used uint64) {
	bytes := debug.SetMemoryLimit(-1) // only reads
	if bytes == math.MaxInt64 {
		return 0, 0
	}
	samples := [...]metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples[:])
	used = figure(samples[0])
	for _, free := range samples[1:5] {
		used -= min(used, figure(free))
	}
	live := figure(samples[5])
	if live == 0 { // no collection yet
		live = figure(samples[4])
	}
	return uint64(bytes), used + live
}

// readMeminfo returns what Linux reports about the machine's memory, in bytes.
func readMeminfo(root fs.FS) (total, available uint64, err error) {
	total, err = readStat(root, "proc/meminfo", "MemTotal:")
	if err != nil {
		return 0, 0, err
	}
	available, err = readStat(root, "proc/meminfo", "MemAvailable:")
	if err == nil && (total == 0 || available == 0) { // a kernel before 3.14
		err = fs.ErrNotExist
	}
	return total << 10, available << 10, err
}

func figure(s metrics.Sample) uint64 {
	if s.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s.Value.Uint64()
}
