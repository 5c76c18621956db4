package profiling

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/sampling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

func list(n int) (all []items.Item) {
	for i := range n {
		all = append(all, items.Of(i+1, strconv.Itoa(i+1)))
	}
	return all
}

// model is a subject that takes as long as it is told, without taking it.
type model struct {
	budget time.Duration // that the sample was given
	sample Measured
	err    error
	room   int           // that many at a time are served, others wait; 0 is any number
	shares time.Duration // CPU of an item among others; 0 is that of the sample
	ran    [][2]int      // workers and batch of each RunAt
	items  []int         // of each
	closed int
}

func (m *model) Sample(_ context.Context, _ []items.Item, budget time.Duration) (Measured, error) {
	m.budget = budget
	return m.sample, m.err
}

func (m *model) RunAt(_ context.Context, list []items.Item, workers, batch int) (Rung, error) {
	m.ran, m.items = append(m.ran, [2]int{workers, batch}), append(m.items, len(list))
	if m.err != nil {
		return Rung{}, m.err
	}
	at := workers
	if m.room > 0 {
		at = min(at, m.room)
	}
	rounds := (len(list) + at - 1) / at
	cpu := m.sample.CPU
	if m.shares > 0 {
		cpu = m.shares
	}
	wall := max(time.Duration(rounds)*m.sample.Wall, time.Duration(len(list))*cpu/time.Duration(runtime.GOMAXPROCS(0)))
	return Rung{Items: len(list), Wall: wall, P95: 2 * m.sample.Wall, CPU: time.Duration(len(list)) * cpu, Memory: 1 << 20, Failed: 1}, nil
}

func (m *model) Close() { m.closed++ }

func waits() Measured {
	return Measured{Cost: jobs.Cost{Jobs: 10, Items: 10, Wall: 100 * ms, CPU: 5 * ms, CV: 0.1, Elapsed: time.Second, Memory: 2_000_000}}
}

func computes() Measured {
	return Measured{Cost: jobs.Cost{Jobs: 10, Items: 10, Wall: 100 * ms, CPU: 100 * ms, Elapsed: time.Second}}
}

func profileOf(t *testing.T, target *Target, n int) *Profile {
	t.Helper()
	p, err := New(t.Context(), target, list(n), Options{Budget: time.Second, Total: n})
	require.NoError(t, err)
	return p
}

// What computes is recommended as many workers as cores, and is not tried.
func TestProfileOfComputing(t *testing.T) {
	m := &model{sample: computes()}
	p := profileOf(t, &Target{Subject: m, What: "gzip {}", Argv: []string{"gzip", "{}"}}, 1000)
	require.Equal(t, runtime.GOMAXPROCS(0), p.Workers)
	require.Equal(t, "CPU-bound", p.Class)
	require.Equal(t, "cpu", p.Binding)
	require.Equal(t, []any{"gzip {}", 10, 1000, 0.1}, []any{p.Target, p.Sampled, p.Items, p.Wall})
	require.Empty(t, m.ran)
	require.Equal(t, 1, p.Predicted[0].Workers)
	require.InDelta(t, 100.0, p.Predicted[0].Wall, 0.01)
	require.InDelta(t, 1.0, p.Predicted[0].Speedup, 0.01)
	at := p.Predicted[len(p.Predicted)-1]
	require.InDelta(t, float64(runtime.GOMAXPROCS(0)), at.Speedup, 0.1, "no faster than the cores")
	require.Equal(t, 4*runtime.GOMAXPROCS(0), at.Workers, "four times what is recommended")
}

