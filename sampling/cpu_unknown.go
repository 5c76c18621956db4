//go:build !unix && !windows

package sampling

import "time"

// CPUResolution is the shortest wall time over which a [Thread]'s clock is meaningful.
const CPUResolution = time.Microsecond

// Thread replaces the CPU clock on systems without one.
type Thread struct{}

// CurrentThread returns a clock whose time is unknown.
func CurrentThread() Thread { return Thread{} }

func (Thread) cpu() (time.Duration, bool) { return 0, false }

// processCPU says that the CPU time is unknown.
func processCPU() (time.Duration, bool) { return 0, false }
