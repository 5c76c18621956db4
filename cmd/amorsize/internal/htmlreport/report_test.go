package htmlreport

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
)

// The page has what the run has, and escapes what others wrote.
func TestWrite(t *testing.T) {
	run := summary.Summary{
		OK: 12_345, Failed: 2, Skipped: 1, Retried: 3, Throttled: 4, Wall: 12.5, PerSecond: 987.65,
		Plan: summary.Plan{Workers: 7}, Peak: summary.Peak{Workers: 9, RSS: 5 << 20},
		Job: summary.Job{P50: 0.01, P95: 0.05, Max: 1, CPU: 3}, Rate: &summary.Rate{PerSecond: 55.5, Waited: 2},
		Breaker: summary.Breaker{Opened: 2, Paused: 30}, Bound: "cores",
		Reasons:   []summary.Reason{{Why: "exit:1", Items: 3}, {Why: "<script>", Items: 1}},
		Timeline:  []summary.Moment{{At: 0.1, Limit: 4, InFlight: 3, Rate: 50, Latency: 0.01}, {At: 0.2, Limit: 8, InFlight: 8, Rate: 90, Latency: 0.02}},
		Histogram: []summary.Bin{{From: 0, To: 0.001, Count: 5}, {From: 0.001, To: 0.01, Count: 50}},
	}
	var failed []summary.Failure
	for i := range 250 {
		failed = append(failed, summary.Failure{N: i + 1, Item: "<b>item</b>", Why: "exit:1"})
	}
	var b strings.Builder
	require.NoError(t, Report{Title: "A & B", Command: "curl <x>", Summary: &run, Failed: failed}.Write(&b))
	page := b.String()
	for _, want := range []string{"A &amp; B", "curl &lt;x&gt;", "12 345", "987.6", "opened 2×", "cores", "55.5/s", "75", "The first 200 of 250 failures"} {
		require.Contains(t, page, want)
	}
	for _, never := range []string{"<b>item", "<script", "http://", "https://", "NaN"} {
		require.NotContains(t, page, never)
	}
	require.Equal(t, 5, strings.Count(page, "<svg"))
	require.NoError(t, Report{Title: "nothing"}.Write(io.Discard))
}

// A run without a timeline says so; a table is drawn with its law.
func TestWriteTable(t *testing.T) {
	var b strings.Builder
	require.NoError(t, Report{Summary: &summary.Summary{}}.Write(&b))
	require.Contains(t, b.String(), "The run was too short for a timeline.")
	require.NotContains(t, b.String(), "<svg")
	b.Reset()
	table := &Table{Knee: 4, Rows: []Row{{4, 40}, {1, 10}, {2, 20}}, USL: &usl.Fit{Lambda: 10, R2: 1}}
	require.NoError(t, Report{Table: table}.Write(&b))
	require.Contains(t, b.String(), "From 4 on")
	require.Contains(t, b.String(), "universal scalability law")
	require.Equal(t, 1, strings.Count(b.String(), "<svg"))
}

func TestShort(t *testing.T) {
	require.Equal(t, "0", short(0))
	require.NotEmpty(t, short(1.5))
	require.Equal(t, "1234", plain(1234.4))
	require.False(t, math.IsNaN(shares([]summary.Reason{{Why: "x"}})[0].Percent))
}
