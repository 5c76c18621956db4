package optimizer

import (
	"math"
	"time"

	"github.com/amorsize/amorsize/sampling"
)

// predict returns the time for the remaining items with a number of workers.
func (p *planner) predict(workers int) time.Duration {
	if workers == 1 {
		return p.work
	}
	if p.workload != sampling.CPUBound {
		return p.predictWaiting(workers)
	}
	chunk := p.chunk(workers)
	model := Model{
		Work: p.work, Items: p.left,
		JoinDelay:  joinDelay,
		SpawnCost:  spawnCost,
		ChunkCost:  chunkCost / time.Duration(workers), // workers claim in parallel
		Tail:       p.tail(chunk),
		Contention: contention,
	}
	// Workers in excess of the cores share them, at a cost.
	cores := min(workers, max(1, p.host.Procs))
	took := model.Makespan(cores, chunk) + time.Duration(workers-cores)*spawnCost
	return max(took, p.longest())
}

// tail is how long the other workers wait for the last chunk on average.
func (p *planner) tail(chunk int) time.Duration {
	return duration(p.sample.ItemNanos * (float64(chunk) + p.sample.CV) / 2)
}

// longest is the lower bound of any schedule.
func (p *planner) longest() time.Duration { return p.sample.ItemTime() }

// predictWaiting follows the engine's ramp: it starts with a first window and multiplies
// it after each round of calls, as far as workers. The last round takes as long as the
// longest call in it. The cores set a lower bound. The capacity of the service is not
// known yet.
func (p *planner) predictWaiting(workers int) time.Duration {
	cores := float64(max(1, p.host.Procs))
	computing := float64(p.work) * p.sample.ComputeShare() / min(cores, float64(workers))
	item, sigma := p.sample.ItemNanos, math.Sqrt(math.Log1p(p.sample.CV*p.sample.CV))
	window, waiting := workers, 0.0
	if p.c.Workers == 0 && !p.c.ComputeOnly {
		window = min(First(p.sample, p.host.Procs), workers)
		if shortest := item * math.Exp(-1.8*sigma); shortest > float64(Patience) && window < workers {
			window, waiting = min(2*window, workers), float64(Patience)
		}
	}
	left := p.left
	for ; left > window && window < workers; window = min(int(float64(window)*RampFactor), workers) {
		waiting += item
		left -= window
	}
	rounds := math.Ceil(float64(left) / float64(window))
	waiting += (rounds - 1 + longestOf(min(left, window), sigma)) * item
	return duration(max(waiting, computing) + float64(spawnCost)*float64(workers))
}

// longestOf returns how long the longest of n calls takes, relative to their mean, if the
// logarithm of their times is normal with a standard deviation of sigma (the expected
// extreme: Cramér, "Mathematical Methods of Statistics", 1946, 28.6).
func longestOf(n int, sigma float64) float64 {
	if n < 3 {
		return 1
	}
	z := math.Sqrt(2 * math.Log(float64(n)))
	z -= (math.Log(math.Log(float64(n))) + math.Log(4*math.Pi)) / (2 * z)
	return max(1, math.Exp(sigma*z-sigma*sigma/2))
}

// heldBack returns the least time of the run under the rate of a policy: all calls but a
// burst wait for their turn. 0 is no bound.
func (p *planner) heldBack() time.Duration {
	if p.c.Rate <= 0 {
		return 0
	}
	return duration(max(0, float64(p.c.Items)-p.c.Burst)/p.c.Rate*1e9 + p.sample.ItemNanos)
}

// foresee predicts the time of the run. A rate does not influence the number of workers,
// since it applies equally to all candidates.
func (p *planner) foresee(out *Plan) {
	took, held := duration(float64(p.sample.Elapsed)+float64(p.best.Duration)), p.heldBack()
	out.PredictedDuration = max(took, held)
	loop := max(float64(p.sample.Elapsed)+float64(p.work), float64(held))
	out.PredictedSpeedup = loop / max(1, float64(out.PredictedDuration))
	out.AtBest = out.Mode == Parallel && p.workload != sampling.CPUBound && p.c.Workers == 0 && !p.c.ComputeOnly && held <= took
	for i := range out.Candidates {
		c := &out.Candidates[i]
		if rest := held - p.sample.Elapsed; c.Duration < rest {
			c.Duration = rest
			c.Speedup = max(float64(p.work), float64(rest)) / float64(rest)
		}
	}
}
