//go:build unix && !linux

package sampling

import "time"

// CPUResolution is the shortest wall time over which a [Thread]'s clock says anything.
const CPUResolution = 10 * time.Microsecond

// Thread is the CPU clock of the whole process: without cgo these systems tell
// no thread's own. During a sample the process does little else, and where it
// does, the share comes out too high and the plan too careful.
type Thread struct{}

// CurrentThread returns the clock.
func CurrentThread() Thread { return Thread{} }

func (Thread) cpu() (time.Duration, bool) { return processCPU() }
