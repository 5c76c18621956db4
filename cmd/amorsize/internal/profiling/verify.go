package profiling

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/sampling"
)

// The trials of a number of workers, each with a few items for every worker.
const (
	trials       = 3
	trialPerEach = 4
)

// verify tries the recommended number of workers if the work waits. Alone, an item costs the cores more than in
// parallel, since the cost of waking up is shared; and the service may have room for fewer.
func (p *Profile) verify(ctx context.Context, sub Subject, list []items.Item, m *Measured, total int) error {
	if m.Class() == sampling.CPUBound {
		return nil
	}
	cores := runtime.GOMAXPROCS(0)
	for range trials {
		workers := min(p.Workers, len(list))
		if workers < 2 {
			return nil
		}
		r, err := sub.RunAt(ctx, list[:min(len(list), trialPerEach*workers)], workers, 0)
		if err != nil {
			return err
		}
		achieved := float64(r.Items) / r.Wall.Seconds()
		busy := r.CPU.Seconds() / r.Wall.Seconds() / float64(cores)
		rounds := math.Ceil(float64(r.Items) / float64(workers))
		expected := float64(r.Items) / (rounds * m.Wall.Seconds())
		if achieved < 0.7*expected && busy < 0.7 { // Little's law, and a quarter to spare
			p.Workers, p.Binding = max(1, int(math.Ceil(1.25*achieved*m.Wall.Seconds()))), "shared resource"
			p.Limits = append(p.Limits, jobs.Limit{Name: p.Binding, Slots: p.Workers})
			m.Served = achieved
			return nil
		}
		before := m.CPU
		m.CPU = min(m.CPU, r.CPU/time.Duration(r.Items))
		plan := jobs.NewPlan(m.Cost, total, jobs.Caps{Files: process.FileSlots()})
		p.CPU, p.Class, p.Workers, p.Binding, p.Limits = m.CPU.Seconds(), m.Class().String(), plan.Slots, plan.Binding, plan.Limits
		if float64(m.CPU) > 0.8*float64(before) || p.Workers <= workers {
			return nil
		}
	}
	return nil
}
