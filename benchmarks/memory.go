package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/amorsize/amorsize"
)

// memorySuite counts what a run allocates beyond its results.
func memorySuite(o options) {
	t := newTable(o, "Memory", "What a run allocates beyond its results, the collector switched off: nothing is hidden by a collection in between. The run with the fewest allocations.",
		"items", "results, bytes", "beyond them, bytes", "allocations", "peak / (input + output)")
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, n := range []int{1_000, 100_000, 10_000_000} {
		items := repeat(n, 0)
		m := leastMemory(o.reps, items)
		results := uint64(n) * uint64(unsafe.Sizeof(result(0)))
		input := uint64(n) * uint64(unsafe.Sizeof(items[0]))
		o.atMost(fmt.Sprintf("%d items: allocations", n), float64(m.objects), 500)
		t.row(fmt.Sprint(n), fmt.Sprint(results), fmt.Sprint(int64(m.bytes-results)),
			fmt.Sprint(m.objects), number(float64(input+m.bytes)/float64(input+results)))
	}
}

// allocated is what a run has allocated.
type allocated struct{ bytes, objects uint64 }

// leastMemory returns what the run with the fewest allocations has allocated: on a busy
// machine more goroutines are started and ended.
func leastMemory(reps int, items []item) (least allocated) {
	for rep := range reps {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		runtime.KeepAlive(must(amorsize.Execute(spinItem, items)))
		runtime.ReadMemStats(&after)
		m := allocated{after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs}
		if rep == 0 || m.objects < least.objects {
			least = m
		}
	}
	return least
}
