package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/amorsize/amorsize"
)

// memorySuite counts what a run allocates beyond its results.
func memorySuite(options) {
	t := newTable("Memory", "What a run allocates beyond its results, the collector switched off: nothing is hidden by a collection in between.",
		"items", "results, bytes", "beyond them, bytes", "allocations", "peak / (input + output)")
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, n := range []int{1_000, 100_000, 10_000_000} {
		items := repeat(n, 0)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out := must(amorsize.Execute(spinItem, items))
		runtime.ReadMemStats(&after)
		results := uint64(len(out)) * uint64(unsafe.Sizeof(out[0]))
		total := after.TotalAlloc - before.TotalAlloc
		input := uint64(n) * uint64(unsafe.Sizeof(items[0]))
		t.row(fmt.Sprint(n), fmt.Sprint(results), fmt.Sprint(int64(total-results)),
			fmt.Sprint(after.Mallocs-before.Mallocs), number(float64(input+total)/float64(input+results)))
	}
}
