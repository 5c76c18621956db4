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
// preempted thread looks like one whose calls wait.
const lowShare = 0.7

// cpuShare is the CPU share of calls, measured while other workers run, for calls that
// are too long to measure one alone. One worker measures it, and reviews read it.
type cpuShare struct {
	wanted atomic.Bool   // wanted, and no worker is measuring it
	bits   atomic.Uint64 // of a float64: the share plus 1; 0 before it is known
}

// get returns the share; ok is false as long as it is not known.
func (s *cpuShare) get() (share float64, ok bool) {
	share = math.Float64frombits(s.bits.Load()) - 1
	return max(0, share), share >= 0
}

func (s *cpuShare) set(share float64) { s.bits.Store(math.Float64bits(share + 1)) }

// measure makes w measure the share on its next claims, unless another worker has. The
// first worker to get here does it, since the caller may be inside a call. claim makes
// one claim; it returns false if w has none left.
func (s *cpuShare) measure(w *worker, claim func() bool) {
	if !s.wanted.CompareAndSwap(true, false) {
		return
	}
	// Only the CPU clock of a thread is precise enough.
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
		s.set(share)
	}
}

// measureOnce makes claims for at least shareTime; ok is false if they ran out.
func measureOnce(w *worker, claim func() bool) (share float64, ok bool) {
	thread := sampling.CurrentThread()
	before, known := thread.CPU()
	start := w.busy // not the clock: a worker of a stream may wait for items
	for w.busy-start < shareTime {
		if !claim() {
			return 0, false
		}
	}
	after, stillKnown := thread.CPU()
	return min(1, float64(after-before)/float64(w.busy-start)), known && stillKnown
}
