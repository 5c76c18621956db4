package sampling

import "runtime/metrics"

// HeapAllocated returns the bytes that the process has ever allocated on the
// heap, and whether the runtime tells. Small objects are counted in spans of
// 8 KiB, so differences are exact only for more than that. It costs about 250 ns.
func HeapAllocated() (uint64, bool) {
	var sample [1]metrics.Sample
	sample[0].Name = "/gc/heap/allocs:bytes"
	metrics.Read(sample[:])
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0, false
	}
	return sample[0].Value.Uint64(), true
}