// What waits is tried: where fewer are served at a time, that is what is recommended.
func TestProfileOfWaiting(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	served := &model{sample: waits()}
	p := profileOf(t, &Target{Subject: served}, 100_000)
	require.Equal(t, "I/O-bound", p.Class)
	require.Equal(t, 25*cores, p.Workers, "5 ms of 100 on a core, and a quarter to spare")
	require.NotEmpty(t, served.ran)
	require.Zero(t, served.ran[0][1], "item by item")
	require.Equal(t, 4*25*cores, served.items[0], "a few for each worker")

	narrow := &model{sample: waits(), room: 4}
	p = profileOf(t, &Target{Subject: narrow}, 100_000)
	require.Equal(t, []any{5, "shared resource"}, []any{p.Workers, p.Binding})
	require.Contains(t, p.Limits, jobs.Limit{Name: "shared resource", Slots: 5})
	last := p.Predicted[len(p.Predicted)-1]
	require.InDelta(t, 100_000/40.0, last.Wall, 1, "it takes 40 a second, whatever the workers")

	cheaper := &model{sample: waits(), shares: ms}
	p = profileOf(t, &Target{Subject: cheaper}, 100_000)
	require.Equal(t, 125*cores, p.Workers, "among others an item costs the cores less")
	require.InDelta(t, 0.001, p.CPU, 1e-9)

	one := &model{sample: waits()}
	profileOf(t, &Target{Subject: one}, 1)
	require.Empty(t, one.ran, "one item tells nothing of two workers")
}

// Of a function, what the race detector finds binds it to one worker.
func TestProfileOfFunctions(t *testing.T) {
	fn := &gofunc.Function{Name: "calc.Square", Type: "func(int) int", Place: "calc.go:3", Code: "calc.Square", Result: true}
	for _, c := range []struct {
		race *Race
		want string
	}{
		{&Race{Found: true, Text: "x is written"}, "not safe for concurrent calls"},
		{&Race{Why: "no cgo"}, ""}, {&Race{}, ""}, {nil, ""},
	} {
		m := &model{sample: waits()}
		m.sample.Allocs, m.sample.Bytes = 3, 64
		target := &Target{Subject: m, Function: fn, Notes: []string{"built before"}}
		if c.race != nil {
			target.CheckRace = func(_ context.Context, list []items.Item) *Race {
				require.Len(t, list, 500)
				return c.race
			}
		}
		p := profileOf(t, target, 500)
		require.Equal(t, []string{"calc.Square", "func(int) int", "calc.go:3"}, []string{p.Target, p.Type, p.Place})
		require.Equal(t, c.race, p.Race)
		text := p.Text(ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorNever))
		require.Contains(t, text, "waiting 95 %  3 allocs 64 B  (")
		if c.want != "" {
			require.Equal(t, []any{1, c.want}, []any{p.Workers, p.Binding})
			require.Empty(t, m.ran)
			require.Contains(t, text, "built before · not safe for concurrent calls: x is written")
			continue
		}
		require.Greater(t, p.Workers, 1)
		require.Equal(t, c.race != nil && c.race.Why == "", strings.Contains(text, "race check: clean"))
		require.Equal(t, c.race != nil && c.race.Why != "", strings.Contains(text, "no race check: no cgo"))
	}
}

// A function that computes has the engine's plan: what binds it, or why it is a loop.
func TestProfileOfFunctionsThatCompute(t *testing.T) {
	fn := &gofunc.Function{Name: "calc.Square"}
	m := &model{sample: computes()}
	p := profileOf(t, &Target{Subject: m, Function: fn}, 500)
	require.Equal(t, []any{runtime.GOMAXPROCS(0), "cores"}, []any{p.Workers, p.Binding})
	m.sample.Wall, m.sample.CPU, m.sample.Elapsed = 20, 20, 200
	p = profileOf(t, &Target{Subject: m, Function: fn}, 20)
	require.Equal(t, 1, p.Workers)
	require.Contains(t, p.Binding, "not enough for a second worker")
	for _, at := range p.Predicted[1:] {
		require.Less(t, at.Speedup, 1.0, "a goroutine costs more than all of the work")
	}
	p = profileOf(t, &Target{Subject: m, Function: fn}, -1)
	require.Greater(t, p.Predicted[1].Speedup, 0.5, "1000 items, if it is not known how many")
}

