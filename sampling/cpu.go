package sampling

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// ProcessResolution is the shortest wall time over which [ProcessCPU] is meaningful: two
// ticks of a kernel with 100 ticks per second.
const ProcessResolution = 20 * time.Millisecond

// ProcessCPU returns the CPU time that the process has used in all its
// threads, and whether that is known. It costs about 700 ns.
//
// In a testing/synctest bubble it is 0 and known: the bubble's clock stands still while
// any goroutine computes, so all time that passes is waiting.
func ProcessCPU() (time.Duration, bool) {
	if clock.Virtual(clock.Now()) {
		return 0, true
	}
	return processCPU()
}

// CPU returns the CPU time that the thread has used, and whether that is known; in a
// testing/synctest bubble 0, like [ProcessCPU].
func (t Thread) CPU() (time.Duration, bool) {
	if clock.Virtual(clock.Now()) {
		return 0, true
	}
	return t.cpu()
}
