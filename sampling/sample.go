package sampling

import (
	"fmt"
	"math"
	"time"
)

// Workload is what a call spends its time on.
type Workload int

// The classes of work. The zero value, CPUBound, is the safe assumption: it
// never runs more calls at once than there are cores.
const (
	CPUBound Workload = iota // at least 70 % of the time on a core
	Mixed                    // in between
	IOBound                  // less than 30 % of the time on a core: it waits
)

// Shares of time on a core from which a workload counts as CPU-bound, and
// below which it counts as I/O-bound.
const (
	cpuBoundShare = 0.7
	ioBoundShare  = 0.3
)

var workloadNames = [...]string{CPUBound: "CPU-bound", Mixed: "mixed", IOBound: "I/O-bound"}

// String returns "CPU-bound", "mixed" or "I/O-bound".
func (w Workload) String() string {
	if w < 0 || int(w) >= len(workloadNames) {
		return fmt.Sprintf("Workload(%d)", int(w))
	}
	return workloadNames[w]
}

// MarshalText writes the name that String returns.
func (w Workload) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads a name that MarshalText wrote.
func (w *Workload) UnmarshalText(text []byte) error {
	for i, name := range workloadNames {
		if name == string(text) {
			*w = Workload(i)
			return nil
		}
	}
	return fmt.Errorf("sampling: unknown workload %q", text)
}

// Sample is what was measured on the first items of a workload. The zero value
// is a sample of nothing.
type Sample struct {
	// Items is the number of items measured.
	Items int `json:"items"`
	// Elapsed is the wall time that they took, one after the other.
	Elapsed time.Duration `json:"elapsed"`
	// First is the time of the first call. It is kept separately: the first call is often
	// cold (connections, caches, lazy tables) and says little about the rest.
	First time.Duration `json:"first"`
	// ItemNanos is the mean wall time of a call in nanoseconds, without the first call if
	// there were others. It is a float because calls of 2 ns exist.
	ItemNanos float64 `json:"item_nanos"`
	// CV is the coefficient of variation of a call's time (standard deviation
	// over mean), 0 for fewer than two measurements.
	CV float64 `json:"cv"`
	// CPUShare is the part of the time that was spent on a core, 0 to 1. It is valid only
	// if CPUKnown.
	CPUShare float64 `json:"cpu_share"`
	CPUKnown bool    `json:"cpu_known"`
	// AllocBytes is what one call allocates on the heap, as counted by the runtime for
	// the whole process. It is valid only if AllocKnown.
	AllocBytes float64 `json:"alloc_bytes"`
	AllocKnown bool    `json:"alloc_known"`
	// HeldBytes is the maximum that one call holds of the heap at a time; 0 if only
	// AllocBytes is known, which counts garbage too.
	HeldBytes float64 `json:"held_bytes,omitempty"`
}

// ItemTime returns the mean time of a call.
func (s Sample) ItemTime() time.Duration { return time.Duration(math.Round(s.ItemNanos)) }

// Cold reports whether the first call took more than three times as long as the others,
// and long enough that this is not an artefact of the clock.
func (s Sample) Cold() bool {
	return s.Items > 1 && s.First > 5*time.Microsecond && float64(s.First) > 3*s.ItemNanos
}

// Workload classifies the calls by their share of time on a core. Unknown
// shares, and a sample of nothing, count as CPU-bound.
func (s Sample) Workload() Workload {
	share := s.ComputeShare()
	switch {
	case share >= cpuBoundShare:
		return CPUBound
	case share < ioBoundShare:
		return IOBound
	default:
		return Mixed
	}
}

// ComputeShare returns the share of a call that is spent on a core, 0 to 1; 1 if it is
// not known.
func (s Sample) ComputeShare() float64 {
	if !s.CPUKnown {
		return 1
	}
	return s.CPUShare
}

// Estimate returns how long n calls like the measured ones would take, one after the
// other.
func (s Sample) Estimate(n int) time.Duration {
	return saturate(s.ItemNanos * float64(n))
}

// saturate turns nanoseconds into a Duration without overflow.
func saturate(nanos float64) time.Duration {
	if nanos >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanos)
}