func TestFails(t *testing.T) {
	why := errors.New("it can't be started")
	_, err := New(t.Context(), &Target{Subject: &model{err: why}}, list(3), Options{})
	require.ErrorIs(t, err, why)
	_, err = Tune(t.Context(), &Target{Subject: &model{err: why}}, list(3), Climb{Budget: time.Second})
	require.ErrorIs(t, err, why)
}

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
	p.measured.Failed = 0
	require.NotContains(t, p.Text(ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorNever)), "of them failed")
}

// scripted is a subject whose trials take what is written.
type scripted struct {
	model
	trials []Rung
}

func (s *scripted) RunAt(_ context.Context, list []items.Item, workers, batch int) (Rung, error) {
	s.ran = append(s.ran, [2]int{workers, batch})
	r := s.trials[0]
	s.trials = s.trials[1:]
	r.Items = len(list)
	return r, nil
}

// The service is what binds if much less is achieved than Little's law says, and the cores are not why. Otherwise
// the trial tells what an item costs the cores in parallel.
func TestVerify(t *testing.T) {
	cores := time.Duration(runtime.GOMAXPROCS(0))
	second := time.Second
	for name, c := range map[string]struct {
		wall, cpu time.Duration // of a trial of 40 items by 10 workers, which should take 0.4 s
		workers   int
		binding   string
		cost      time.Duration
	}{
		"as fast as it should":      {400 * ms, 20 * ms, 25 * int(cores), "cpu", ms / 2},
		"less than 0.7 of it":       {580 * ms, 20 * ms, 9, "shared resource", 5 * ms}, // 69 a second, 0.1 s each, and a quarter
		"a little more than 0.7":    {560 * ms, 20 * ms, 0, "cpu", ms / 2},
		"slow, but cores are busy":  {second, 71 * second * cores / 100, 0, "cpu", 5 * ms},
		"slow, and cores are not":   {second, 69 * second * cores / 100, 5, "shared resource", 5 * ms},
		"dearer than when sampled":  {400 * ms, 400 * ms, 0, "cpu", 5 * ms},
		"as dear as it was sampled": {400 * ms, 200 * ms, 0, "cpu", 5 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			quick := Rung{Wall: 100 * ms, CPU: 20 * ms} // what further trials take, with a worker for each item
			sub := &scripted{trials: []Rung{{Wall: c.wall, CPU: c.cpu}, quick, quick}}
			m, p := waits(), &Profile{Workers: 10}
			require.NoError(t, p.verify(t.Context(), sub, list(40), &m, 100_000))
			require.Equal(t, [2]int{10, 0}, sub.ran[0])
			require.Equal(t, c.binding, p.Binding)
			require.Equal(t, c.cost, m.CPU)
			if c.binding != "cpu" {
				require.Equal(t, c.workers, p.Workers)
				require.InDelta(t, 40/c.wall.Seconds(), m.Served, 1e-9)
				require.Len(t, sub.ran, 1)
			}
		})
	}
}

// What is a fifth cheaper in parallel is tried once more; what is less than that is not.
func TestVerifyAgain(t *testing.T) {
	for cpu, trials := range map[time.Duration]int{160 * ms: 2, 161 * ms: 1} { // of 40 items, which take 5 ms each alone
		sub := &scripted{trials: []Rung{{Wall: 400 * ms, CPU: cpu}, {Wall: 100 * ms, CPU: cpu}}}
		m, p := waits(), &Profile{Workers: 10}
		require.NoError(t, p.verify(t.Context(), sub, list(40), &m, 100_000))
		require.Len(t, sub.ran, trials, cpu)
	}
}

