package optimizer

import (
	"fmt"
	"time"

	"github.com/amorsize/amorsize/sampling"
)

// Mode says whether more than one call runs at a time.
type Mode int

// The modes of a plan. The zero value, Serial, is the plain loop.
const (
	Serial Mode = iota
	Parallel
)

// String returns "serial" or "parallel".
func (m Mode) String() string {
	switch m {
	case Serial:
		return "serial"
	case Parallel:
		return "parallel"
	default:
		return fmt.Sprintf("Mode(%d)", int(m))
	}
}

// MarshalText writes the name that String returns.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a name that MarshalText wrote.
func (m *Mode) UnmarshalText(text []byte) error {
	switch string(text) {
	case "serial":
		*m = Serial
	case "parallel":
		*m = Parallel
	default:
		return fmt.Errorf("optimizer: unknown mode %q", text)
	}
	return nil
}

// Constraints are what the caller demands. The zero value constrains nothing.
type Constraints struct {
	// Items is the number of items of the whole input, the sampled ones included.
	Items int `json:"items"`
	// Workers fixes the number of workers; 0 leaves it open.
	Workers int `json:"workers,omitempty"`
	// MaxWorkers bounds the number of workers; 0 is no bound.
	MaxWorkers int `json:"max_workers,omitempty"`
	// MinWorkers is the least number of workers; 0 is no bound.
	MinWorkers int `json:"min_workers,omitempty"`
	// ChunkSize fixes the number of items per claim; 0 leaves it open.
	ChunkSize int `json:"chunk_size,omitempty"`
	// TargetChunk is how long a chunk should take; 0 is [DefaultTargetChunk].
	TargetChunk time.Duration `json:"target_chunk_ns,omitempty"`
	// MemoryLimit bounds the bytes that calls in flight may need; 0 is what the host has.
	MemoryLimit uint64 `json:"memory_limit,omitempty"`
	// Rate is how many items may start per second according to the policies, and Burst
	// how many may start at once; 0 is no limit.
	Rate  float64 `json:"rate,omitempty"`
	Burst float64 `json:"burst,omitempty"`
	// ComputeOnly keeps the workers at GOMAXPROCS even if the work is I/O-bound.
	ComputeOnly bool `json:"compute_only,omitempty"`
	// LoadAware uses fewer workers on a machine that is busy with other things.
	LoadAware bool `json:"load_aware,omitempty"`
}

// Limit is one thing that bounds the number of workers.
type Limit struct {
	Name    string `json:"name"`    // "cores", "memory", "items", …
	Workers int    `json:"workers"` // how many it allows
	Binding bool   `json:"binding"` // whether it was the tightest
}

// Candidate is a number of workers that was considered, and its prediction.
type Candidate struct {
	Workers  int           `json:"workers"`
	Duration time.Duration `json:"duration_ns"`
	Speedup  float64       `json:"speedup"`
}

// Plan is what a run starts with, and why. It can be marshalled to JSON and back, so that
// a plan made once can be used again.
type Plan struct {
	Mode Mode `json:"mode"`
	// Workers is how many calls run at once when the run starts, at least 1.
	Workers int `json:"workers"`
	// MaxWorkers is how far the engine may go as it learns: the cores for CPU-bound work,
	// more for I/O-bound work.
	MaxWorkers int `json:"max_workers"`
	// ChunkSize is how many items a worker claims at a time at first, at least 1.
	ChunkSize int               `json:"chunk_size"`
	Workload  sampling.Workload `json:"workload"`
	// PredictedDuration is the time of the whole run, the sample included. It is 0 if
	// nothing is predicted: everything was done within the sample, or the time or the
	// number of items is unknown.
	PredictedDuration time.Duration `json:"predicted_duration_ns"`
	// AtBest says that PredictedDuration is a lower bound: the calls are I/O-bound, and
	// it is not known yet how many at once the service can handle.
	AtBest bool `json:"at_best,omitempty"`
	// PredictedSpeedup is how many times faster than the plain loop that is.
	PredictedSpeedup float64 `json:"predicted_speedup"`
	// Limits are the bounds on the number of workers, the tightest marked.
	Limits []Limit `json:"limits,omitempty"`
	// Reason says in one clause why this mode and number were chosen.
	Reason   string   `json:"reason"`
	Warnings []string `json:"warnings,omitempty"`

	// What the plan was made from.
	Sample      sampling.Sample `json:"sample"`
	Host        sampling.Host   `json:"host"`
	Constraints Constraints     `json:"constraints"`
	Candidates  []Candidate     `json:"candidates,omitempty"`
}
