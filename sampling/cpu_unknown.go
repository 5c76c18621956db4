//go:build !unix && !windows

package sampling

import "time"

// CPUResolution is the shortest wall time over which a [Thread]'s clock says anything.
const CPUResolution = time.Microsecond

// Thread stands for a CPU clock where there is none.
type Thread struct{}

// CurrentThread returns a clock that knows nothing.
func CurrentThread() Thread { return Thread{} }

func (Thread) cpu() (time.Duration, bool) { return 0, false }

// processCPU says that the CPU time is unknown.
func processCPU() (time.Duration, bool) { return 0, false }
