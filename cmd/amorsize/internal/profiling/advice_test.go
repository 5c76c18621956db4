package profiling

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/sampling"
)

// The text says what is measured, what follows, and how to run it.
func TestText(t *testing.T) {
	m := waits()
	m.Failed, m.First = 2, errors.New("item 1: exit 3")
	m.Start, m.Item = 90*ms, ms
	p := profileOf(t, &Target{Subject: &model{sample: m}, What: "curl {}", Argv: []string{"curl", "{}"}}, 1000)
	text := p.Text(ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorNever))
	for _, want := range []string{
		"curl {}\n  item 100 ms ± 10 %  CPU 5.00 ms  waiting 95 %  memory 2.00 MB  (10 sampled)\n", "  class: I/O-bound\n",
		"2 of them failed, first: item 1: exit 3", "\n\n  workers   expected   speedup\n", "\n>", " -> at best ", "which a run measures\n  run: ", "recommend: " + ui.Plural(p.Workers, "worker"),
		"run:       amorsize run --batch auto -- curl {}   (measures the number itself; -j " + strconv.Itoa(p.Workers) + " fixes it)",
	} {
		require.Contains(t, text, want)
	}
	require.Contains(t, text, "limits                 slots", "what an item costs, and what each limit allows")
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"target":"curl {}"`)
	p.measured.Failed = 1
	require.Contains(t, p.Text(ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorNever)), "1 of them failed, first: item 1")
	at := fmt.Sprintf("\n> %7d ", p.Workers)
	require.Contains(t, text, at, "what is recommended is marked")
	require.Equal(t, 1, strings.Count(text, "\n>"), "and nothing else")
	p.measured.CV = 1
	require.Contains(t, p.Text(ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorNever)), "item 100 ms ± 100 %")
	p.measured.Failed = 0
	require.NotContains(t, p.Text(ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorNever)), "of them failed")
}

// Batches are recommended where a start takes ten times as long as an item, and a speed where
// there is more than one worker.
func TestAdvice(t *testing.T) {
	target := &Target{Argv: []string{"do"}}
	two := jobs.Limit{Name: "items", Slots: 2}
	for _, c := range []struct {
		start, item time.Duration
		workers     int
		batch, fast bool
	}{
		{11 * ms, ms, 2, true, true},
		{10 * ms, ms, 2, false, true},
		{100 * ms, 20 * ms, 1, false, false},
		{0, 0, 3, false, true},
	} {
		p := &Profile{target: target, measured: Measured{Cost: jobs.Cost{Start: c.start, Item: c.item}}}
		p.Workers, p.Binding = c.workers, two.Name
		p.Predicted = []Predicted{{Workers: 1, Speedup: 1}, {Workers: 2, Speedup: 2}, {Workers: 3, Speedup: 3}}
		require.Equal(t, c.batch, strings.Contains(p.advice(), "--batch auto"), "%+v", c)
		require.Equal(t, c.fast, strings.Contains(p.advice(), "× as fast as one"), "%+v", c)
	}
}

// A sample by one caller knows nothing of the room of what is called.
func TestSpeedup(t *testing.T) {
	require.Equal(t, " -> about 1.9× as fast as one", speedup(sampling.CPUBound, 1.9))
	for _, class := range []sampling.Workload{sampling.Mixed, sampling.IOBound} {
		require.Equal(t, " -> at best 400.0× as fast as one,\n             if what the calls wait for can serve all of them, which a run measures", speedup(class, 400))
	}
}

// How a function of each shape is called over items.
func TestCallCode(t *testing.T) {
	for _, c := range []struct {
		fn   gofunc.Function
		want string
	}{
		{gofunc.Function{Code: "p.F", Context: true, Result: true, Fails: true}, "results, err := amorsize.ExecuteContext(ctx, p.F, items"},
		{gofunc.Function{Code: "p.F", Result: true, Fails: true}, "results, err := amorsize.Execute(p.F, items"},
		{gofunc.Function{Code: "p.F", Result: true, Type: "func(n int) int"}, "results, err := amorsize.Execute(func(item int) (int, error) { return p.F(item), nil }, items"},
		{gofunc.Function{Code: "p.F", Result: true, Context: true, Type: "func(ctx context.Context, n []byte) map[string]int"},
			"results, err := amorsize.ExecuteContext(ctx, func(ctx context.Context, item []byte) (map[string]int, error) { return p.F(ctx, item), nil }, items"},
		{gofunc.Function{Code: "p.F", Context: true, Fails: true}, "err := amorsize.ForEach(ctx, p.F, items"},
		{gofunc.Function{Code: "p.F", Fails: true, Type: "func(string) error"},
			"err := amorsize.ForEach(ctx, func(ctx context.Context, item string) error { return p.F(item) }, items"},
		{gofunc.Function{}, "err := amorsize.ForEach(ctx, func(ctx context.Context, item T) error { fn(item); return nil }, items"},
		{gofunc.Function{Code: "p.F", Result: true, Fails: true, Context: true, Batch: true}, "results, err := amorsize.ExecuteBatches(ctx, p.F, items"},
		{gofunc.Function{Code: "p.F", Result: true, Batch: true, Type: "func(ns []int) []int"},
			"results, err := amorsize.ExecuteBatches(ctx, func(ctx context.Context, item []int) ([]int, error) { return p.F(item), nil }, items"},
		{gofunc.Function{Code: "p.F", Result: true, Fails: true, Batch: true, Type: "func(ns []int) ([]int, error)"},
			"results, err := amorsize.ExecuteBatches(ctx, func(ctx context.Context, item []int) ([]int, error) { return p.F(item) }, items"},
		{gofunc.Function{Code: "p.F", Type: "Handler"}, "err := amorsize.ForEach(ctx, func(ctx context.Context, item T) error { p.F(item); return nil }, items"},
		{gofunc.Function{Code: "p.F", Type: "func()"}, "err := amorsize.ForEach(ctx, func(ctx context.Context, item T) error { p.F(item); return nil }, items"},
		{gofunc.Function{Code: "p.F", Fails: true, Batch: true, Type: "func(ns []int) error"},
			"results, err := amorsize.ExecuteBatches(ctx, func(ctx context.Context, item []int) ([]struct{}, error) { return make([]struct{}, len(item)), p.F(item) }, items"},
		{gofunc.Function{Code: "p.F", Batch: true, Type: "func(ns []int)"},
			"results, err := amorsize.ExecuteBatches(ctx, func(ctx context.Context, item []int) ([]struct{}, error) { p.F(item); return make([]struct{}, len(item)), nil }, items"},
	} {
		require.Equal(t, c.want, callCode(&c.fn))
	}
}

// One worker is a number that the code has to name, as several are not; batches have a size of their own.
func TestAdviceOfFunctions(t *testing.T) {
	for _, c := range []struct {
		workers int
		batch   bool
		want    string
	}{
		{1, false, "amorsize.ForEach(ctx, p.F, items, amorsize.WithWorkers(1))\n"},
		{4, false, "amorsize.ForEach(ctx, p.F, items)\n"},
		{1, true, "return make([]struct{}, len(item)), p.F(ctx, item) }, items)\n"},
		{4, true, "return make([]struct{}, len(item)), p.F(ctx, item) }, items)\n"},
	} {
		p := &Profile{Workers: c.workers, target: &Target{Function: &gofunc.Function{Code: "p.F", Context: true, Fails: true, Batch: c.batch}}}
		require.Contains(t, p.advice(), c.want)
		require.Equal(t, c.batch, strings.Contains(p.advice(), "amorsize.ExecuteBatches(ctx, "))
	}
}
