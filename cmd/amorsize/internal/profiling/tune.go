package profiling

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
)

// Table is the throughput of a series of worker counts.
type Table struct {
	V         int          `json:"v"`
	Cmd       string       `json:"cmd"`
	Target    string       `json:"target"`
	Items     int          `json:"items"`
	Rounds    int          `json:"rounds"`
	Rows      []Row        `json:"rows"`
	Knee      int          `json:"knee"` // fewest workers within 5 % of the best
	Best      int          `json:"best"`
	USL       *usl.Fit     `json:"usl,omitempty"`
	Predicted int          `json:"predicted_workers"` // by profile
	Off       float64      `json:"predicted_off"`     // how much longer that took than the best, 0.03 means 3 %
	Host      summary.Host `json:"host"`
}

// Row is the result of a number of workers, or of items in a batch: medians of the rounds.
type Row struct {
	Workers    int     `json:"workers"`
	Batch      int     `json:"batch"`
	Wall       float64 `json:"wall_s"`
	Spread     float64 `json:"spread"` // half of the range over the median
	Rate       float64 `json:"rate_per_s"`
	Speedup    float64 `json:"speedup"`
	Efficiency float64 `json:"efficiency"`
	P95        float64 `json:"p95_s"`
	CPU        float64 `json:"cpu"` // of the cores, 0 to 1
	Memory     int64   `json:"rss_bytes"`
	Failed     int     `json:"failed"`
	walls      []float64
}

// tuneRounds is how often each rung is measured, in turn with the others, so that other load on the machine
// affects all of them.
const tuneRounds = 3

// Climb says how to measure a table.
type Climb struct {
	Budget  time.Duration // for all of it, about
	Most    int           // workers; 0 is four times what the profile recommends
	Total   int           // items that are to be run; -1 if it is not known
	Batches bool          // several sizes of a batch are measured, too
	// Begins is called with what is going to run.
	Begins func(note string)
}

// profileBudget is the part of the budget for the profile that a table begins with.
const (
	profileBudget = 2 * time.Second
	profileShare  = 10 // one part of this many
)

// Tune makes a table: it runs the items with 1, 2, 4, … workers, several times in turn.
func Tune(ctx context.Context, target *Target, list []items.Item, c Climb) (*Table, error) {
	p, err := New(ctx, target, list, Options{Budget: min(profileBudget, c.Budget/profileShare), Total: c.Total})
	if err != nil {
		return nil, err
	}
	top := 4 * max(p.Workers, runtime.GOMAXPROCS(0))
	if c.Most > 0 {
		top = c.Most
	}
	list = affordable(list, p.measured.Cost, ladder(p.Workers, top, len(list)), c.Budget)
	rungs := ladder(min(p.Workers, len(list)), top, len(list))
	t := &Table{
		V: summary.Version, Cmd: "tune", Target: target.What, Items: len(list), Rounds: tuneRounds,
		Predicted: min(p.Workers, len(list)), Host: p.Host,
	}
	c.Begins(fmt.Sprintf("%s · %s items × %d rounds × %d worker counts · results are dropped", target.What, jobs.Count(len(list)), tuneRounds, len(rungs)))
	if err := t.climb(ctx, target, list, rungs); err != nil {
		return nil, err
	}
	if c.Batches {
		if err := t.batches(ctx, target, list); err != nil {
			return nil, err
		}
	}
	t.conclude()
	return t, nil
}

// affordable returns as many items as can run on all rungs within the budget.
func affordable(list []items.Item, c jobs.Cost, rungs []int, budget time.Duration) []items.Item {
	plan := jobs.NewPlan(c, len(list), jobs.Caps{})
	perItem := 0.0
	for _, w := range rungs {
		perItem += (plan.With(w, 10_000) - c.Elapsed).Seconds() / 10_000 * tuneRounds
	}
	n := int(budget.Seconds() / max(perItem, 1e-9))
	return list[:min(len(list), max(n, 8))]
}

// climb measures all rungs, up and down in turn.
func (t *Table) climb(ctx context.Context, sub Subject, list []items.Item, rungs []int) error {
	rows := make([]Row, len(rungs))
	for round := range tuneRounds {
		for i := range rungs {
			if round%2 == 1 {
				i = len(rungs) - 1 - i
			}
			r, err := sub.RunAt(ctx, list, rungs[i], 0)
			if err != nil {
				return err
			}
			rows[i].Workers, rows[i].Batch = rungs[i], 1
			rows[i].add(r)
		}
	}
	for i := range rows {
		rows[i].median()
		rows[i].Rate = float64(len(list)) / rows[i].Wall
	}
	t.Rows = rows
	return nil
}

// batches measures some sizes of a batch with the workers of the knee.
func (t *Table) batches(ctx context.Context, sub Subject, list []items.Item) error {
	t.conclude()
	sizes := []int{4, 16, 64, 256}
	var rows []Row
	for range tuneRounds {
		for i, n := range sizes {
			if n*2 > len(list) {
				continue
			}
			if len(rows) <= i {
				rows = append(rows, Row{Workers: t.Knee, Batch: n})
			}
			r, err := sub.RunAt(ctx, list, t.Knee, n)
			if err != nil {
				return err
			}
			rows[i].add(r)
		}
	}
	for i := range rows {
		rows[i].median()
		rows[i].Rate = float64(len(list)) / rows[i].Wall
	}
	t.Rows = append(t.Rows, rows...)
	return nil
}

func (r *Row) add(one Rung) {
	r.walls = append(r.walls, one.Wall.Seconds())
	r.P95 = max(r.P95, one.P95.Seconds())
	r.CPU += one.CPU.Seconds() / one.Wall.Seconds() / float64(runtime.GOMAXPROCS(0)) / tuneRounds
	r.Memory = max(r.Memory, one.Memory)
	r.Failed += one.Failed
}

func (r *Row) median() {
	slices.Sort(r.walls)
	r.Wall = r.walls[len(r.walls)/2]
	r.Spread = (r.walls[len(r.walls)-1] - r.walls[0]) / 2 / r.Wall
}

// conclude finds the knee, fits the law, and checks the prediction.
func (t *Table) conclude() {
	best, one := 0.0, t.Rows[0].Rate
	var points []usl.Point
	for i := range t.Rows {
		r := &t.Rows[i]
		r.Speedup = r.Rate / one
		r.Efficiency = r.Speedup / float64(r.Workers)
		if r.Batch > 1 {
			continue
		}
		points = append(points, usl.Point{Workers: r.Workers, Rate: r.Rate})
		if r.Rate > best {
			best, t.Best = r.Rate, r.Workers
		}
	}
	for _, r := range t.Rows {
		if r.Batch <= 1 && r.Rate >= 0.95*best {
			t.Knee = r.Workers
			break
		}
	}
	if fit, ok := usl.New(points); ok {
		t.USL = &fit
	}
	for _, r := range t.Rows {
		if r.Batch <= 1 && r.Workers == t.Predicted {
			t.Off = best/r.Rate - 1
		}
	}
}