// Of as many or fewer workers than were tried there is nothing more to try.
func TestVerifyEnds(t *testing.T) {
	m, p := waits(), &Profile{Workers: 10_000}
	sub := &scripted{trials: []Rung{{Wall: 100 * ms, CPU: 40 * ms}}}
	require.NoError(t, p.verify(t.Context(), sub, list(40), &m, 40))
	require.Len(t, sub.ran, 1)
	require.Equal(t, [2]int{40, 0}, sub.ran[0], "no more workers than items")
	require.NoError(t, (&Profile{Workers: 1}).verify(t.Context(), &scripted{}, list(40), &m, 40), "one is not tried")
	computing := computes()
	require.NoError(t, (&Profile{Workers: 9}).verify(t.Context(), &scripted{}, list(40), &computing, 40), "nor is what computes")
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
		{gofunc.Function{Code: "p.F", Fails: true, Batch: true, Type: "func(ns []int) error"},
			"results, err := amorsize.ExecuteBatches(ctx, func(ctx context.Context, item []int) ([]struct{}, error) { return make([]struct{}, len(item)), p.F(item) }, items"},
		{gofunc.Function{Code: "p.F", Batch: true, Type: "func(ns []int)"},
			"results, err := amorsize.ExecuteBatches(ctx, func(ctx context.Context, item []int) ([]struct{}, error) { p.F(item); return make([]struct{}, len(item)), nil }, items"},
	} {
		require.Equal(t, c.want, callCode(&c.fn))
	}
	p := &Profile{Workers: 1, target: &Target{Function: &gofunc.Function{Code: "p.F"}}}
	require.Contains(t, p.advice(), ", items, amorsize.WithWorkers(1))")
	p = &Profile{Workers: 4, target: &Target{Function: &gofunc.Function{Code: "p.F", Batch: true}}}
	require.Contains(t, p.advice(), "amorsize.ExecuteBatches(ctx, ")
}

func TestLadder(t *testing.T) {
	require.Equal(t, []int{1, 2, 4, 6, 8}, ladder(6, 8, 100))
	require.Equal(t, []int{1, 2}, ladder(5, 8, 3), "no more than items")
	require.Equal(t, []int{1, 2, 4}, ladder(4, 7, 100))
}

// A table: each rung several times, the knee, and how far the prediction was off.
func TestTune(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	defer func() { require.Equal(t, cores, runtime.GOMAXPROCS(0), "it is read only") }()
	m := &model{sample: waits(), room: 4}
	said := ""
	table, err := Tune(t.Context(), &Target{Subject: m, What: "curl {}"}, list(400), Climb{
		Budget: time.Hour, Most: 16, Total: 400, Begins: func(note string) { said = note },
	})
	require.NoError(t, err)
	require.Equal(t, "curl {} · 400 items × 3 rounds × 6 worker counts · results are dropped", said)
	var workers []int
	for _, r := range table.Rows {
		workers = append(workers, r.Workers)
	}
	require.Equal(t, []int{1, 2, 4, 5, 8, 16}, workers)
	require.Equal(t, []int{4, 5, 400}, []int{table.Knee, table.Predicted, table.Items})
	require.InDelta(t, 4.0, table.Rows[2].Speedup, 1e-9)
	require.InDelta(t, 1.0, table.Rows[2].Efficiency, 1e-9)
	require.InDelta(t, 0.25, table.Rows[5].Efficiency, 1e-9)
	require.InDelta(t, 0, table.Off, 1e-9)
	require.Equal(t, 3, table.Rows[0].Failed, "of all rounds")
	require.InDelta(t, 0.05/float64(cores), table.Rows[0].CPU, 1e-6, "5 ms of 100 on one core, of all cores")
	climbed := m.ran[len(m.ran)-18:]
	require.Equal(t, [][2]int{{1, 0}, {2, 0}, {4, 0}, {5, 0}, {8, 0}, {16, 0}, {16, 0}, {8, 0}}, climbed[:8], "up, then down")
	text := table.Text()
	require.Contains(t, text, "knee: within 5 % of the best")
	require.Contains(t, text, "profile recommends 5: 0.0 % slower than the best")
	require.Contains(t, text, "1.05 MB")
}

