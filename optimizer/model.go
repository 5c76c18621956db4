package optimizer

import (
	"math"
	"time"
)

// Model predicts how long work takes when workers share it.
//
//	makespan(n, k) = alone + (work − alone) / C(n) + result × items / 2
//	               + spawn × n + chunk × ⌈items / k⌉ + tail
//	C(n)           = n / (1 + σ(n−1) + κn(n−1))
//
// C is the relative capacity of n workers by Gunther's universal scalability law
// ("Guerrilla Capacity Planning", 2007); with κ = 0 it is Amdahl's law. Half of the time
// for passing on results overlaps with computing them.
type Model struct {
	Work  time.Duration // all items, one after the other, on one worker
	Items int           // how many items that is

	JoinDelay  time.Duration // until helpers have started; meanwhile the caller works alone
	SpawnCost  time.Duration // per worker
	ChunkCost  time.Duration // per chunk
	ResultCost time.Duration // per item
	Tail       time.Duration // the end, when some workers have run out of items

	Contention float64 // σ, the share of the work that only one worker can do at a time
	Coherency  float64 // κ, the cost of coordination between workers
}

// Capacity returns C(workers): how many times faster than one worker they are, without
// overheads.
func (m Model) Capacity(workers int) float64 {
	n := float64(workers)
	return n / (1 + m.Contention*(n-1) + m.Coherency*n*(n-1))
}

// Makespan predicts the time from start to end with workers that claim chunk items at a
// time. Values below 1 count as 1.
func (m Model) Makespan(workers, chunk int) time.Duration {
	workers, chunk = max(1, workers), max(1, chunk)
	alone := min(m.Work, m.JoinDelay)
	chunks := math.Ceil(float64(m.Items) / float64(chunk))
	nanos := float64(alone) + float64(m.Work-alone)/m.Capacity(workers) +
		float64(m.ResultCost)*float64(m.Items)/2 +
		float64(m.SpawnCost)*float64(workers) +
		float64(m.ChunkCost)*chunks + float64(m.Tail)
	return duration(nanos)
}

// Speedup predicts how many times faster than the plain loop that is. It is 1 for no work
// and for no workers.
func (m Model) Speedup(workers, chunk int) float64 {
	if m.Work <= 0 || workers < 1 {
		return 1
	}
	return float64(m.Work) / float64(m.Makespan(workers, chunk))
}

// ChunkSize returns how many items of itemNanos each make a chunk that takes about
// target, at least 1. It leaves every worker several chunks, so that the last ones can
// even out imbalances; items < 0 means that the number of items is unknown and binds
// nothing. Calls that vary a lot (cv > 0.5) make smaller chunks. With an unknown cost (0)
// the chunk is 1.
func ChunkSize(itemNanos, cv float64, target time.Duration, items, workers int) int {
	if itemNanos <= 0 {
		return 1
	}
	size := float64(target) / itemNanos
	if cv > 0.5 {
		size /= 1 + cv
	}
	if items >= 0 {
		size = min(size, float64(items/(chunksPerWorker*max(1, workers))))
	}
	return int(max(1, min(size, math.MaxInt32)))
}

// chunksPerWorker is the least number of chunks that a worker should get if all items
// were divided at once.
const chunksPerWorker = 4

// LoadAware returns how many of base workers a busy machine should run: three quarters
// from 70 % of CPU load or 75 % of memory in use, half from 90 % of either, never less
// than 1. Negative percentages are unknown and bind nothing.
func LoadAware(base int, cpuPercent, memoryPercent float64) int {
	quarters := 4
	if cpuPercent >= 70 || memoryPercent >= 75 {
		quarters = 3
	}
	if cpuPercent >= 90 || memoryPercent >= 90 {
		quarters = 2
	}
	return max(1, base*quarters/4)
}

// duration turns nanoseconds into a Duration without overflow.
func duration(nanos float64) time.Duration {
	if nanos >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanos)
}
