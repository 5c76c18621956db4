package hillclimb

import (
	"math"
	"time"
)

// Observation is what an epoch has shown so far: the calls that began in it
// and have ended. Calls that began before it ran under another limit.
type Observation struct {
	Now, Age  time.Duration
	Running   int           // workers now
	Reporting int           // workers that have ended a call
	Chunks    int           // claims that have ended
	Items     int           // calls that have ended
	Busy      time.Duration // their time added up
	Squares   float64       // Σ (ns of a chunk)² / items of it
	Cores     float64       // cores that the process used, negative if unknown
	Procs     int           // GOMAXPROCS
	Left      int           // items not claimed
	Occupied  float64       // workers in calls, on average; 0 if all were
}

// rate is the throughput in items per second by Little's law: workers over
// mean time in the call. Unlike a count over the wall time it is not rounded to
// whole calls, and a worker that has just started counts in full. It leaves out
// chunks that have not ended, which are the long ones, so it is bounded by what
// can have been done in the time, were those as good as done.
func (o Observation) rate() float64 {
	if o.Busy <= 0 {
		return 0
	}
	rate := float64(o.Reporting) * float64(o.Items) / o.Busy.Seconds()
	if o.Age >= minEpoch {
		open := float64(o.Items) / float64(o.Chunks) * float64(o.Running)
		rate = min(rate, (float64(o.Items)+open)/o.Age.Seconds())
	}
	return rate
}

// Mean returns the mean time of a call.
func (o Observation) Mean() time.Duration {
	if o.Items == 0 {
		return 0
	}
	return o.Busy / time.Duration(o.Items)
}

// error returns the relative standard error of the mean.
func (o Observation) error() float64 {
	if o.Chunks < 2 || o.Busy <= 0 {
		return math.Inf(1)
	}
	mean := float64(o.Busy) / float64(o.Items)
	variance := (o.Squares - mean*float64(o.Busy)) / float64(o.Chunks-1)
	return math.Sqrt(max(0, variance)/float64(o.Items)) / mean
}

// settled reports whether the epoch has seen enough for a comparison: the mean
// is known to the tolerance, or so many chunks have ended that it tells the
// throughput anyway. Under a shared lock it is only the latter: some workers
// wait long while others run on, and calls vary a lot at a steady throughput.
func (o Observation) settled(tolerance float64) bool {
	return o.Age >= minEpoch && o.Items >= minItems && 4*o.Reporting >= 3*o.Running &&
		(o.error() <= tolerance || o.Age >= longEpoch && o.Chunks >= manyChunks)
}

// idle returns the share of the cores that the workers could use and do not,
// 0 if unknown.
func (o Observation) idle() float64 {
	usable := float64(min(o.Running, o.Procs))
	if o.Occupied > 0 {
		usable = min(usable, o.Occupied)
	}
	if o.Cores < 0 || usable == 0 {
		return 0
	}
	return max(0, 1-o.Cores/usable)
}