// Without a number given, the table goes to four times what is recommended.
func TestTuneTop(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	last := 4 * 25 * cores
	table, err := Tune(t.Context(), &Target{Subject: &model{sample: waits()}}, list(1000), Climb{Budget: time.Hour, Total: 100_000, Begins: func(string) {}})
	require.NoError(t, err)
	at := table.Rows[len(table.Rows)-1].Workers
	require.LessOrEqual(t, at, last)
	require.Greater(t, at, last/2, "the next power of two would be more")
	table, err = Tune(t.Context(), &Target{Subject: &model{sample: waits()}}, list(1000), Climb{Budget: time.Nanosecond, Total: 1000, Begins: func(string) {}})
	require.NoError(t, err)
	require.Equal(t, 8, table.Items, "what the budget has time for, but some")
	one := &model{sample: waits(), room: 4}
	table, err = Tune(t.Context(), &Target{Subject: one}, list(100), Climb{Budget: 50 * time.Second, Most: 1, Total: 1000, Begins: func(string) {}})
	require.NoError(t, err)
	require.Equal(t, []int{1, 5}, []int{table.Rows[0].Workers, table.Rows[1].Workers}, "one, as was asked for, and what is recommended")
	require.Len(t, table.Rows, 2)
	require.Equal(t, 2*time.Second, one.budget, "a tenth would be more")
	_, err = Tune(t.Context(), &Target{Subject: one}, list(100), Climb{Budget: 5 * time.Second, Most: 1, Total: 1000, Begins: func(string) {}})
	require.NoError(t, err)
	require.Equal(t, time.Second/2, one.budget, "a tenth of it")
}

// With batches, sizes are measured at the knee that leave every worker something to do.
func TestTuneBatches(t *testing.T) {
	m := &model{sample: waits(), room: 4}
	table, err := Tune(t.Context(), &Target{Subject: m}, list(128), Climb{Budget: time.Hour, Most: 4, Total: 128, Batches: true, Begins: func(string) {}})
	require.NoError(t, err)
	var batches []int
	for _, r := range table.Rows {
		batches = append(batches, r.Batch)
	}
	require.Equal(t, []int{1, 1, 1, 4, 16, 64}, batches[len(batches)-6:], "two of the largest, at least")
	require.Equal(t, [][2]int{{4, 4}, {4, 16}, {4, 64}}, m.ran[len(m.ran)-3:])
	require.Contains(t, table.Text(), "16 items per job")
}

// A service that takes less than one item a second bounds every number of workers.
func TestPredictServed(t *testing.T) {
	m, p := waits(), &Profile{Workers: 2}
	m.Served = 0.5
	p.predict(m, 10)
	for _, at := range p.Predicted {
		require.InDelta(t, 20, at.Wall, 1e-9)
	}
	require.Equal(t, 1, newProfileOf(waits(), 100, 100).Batch, "item by item")
	dear := waits()
	dear.Start, dear.Item = 90*ms, ms
	require.Equal(t, 1, newProfileOf(dear, 100, 100).Batch)
}

// No more items are run than the budget has time for.
func TestAffordable(t *testing.T) {
	m := computes()
	cores := float64(runtime.GOMAXPROCS(0))
	perItem := 0.1 * 3 * (1 + 1/min(2, cores)) // rounds, by one and by two
	got := len(affordable(list(10_000), m.Cost, []int{1, 2}, 60*time.Second))
	require.InDelta(t, 60/perItem, got, 2)
	require.Len(t, affordable(list(10_000), m.Cost, []int{1, 2}, time.Nanosecond), 8, "so many tell something")
	require.Len(t, affordable(list(3), m.Cost, []int{1, 2}, time.Hour), 3)
}

