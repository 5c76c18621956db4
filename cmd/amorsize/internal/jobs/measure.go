package jobs

import (
	"iter"
	"slices"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// measureJobs bounds a measurement.
const measureJobs = 200

// Measure runs items one after the other until the budget is used up, and returns their cost. Failures are counted
// in state.
func Measure(cfg Config, state *State) Cost {
	r := &run{cfg: cfg, state: state}
	state.Began = time.Now()
	state.Total.Store(-1)
	next, stop := iter.Pull(cfg.Items)
	defer stop()
	r.next = next
	alone := &Plan{Slots: 1, Fixed: true, Batch: 1, Most: 1}
	batch := max(1, cfg.Batch.Fixed)
	for i := 0; i < measureJobs && time.Since(state.Began) < cfg.Budget && cfg.Control.Stopped() == nil; i++ {
		n := batch
		if cfg.Batch.Auto {
			n = []int{1, 1, 8, 1, 32, 1}[i%6]
		}
		j := r.take(n)
		if j == nil {
			break
		}
		r.stream(slices.Values([]*Job{j}), alone)
		r.observed.add(j)
	}
	return r.observed.cost()
}

// Collect returns up to n items, all of them if n is 0.
func Collect(list iter.Seq[items.Item], n int) (all []items.Item) {
	for it := range list {
		if all = append(all, it); len(all) == n {
			break
		}
	}
	return all
}
