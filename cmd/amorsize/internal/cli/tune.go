package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
)

// table is what a ladder of worker counts achieved.
type table struct {
	V         int          `json:"v"`
	Cmd       string       `json:"cmd"`
	Target    string       `json:"target"`
	Items     int          `json:"items"`
	Rounds    int          `json:"rounds"`
	Rows      []row        `json:"rows"`
	Knee      int          `json:"knee"` // fewest workers within 5 % of the best
	Best      int          `json:"best"`
	USL       *usl.Fit     `json:"usl,omitempty"`
	Predicted int          `json:"predicted_workers"` // by profile
	Off       float64      `json:"predicted_off"`     // how much longer that took than the best, 0.03 is 3 %
	Host      summary.Host `json:"host"`
}

// row is what so many workers, or items in a batch, achieved: medians of the rounds.
type row struct {
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

// tuneRounds is how often each rung is measured, in turn with the others, so that
// what else the machine does falls on all of them.
const tuneRounds = 3

func newTune() *cobra.Command {
	var f measureFlags
	var most int
	c := &cobra.Command{
		Use:     "tune [flags] PKG.Func | -- command [argument]...",
		Aliases: []string{"compare"},
		Short:   "Measure a ladder of worker counts: scaling table, knee, model",
		Long: `Run the items by 1, 2, 4, … workers, several times in turn, and tell what each
achieved, from where more don't pay, and how far the prediction of profile was
off. With --batch auto, several sizes of a batch are measured as well. As many
items are run as the budget allows. Results are dropped.` + goHelp,
		Example: `  amorsize tune ./calc.Square --range 1000
  amorsize tune -a files --budget 1m -- gzip -c {}`,
		RunE: func(c *cobra.Command, args []string) error { return tune(c, &f, most, args) },
	}
	g := newGroup("Ladder")
	g.set.IntVar(&most, "max-workers", 0, "the highest rung (default: four times what profile recommends)")
	f.bind(c, 30*time.Second, g)
	return c
}

func tune(c *cobra.Command, f *measureFlags, most int, args []string) error {
	if most < 0 {
		return exit.Usagef("--max-workers %d: want 1 or more", most)
	}
	s, sub, head, err := f.open(c, args)
	if err != nil {
		return err
	}
	defer sub.close()
	defer func() { _ = s.input.Close() }()
	ctx, stop := s.interruptible()
	defer stop()
	list, err := s.measurable()
	if err != nil {
		return err
	}
	budget := f.budget
	f.budget = min(2*time.Second, budget/10)
	p, m, err := f.profile(ctx, s, sub, head, list)
	if err = s.interrupted(err); err != nil {
		return err
	}
	top := 4 * max(p.Workers, runtime.GOMAXPROCS(0))
	if most > 0 {
		top = most
	}
	rungs := ladder(p.Workers, top, len(list))
	list = affordable(list, m.Cost, rungs, budget)
	rungs = ladder(min(p.Workers, len(list)), top, len(list))
	t := &table{
		V: summary.Version, Cmd: "tune", Target: head.what, Items: len(list), Rounds: tuneRounds,
		Predicted: min(p.Workers, len(list)), Host: p.Host,
	}
	s.term.Sayf("amorsize: %s · %s items × %d rounds × %d worker counts · %s", head.what, jobs.Count(len(list)), tuneRounds, len(rungs), "results are dropped")
	if err := s.interrupted(t.climb(ctx, sub, list, rungs)); err != nil {
		return err
	}
	if s.batch.Auto {
		if err := t.batches(ctx, sub, list); err != nil {
			return err
		}
	}
	t.conclude()
	if err := t.show(s, f.json); err != nil {
		return err
	}
	return keepHistory(s, "tune", head.what, t)
}

// affordable returns as many items as can be run on all rungs within the budget.
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
func (t *table) climb(ctx context.Context, sub subject, list []items.Item, rungs []int) error {
	rows := make([]row, len(rungs))
	for round := range tuneRounds {
		for i := range rungs {
			if round%2 == 1 {
				i = len(rungs) - 1 - i
			}
			r, err := sub.at(ctx, list, rungs[i])
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
func (t *table) batches(ctx context.Context, sub subject, list []items.Item) error {
	t.conclude()
	sizes := []int{4, 16, 64, 256}
	set := func(n int) {
		switch sub := sub.(type) {
		case *commandSubject:
			sub.s.batch = jobs.BatchSize{Fixed: n}
		case *functionSubject:
			sub.batch = n
		}
	}
	var rows []row
	for range tuneRounds {
		for i, n := range sizes {
			if n*2 > len(list) {
				continue
			}
			if len(rows) <= i {
				rows = append(rows, row{Workers: t.Knee, Batch: n})
			}
			set(n)
			r, err := sub.at(ctx, list, t.Knee)
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

func (r *row) add(one rung) {
	r.walls = append(r.walls, one.Wall.Seconds())
	r.P95 = max(r.P95, one.P95.Seconds())
	r.CPU += one.CPU.Seconds() / one.Wall.Seconds() / float64(runtime.GOMAXPROCS(0)) / tuneRounds
	r.Memory = max(r.Memory, one.Memory)
	r.Failed += one.Failed
}

func (r *row) median() {
	slices.Sort(r.walls)
	r.Wall = r.walls[len(r.walls)/2]
	r.Spread = (r.walls[len(r.walls)-1] - r.walls[0]) / 2 / r.Wall
}

// conclude finds the knee, fits the law, and looks at the prediction.
func (t *table) conclude() {
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

func (t *table) show(s *session, asJSON bool) error {
	if asJSON {
		raw, err := json.Marshal(t)
		if err != nil {
			return err
		}
		return s.term.Text(append(raw, '\n'), false)
	}
	return s.term.Text([]byte(t.text()), false)
}

func (t *table) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%9s %9s %6s %10s %8s %11s %9s %6s %9s\n", t.Target, "workers", "wall", "", "items/s", "speedup", "efficiency", "p95", "CPU", "memory")
	for _, r := range t.Rows {
		mark, note := " ", ""
		switch {
		case r.Batch > 1:
			note = fmt.Sprintf("   %d items a job", r.Batch)
		case r.Workers == t.Knee:
			mark, note = ">", "   knee: within 5 % of the best with the fewest workers"
		case r.Workers > t.Best && r.Speedup < 0.95*t.best():
			note = "   slower again"
		}
		if r.Failed > 0 {
			note += fmt.Sprintf("   %d failed", r.Failed)
		}
		memory := "-"
		if r.Memory > 0 {
			memory = jobs.Bytes(r.Memory)
		}
		fmt.Fprintf(&b, "%s %7d %9s ±%3.0f %% %10s %8.2f %9.0f %% %9s %4.0f %% %9s%s\n", mark, r.Workers, jobs.ShortSeconds(r.Wall), 100*r.Spread,
			number(r.Rate), r.Speedup, 100*r.Efficiency, jobs.ShortSeconds(r.P95), 100*r.CPU, memory, note)
	}
	if t.USL != nil {
		fmt.Fprintf(&b, "model: USL sigma %.3g, kappa %.3g (R² %.2f)", t.USL.Sigma, t.USL.Kappa, t.USL.R2)
		if peak := t.USL.Peak(); peak > 0 && peak < 100_000 {
			b.WriteString("; peak at " + ui.Plural(peak, "worker"))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "profile recommends %d: %.1f %% slower than the best, which is %d\n", t.Predicted, 100*t.Off, t.Best)
	return b.String()
}

func (t *table) best() (speedup float64) {
	for _, r := range t.Rows {
		if r.Workers == t.Best && r.Batch <= 1 {
			speedup = r.Speedup
		}
	}
	return speedup
}

func number(x float64) string {
	switch {
	case x >= 1000:
		return jobs.Count(int(x + 0.5))
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.1f", x)
}