// What has changed since the first profile, beyond what samples vary by themselves.
func TestDrift(t *testing.T) {
	first := &Profile{Wall: 1, Class: "I/O-bound", Workers: 10, Sampled: 100, Failed: 1}
	for want, p := range map[string]Profile{
		"":                                {Wall: 1.2, Class: "I/O-bound", Workers: 15, Sampled: 100, Failed: 1},
		"item +30 %":                      {Wall: 1.3, Class: "I/O-bound", Workers: 10, Sampled: 100},
		"item -30 %":                      {Wall: 0.7, Class: "I/O-bound", Workers: 10, Sampled: 100},
		"I/O-bound -> CPU-bound":          {Wall: 1, Class: "CPU-bound", Workers: 10, Sampled: 100},
		"workers 10 -> 16, 2 more failed": {Wall: 1, Class: "I/O-bound", Workers: 16, Sampled: 100, Failed: 3},
		"workers 10 -> 6":                 {Wall: 1, Class: "I/O-bound", Workers: 6, Sampled: 100},
	} {
		require.Equal(t, want, strings.Join(p.Drift(first), ", "))
	}
	require.Empty(t, (&Profile{Wall: 1.25, Class: "I/O-bound", Workers: 10, Sampled: 100}).Drift(first), "a quarter, not more")
	third := &Profile{Wall: 1, Class: "I/O-bound", Workers: 3, Sampled: 100}
	require.Empty(t, (&Profile{Wall: 1, Class: "I/O-bound", Workers: 2, Sampled: 100}).Drift(third), "two thirds, not less")
	few := Profile{Wall: 1.5, CV: 0.2, Class: "I/O-bound", Workers: 10, Sampled: 1}
	require.Empty(t, few.Drift(first), "of one call, three standard errors are 60 %")
	noisy := Profile{Wall: 1.3, CV: 1, Class: "I/O-bound", Workers: 10, Sampled: 1}
	require.Empty(t, noisy.Drift(first), "three standard errors are more")
	steady := &Profile{Wall: 1, CV: 0.3, Class: "I/O-bound", Workers: 10, Sampled: 100}
	require.Equal(t, []string{"item +30 %"}, (&Profile{Wall: 1.3, CV: 0.3, Class: "I/O-bound", Workers: 10, Sampled: 100}).Drift(steady), "of many, little is known well")
	noisy = Profile{Wall: 1.35, CV: 0.1, Class: "I/O-bound", Workers: 10, Sampled: 1}
	require.Equal(t, []string{"item +35 %"}, noisy.Drift(first), "and three are enough")

	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := &Profile{Wall: 1.3, Class: "I/O-bound", Workers: 1, Sampled: 9, Failed: 2, measured: waits()}
	require.Equal(t, "03:04:05  item 100 ms ± 10 %  CPU 5.00 ms  I/O-bound  1 worker  2 failed  drift: item +30 %, workers 10 -> 1, 1 more failed\n", p.Line(first, now))
	raw, err := p.JSONLine(first, now)
	require.NoError(t, err)
	var line struct {
		At      time.Time
		Drift   []string
		Workers int
	}
	require.NoError(t, json.Unmarshal(raw, &line))
	require.Equal(t, now, line.At)
	require.Len(t, line.Drift, 3)
	raw, err = first.JSONLine(first, now)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"drift":[]`, "a list, also if it is empty")
}

// Two items are enough to see whether two are served at a time; of no item nothing is told.
func TestProfileOfFew(t *testing.T) {
	two := &model{sample: waits()}
	profileOf(t, &Target{Subject: two}, 2)
	require.Equal(t, 2, two.ran[0][0])
	one := &model{sample: waits()}
	profileOf(t, &Target{Subject: one}, 1)
	require.Empty(t, one.ran)

	p := &Profile{Workers: 2}
	p.predict(waits(), 0)
	require.Empty(t, p.Predicted)
	p.Workers = 13 * runtime.GOMAXPROCS(0)
	p.predict(waits(), 1000)
	last := p.Predicted[len(p.Predicted)-1].Workers
	require.LessOrEqual(t, last, 4*p.Workers)
	require.Greater(t, last, 2*p.Workers)
	p.Predicted = nil
	p.predict(waits(), -1)
	require.InDelta(t, 100, p.Predicted[0].Wall, 1, "of a thousand, where their number is not known")
}
