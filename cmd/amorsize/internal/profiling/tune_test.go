package profiling

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
	onCores(t, 2)
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

// The top is four times the cores, or four times what is recommended where that is more.
func TestTuneTopOfCores(t *testing.T) {
	onCores(t, 13)
	for room, top := range map[int]int{4: 32, 10: 32, 13: 64} { // 5, 13 and 17 are recommended
		m := &model{sample: waits(), room: room}
		table, err := Tune(t.Context(), &Target{Subject: m}, list(1000), Climb{Budget: time.Hour, Total: 1000, Begins: func(string) {}})
		require.NoError(t, err)
		require.Equal(t, top, table.Rows[len(table.Rows)-1].Workers, room)
	}
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
	for _, r := range table.Rows[len(table.Rows)-3:] {
		require.InDelta(t, 3.2, r.Wall, 1e-9, "128 items by four, of 0.1 s each")
		require.InDelta(t, 40, r.Rate, 1e-9)
	}
	m = &model{sample: waits(), room: 4}
	_, err = Tune(t.Context(), &Target{Subject: m}, list(512), Climb{Budget: time.Hour, Most: 4, Total: 512, Batches: true, Begins: func(string) {}})
	require.NoError(t, err)
	require.Equal(t, [2]int{4, 256}, m.ran[len(m.ran)-1], "no larger ones")
}

// No more items are run than the budget has time for.
func TestAffordable(t *testing.T) {
	m := computes()
	cores := float64(runtime.GOMAXPROCS(0))
	perItem := 0.1 * 3 * (1 + 1/min(2, cores)) // rounds, by one and by two
	got := len(affordable(list(10_000), m.Cost, []int{1, 2}, 60*time.Second))
	require.InDelta(t, 60/perItem, got, 2)
	require.Len(t, affordable(list(10_000), m.Cost, []int{1, 2}, time.Nanosecond), 8, "so many tell something")
	m.Elapsed = time.Hour
	require.Len(t, affordable(list(10_000), m.Cost, []int{1, 2}, 60*time.Second), got, "what the sample took is over")
	require.Len(t, affordable(list(3), m.Cost, []int{1, 2}, time.Hour), 3)
}
