package profiling

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
)

// The knee, the best, the law and the prediction are taken from the rows without batches.
func TestConclude(t *testing.T) {
	table := Table{Predicted: 8, Rows: []Row{
		{Workers: 1, Batch: 1, Rate: 10}, {Workers: 2, Batch: 1, Rate: 19}, {Workers: 4, Batch: 1, Rate: 36}, {Workers: 8, Batch: 1, Rate: 30}, {Workers: 4, Batch: 2, Rate: 500},
	}}
	table.conclude()
	require.Equal(t, []int{4, 4}, []int{table.Knee, table.Best})
	require.InDelta(t, 0.2, table.Off, 1e-9, "36 are a fifth more than 30")
	require.InDelta(t, 3.6, table.Rows[2].Speedup, 1e-9)
	require.InDelta(t, 0.9, table.Rows[2].Efficiency, 1e-9)
	require.InDelta(t, 50, table.Rows[4].Speedup, 1e-9)
	require.NotNil(t, table.USL)
	require.InDelta(t, 3.6, table.best(), 1e-9)

	batched := Table{Predicted: 4, Rows: []Row{{Workers: 4, Batch: 1, Rate: 36}, {Workers: 4, Batch: 2, Rate: 18}}}
	batched.conclude()
	require.Zero(t, batched.Off, "the prediction is of jobs of one item")
	near := Table{Predicted: 3, Rows: []Row{{Workers: 1, Rate: 95}, {Workers: 2, Rate: 100}}}
	near.conclude()
	require.Equal(t, []int{1, 2}, []int{near.Knee, near.Best}, "within 5 % of the best")
	require.Zero(t, near.Off, "3 were not measured")
	require.Nil(t, near.USL, "two points are no law")
	even := Table{Rows: []Row{{Workers: 1, Rate: 50}, {Workers: 2, Rate: 100}, {Workers: 4, Rate: 100}}}
	even.conclude()
	require.Equal(t, 2, even.Best, "of two that are even, the fewer")
}

// A row is the medians of its rounds.
func TestRow(t *testing.T) {
	var r Row
	for _, wall := range []time.Duration{3 * time.Second, 1 * time.Second, 2 * time.Second} {
		r.add(Rung{Wall: wall, P95: wall / 10, CPU: wall / 2, Memory: int64(wall), Failed: 1})
	}
	r.median()
	require.InDelta(t, 0.5/float64(runtime.GOMAXPROCS(0)), r.CPU, 1e-9, "of all cores")
	require.Equal(t, []any{2.0, 0.5, 0.3, int64(3 * time.Second), 3}, []any{r.Wall, r.Spread, r.P95, r.Memory, r.Failed})
}

func TestTableText(t *testing.T) {
	table := Table{Target: "gzip", Knee: 2, Best: 4, Predicted: 4, Off: 0.125, Rows: []Row{
		{Workers: 1, Wall: 10, Rate: 10, Speedup: 1, Efficiency: 1, Memory: 1000},
		{Workers: 2, Wall: 5, Rate: 123.4, Speedup: 9.9, Efficiency: 1, Memory: 1},
		{Workers: 4, Wall: 4, Rate: 1234.5, Speedup: 10, Efficiency: 1},
		{Workers: 8, Wall: 4, Rate: 1000, Speedup: 9.4, Efficiency: 0.5, CPU: 0.75, Spread: 1, Failed: 2},
		{Workers: 16, Wall: 4, Rate: 100, Speedup: 9.5, Efficiency: 1, Failed: 1},
		{Workers: 2, Batch: 2, Wall: 4, Rate: 1000, Speedup: 8, Efficiency: 1},
	}}
	lines := strings.Split(table.Text(), "\n")
	require.Len(t, lines, 10)
	require.Equal(t, "gzip", lines[0])
	for i, want := range []string{
		"       1    10.0 s ±  0 %       10.0     1.00       100 %      0 ns    0 %   1.00 kB",
		">       2    5.00 s ±  0 %        123     9.90       100 %      0 ns    0 %       1 B   knee: within 5 % of the best with the fewest workers",
		"        4    4.00 s ±  0 %      1 235    10.00       100 %      0 ns    0 %         -",
		"        8    4.00 s ±100 %      1 000     9.40        50 %      0 ns   75 %         -   slower again   2 failed",
		"       16    4.00 s ±  0 %        100     9.50       100 %      0 ns    0 %         -   1 failed",
		"        2    4.00 s ±  0 %      1 000     8.00       100 %      0 ns    0 %         -   2 items per job",
	} {
		require.Equal(t, strings.TrimSpace(want), strings.TrimSpace(lines[2+i]))
	}
	require.Equal(t, "profile recommends 4: 12.5 % slower than the best, which is 4", lines[8])
}

// The peak of the law is told where there is one that anybody could have.
func TestTableTextOfTheLaw(t *testing.T) {
	for _, c := range []struct {
		sigma, kappa float64
		want         string
	}{
		{0.1, 0.01, "model: USL sigma 0.1, kappa 0.01 (R² 0.99); peak at 9 workers\n"},
		{0.1, 0, "model: USL sigma 0.1, kappa 0 (R² 0.99)\n"},
		{0, 1, "model: USL sigma 0, kappa 1 (R² 0.99); peak at 1 worker\n"},
		{0, 1e-10, "model: USL sigma 0, kappa 1e-10 (R² 0.99)\n"}, // at 100 000
		{0, 1.01e-10, "model: USL sigma 0, kappa 1.01e-10 (R² 0.99); peak at 99 504 workers\n"},
	} {
		table := Table{Rows: []Row{{Workers: 1, Rate: 1}}, USL: &usl.Fit{Sigma: c.sigma, Kappa: c.kappa, R2: 0.99}}
		require.Contains(t, table.Text(), "\n"+c.want+"profile recommends ", "in a line of its own")
	}
}
