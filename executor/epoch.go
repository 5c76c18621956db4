package executor

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/sampling"
)

// epoch is the time since the number of workers last changed: the throughput of epochs is
// compared. Workers use the atomic fields; only reviews use the rest.
type epoch struct {
	number atomic.Int64
	ended  atomic.Int64 // claims that began and ended in it
	needed atomic.Int64 // how many make a review worthwhile at once

	since    time.Duration
	cpu      time.Duration // of the process at the beginning
	cpuKnown bool
	busy     bool // no core was idle recently
}

// begin begins an epoch, and discards earlier observations.
func (e *epoch) begin(now time.Duration) {
	e.number.Add(1)
	e.ended.Store(0)
	e.since = now
	e.cpu, e.cpuKnown = sampling.ProcessCPU()
}

// cores returns how many cores the process has used since; ok is false if that is not
// known, or not yet.
func (e *epoch) cores(now time.Duration) (used float64, ok bool) {
	age := now - e.since
	if age < sampling.ProcessResolution {
		return 0, false
	}
	cpu, ok := sampling.ProcessCPU()
	return float64(cpu-e.cpu) / float64(age), ok && e.cpuKnown
}

// saturated reports whether no core is idle, as of the latest measurement, and then
// starts the next measurement.
func (e *epoch) saturated(now time.Duration) bool {
	if now-e.since < sampling.ProcessResolution {
		return e.busy
	}
	if used, ok := e.cores(now); ok {
		e.busy = used > 0.9*float64(runtime.GOMAXPROCS(0))
	}
	e.begin(now)
	return e.busy
}
