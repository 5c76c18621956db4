package profiling

import (
	"context"
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
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/optimizer"
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
	onCores(t, 2)
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
		require.Contains(t, text, "\n  built before", "also if there is no other note")
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
	onCores(t, 2)
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

func TestLadder(t *testing.T) {
	require.Equal(t, []int{1, 2, 4, 6, 8}, ladder(6, 8, 100))
	require.Equal(t, []int{1, 2}, ladder(5, 8, 3), "no more than items")
	require.Equal(t, []int{1, 2, 4}, ladder(4, 7, 100))
	require.Equal(t, []int{1, 2, 4, 5}, ladder(5, 8, 5), "as many as items")
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

// onCores sets how many cores the test seems to have.
func onCores(t *testing.T, n int) {
	t.Helper()
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// Predictions go to four times the cores, or to four times what is recommended where that is more.
func TestPredictTop(t *testing.T) {
	onCores(t, 13)
	for workers, top := range map[int]int{1: 32, 13: 32, 15: 32, 16: 64, 26: 64} {
		p := &Profile{Workers: workers}
		p.predict(waits(), 1000)
		require.Equal(t, top, p.Predicted[len(p.Predicted)-1].Workers, workers)
	}
}

// What the engine expects of a number of workers is what is predicted for it: of more than it tells, as much as of the
// last.
func TestPredictByEngine(t *testing.T) {
	onCores(t, 2)
	for name, c := range map[string]struct {
		speedups []float64
		want     []float64 // of 1, 2, 4 and 8
	}{
		"one worker":    {[]float64{0.8}, []float64{0.8, 0.8, 0.8, 0.8}},
		"three of them": {[]float64{1, 1.5, 1.75}, []float64{1, 1.5, 1.75, 1.75}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Profile{Workers: 1}
			for i, speedup := range c.speedups {
				p.engine = append(p.engine, optimizer.Candidate{Workers: i + 1, Speedup: speedup})
			}
			p.predict(computes(), 100)
			require.Len(t, p.Predicted, len(c.want))
			for i, want := range c.want {
				require.InDelta(t, want, p.Predicted[i].Speedup, 1e-6)
				require.InDelta(t, 10/want, p.Predicted[i].Wall, 1e-6)
			}
		})
	}
	p := &Profile{Workers: 1}
	p.predict(Measured{Cost: jobs.Cost{Jobs: 1, Wall: 1, CPU: 1}}, 1)
	require.Equal(t, []Predicted{{1, 1e-9, 1}}, p.Predicted, "one nanosecond is as fast as one")
}

// No items to run is a number that is known: then the plan is for those that were sampled.
func TestProfileOfNoMoreItems(t *testing.T) {
	onCores(t, 2)
	m := computes()
	m.Wall, m.CPU = 10*time.Microsecond, 10*time.Microsecond
	target := &Target{Subject: &model{sample: m}, Function: new(gofunc.Function)}
	require.Equal(t, 1, profileOf(t, target, 0).Workers)
	require.Equal(t, 2, profileOf(t, target, -1).Workers, "a thousand are worth a second worker")
}

// A profile says of which host it is.
func TestProfileHost(t *testing.T) {
	onCores(t, 3)
	name, err := os.Hostname()
	require.NoError(t, err)
	host := profileOf(t, &Target{Subject: &model{sample: waits()}}, 10).Host
	require.Equal(t, summary.Host{Cores: 3, Memory: sampling.CurrentHost().MemoryTotal, Name: name}, host)
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
