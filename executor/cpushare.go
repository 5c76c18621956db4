package executor

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/sampling"
)

// shareTime is the shortest wall time over which the CPU share of calls is measured.
const shareTime = max(200*time.Microsecond, sampling.CPUResolution)

// lowShare is the share of time on a core below which a measurement is repeated: a
// thread that was kept from its core looks like one whose calls wait.
const lowShare = 0.7

// cpuShare is the CPU share of calls, as measured in company where they are too
// long to measure one alone. One worker measures it, and reviews read it.
type cpuShare struct {
	wanted atomic.Bool   // and nobody is measuring it
	bits   atomic.Uint64 // of a float64: 1 more than the share, 0 before it is known
}

// get returns it; ok is false as long as it is not known.
func (s *cpuShare) get() (share float64, ok bool) {
	share = math.Float64frombits(s.bits.Load()) - 1
	return max(0, share), share >= 0
}

// measure has w measure it on its next claims if nobody has done so: the first worker to
// come, since the caller may be in the midst of a call. claim makes one claim; it returns
// false if w has none left.
func (s *cpuShare) measure(w *worker, claim func() bool) {
	if !s.wanted.CompareAndSwap(true, false) {
		return
	}
	// The clock that can be read precisely is the thread's own.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	share, known := 0.0, false
	for try := 0; try < 2 && share < lowShare; try++ {
		part, ok := measureOnce(w, claim)
		if !ok {
			break
		}
		share, known = max(share, part), true
	}
	if known {
		s.bits.Store(math.Float64bits(share + 1))
	}
}

// measureOnce makes claims for at least shareTime; ok is false if they ran out.
func measureOnce(w *worker, claim func() bool) (share float64, ok bool) {
	thread := sampling.CurrentThread()
	before, known := thread.CPU()
	start := w.busy // and not the clock: a worker of a stream may wait for items
	for w.busy-start < shareTime {
		if !claim() {
			return 0, false
		}
	}
	after, stillKnown := thread.CPU()
	return min(1, float64(after-before)/float64(w.busy-start)), known && stillKnown
}
