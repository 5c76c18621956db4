package optimizer

import (
	"math"
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/sampling"
)

// The engine's own costs, measured on Go 1.26 (docs/how-it-works.md).
const (
	// DefaultTargetChunk is how long a chunk should take: long compared with the 100 ns
	// that claiming and timing it cost, short compared with the run.
	DefaultTargetChunk = 100 * time.Microsecond

	// spawnCost is what starting a worker costs the caller.
	spawnCost = time.Microsecond
	// joinDelay is how long a helper takes to start when its thread sleeps.
	joinDelay = 150 * time.Microsecond
	// chunkCost is a claim and a reading of the clock.
	chunkCost = 100 * time.Nanosecond
	// contention is the share of a CPU-bound workload that does not scale: on two cores
	// the best hand-written loop is 1.92 times as fast as one worker.
	contention = 0.04
	// LeastWork is how much work must remain for a second worker to gain anything: waking
	// a sleeping thread takes 90 µs to 3 ms.
	LeastWork = 200 * time.Microsecond
	// minGain is the speed-up below which a second worker is not worthwhile.
	minGain = 1.05
)

// The engine's ramp for I/O-bound calls. FirstWindow is how many run at once as soon as
// calls are found to be I/O-bound. RampFactor multiplies that after each round in which
// the service shows no sign of slowing down. If none of the first calls has ended after
// Patience, as many more are started.
const (
	FirstWindow = 16
	RampFactor  = adaptive.FirstGrowth
	Patience    = adaptive.Patience
)

// First returns how many calls like the sampled ones run at once at the start, if they
// are I/O-bound: enough to keep procs cores busy, and FirstWindow if they do almost
// nothing but wait.
func First(s sampling.Sample, procs int) int {
	if s.Workload() == sampling.IOBound {
		return FirstWindow
	}
	return min(FirstWindow, int(math.Ceil(float64(max(1, procs))/s.ComputeShare())))
}

// MaxWaiting is the maximum of workers for a run of I/O-bound calls unless the caller
// fixes a number: above it the memory of the goroutines themselves (about 4 KiB each, and
// the connections they hold) begins to matter.
const MaxWaiting = 1 << 14

// StackBytes is the memory that a worker itself needs.
const StackBytes = 16 << 10

// New makes the plan for a run whose first sample.Items items have been measured. It
// never fails: unknown facts are left out and named in Warnings.
func New(sample sampling.Sample, host sampling.Host, c Constraints) Plan {
	p := planner{sample: sample, host: host, c: c}
	if p.c.TargetChunk <= 0 {
		p.c.TargetChunk = DefaultTargetChunk
	}
	p.left = max(0, c.Items-sample.Items)
	p.work = sample.Estimate(p.left)
	p.workload = sample.Workload()

	p.bound()
	p.search()
	return p.plan()
}

// Ceiling returns the maximum of workers for a run if its calls turn out to be I/O-bound:
// what the plan's MaxWorkers would then be.
func Ceiling(sample sampling.Sample, host sampling.Host, c Constraints) int {
	p := planner{sample: sample, host: host, c: c, left: c.Items - sample.Items, workload: sampling.IOBound}
	p.bound()
	return p.most
}

// planner is the state while a plan is made.
type planner struct {
	sample   sampling.Sample
	host     sampling.Host
	c        Constraints
	left     int           // items not run yet
	work     time.Duration // their time, one after the other
	workload sampling.Workload

	limits     []Limit
	most       int // the tightest limit
	candidates []Candidate
	best       Candidate
	warnings   []string
}

// bound collects what limits the number of workers.
func (p *planner) bound() {
	p.most = math.MaxInt
	add := func(name string, workers int) {
		workers = max(1, workers)
		p.limits = append(p.limits, Limit{Name: name, Workers: workers})
		p.most = min(p.most, workers)
	}
	cores := max(1, p.host.Procs)
	switch {
	case p.c.Workers > 0:
		add("WithWorkers", p.c.Workers)
	case p.workload == sampling.CPUBound || p.c.ComputeOnly:
		add("cores", cores)
	default:
		add("calls in flight", MaxWaiting)
	}
	if p.c.MaxWorkers > 0 {
		add("WithMaxWorkers", p.c.MaxWorkers)
	}
	add("items", p.left)
	p.boundByMemory(add)
	if p.c.LoadAware && p.c.Workers == 0 {
		add("load", LoadAware(min(p.most, cores), p.host.LoadPercent(), p.host.MemoryPercent()))
	}
	for i := range p.limits {
		p.limits[i].Binding = p.limits[i].Workers == p.most
	}
	p.warnings = append(p.warnings, p.host.Warnings...)
	if p.guesses() {
		p.warnings = append(p.warnings, "CPU share of the calls unknown: assumed to be CPU-bound until measured")
	}
}

// guesses reports whether items are left that are not known to be CPU-bound.
func (p *planner) guesses() bool {
	return !p.sample.CPUKnown && p.sample.Items > 0 && p.left > 0 && p.sample.ItemTime() > 0
}

// search predicts every candidate and keeps the smallest that is within 2 % of the best.
func (p *planner) search() {
	loop := p.work
	for _, workers := range ladder(p.most) {
		took := p.predict(workers)
		speedup := 1.0
		if took > 0 {
			speedup = float64(loop) / float64(took)
		}
		p.candidates = append(p.candidates, Candidate{workers, took, speedup})
	}
	if p.c.Workers > 0 {
		p.best = p.candidates[len(p.candidates)-1]
		return
	}
	fastest := p.candidates[0]
	for _, c := range p.candidates {
		if c.Duration < fastest.Duration {
			fastest = c
		}
	}
	for _, c := range p.candidates {
		if float64(c.Duration) <= 1.02*float64(fastest.Duration) {
			p.best = c
			break
		}
	}
	if p.best.Speedup < minGain {
		p.best = p.candidates[0]
	}
}

func (p *planner) chunk(workers int) int {
	if p.c.ChunkSize > 0 {
		return p.c.ChunkSize
	}
	return ChunkSize(p.sample.ItemNanos, p.sample.CV, p.c.TargetChunk, p.left, workers)
}

// plan makes the plan from the results.
func (p *planner) plan() Plan {
	out := Plan{
		Mode: Serial, Workers: 1, MaxWorkers: p.most,
		Workload: p.workload, Limits: p.limits, Warnings: p.warnings,
		Sample: p.sample, Host: p.host, Constraints: p.c, Candidates: p.candidates,
	}
	if p.best.Workers > 1 {
		out.Mode, out.Workers = Parallel, p.best.Workers
		if p.workload != sampling.CPUBound && p.c.Workers == 0 && !p.c.ComputeOnly {
			out.Workers = min(out.Workers, First(p.sample, p.host.Procs))
		}
	}
	out.ChunkSize = p.chunk(out.Workers)
	out.PredictedSpeedup = 1
	if p.left > 0 && p.sample.ItemNanos > 0 {
		p.foresee(&out)
	}
	out.Reason = p.reason(out)
	return out
}

// ladder lists the worker counts worth predicting up to most: all up to 8, then each 1.5
// times the one before, then most itself.
func ladder(most int) []int {
	var out []int
	for n := 1; n < most && n <= 8; n++ {
		out = append(out, n)
	}
	for n := 12; n < most; n += n / 2 {
		out = append(out, n)
	}
	return append(out, most)
}
