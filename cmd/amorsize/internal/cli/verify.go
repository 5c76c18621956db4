package cli

import (
	"context"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
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

// verify tries the recommended number of workers, if the work waits: alone, an item
// costs the cores more than in company, since waking up is shared; and whatever is
// waited for may have room for fewer.
func (p *profile) verify(ctx context.Context, sub subject, list []items.Item, m *measured, total int) error {
	if m.Class() == sampling.CPUBound {
		return nil
	}
	cores := runtime.GOMAXPROCS(0)
	for range trials {
		workers := min(p.Workers, len(list))
		if workers < 2 {
			return nil
		}
		r, err := sub.at(ctx, list[:min(len(list), trialPerEach*workers)], workers)
		if err != nil {
			return err
		}
		achieved := float64(r.Items) / r.Wall.Seconds()
		busy := r.CPU.Seconds() / r.Wall.Seconds() / float64(cores)
		rounds := math.Ceil(float64(r.Items) / float64(workers))
		expected := float64(r.Items) / (rounds * m.Wall.Seconds())
		if achieved < 0.7*expected && busy < 0.7 { // Little's law, and a quarter to spare
			p.Workers, p.Binding = max(1, int(math.Ceil(1.25*achieved*m.Wall.Seconds()))), "what is waited for"
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

// The race detector is shown so many items, and is given that much more time than
// the budget: it slows everything down.
const (
	raceItems = 200
	raceTime  = 20 * time.Second
)

// raceCheck asks the race detector.
func (f *measureFlags) raceCheck(ctx context.Context, sub subject, fn *gofunc.Function, list []items.Item) *race {
	function, ok := sub.(*functionSubject)
	if !ok {
		return nil
	}
	target := fn.Target()
	loaded, err := gofunc.Load(ctx, target, gofunc.Options{Tags: f.golang.tags, Race: true})
	if err != nil {
		return &race{Why: err.Error()}
	}
	raced, err := loaded.Function(function.batch > 1)
	if err != nil {
		return &race{Why: err.Error()}
	}
	binary, err := raced.Build(ctx)
	if err != nil {
		return &race{Why: "it can't be built with -race: " + firstLine(err.Error())}
	}
	defer binary.Close()
	limited, cancel := context.WithTimeout(ctx, 5*f.budget+raceTime)
	defer cancel()
	run := function.run(list[:min(len(list), raceItems)])
	run.Workers = 4
	verdict, err := binary.CheckRace(limited, run)
	if err != nil {
		return &race{Why: "it took too long"}
	}
	return &race{Found: verdict.Found, Text: verdict.Text}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
