//go:build unix && !linux

package sampling

import "time"

// CPUResolution is the shortest wall time over which a [Thread]'s clock is meaningful.
const CPUResolution = 10 * time.Microsecond

// Thread is the CPU clock of the whole process: without cgo these systems give no clock
// of a single thread. During a sample the process does little else; if it does, the
// measured share is too high and the plan too cautious.
type Thread struct{}

// CurrentThread returns the clock.
func CurrentThread() Thread { return Thread{} }

func (Thread) cpu() (time.Duration, bool) { return processCPU() }
