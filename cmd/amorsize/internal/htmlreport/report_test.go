package htmlreport

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
	"github.com/amorsize/amorsize/internal/runpage"
)

func written(t *testing.T, r Report) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.Write(&b))
	return b.String()
}

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

// A page says what it knows of where the run was, and how it was planned.
func TestPageSaysWhereAndHow(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		host       summary.Host
		plan       summary.Plan
		when, said string
	}{
		{summary.Host{Name: "h", Cores: 8}, summary.Plan{Workers: 7, Batch: 1234, Binding: "memory"}, "2026-01-02 03:04:05 UTC · h · 8 cores", "7 slots, 1 234 items each, bound by memory"},
		{summary.Host{Cores: 1}, summary.Plan{Workers: 1, Batch: 1}, "2026-01-02 03:04:05 UTC · 1 core", "1 slot, 1 item each"},
		{summary.Host{Name: "h"}, summary.Plan{}, "2026-01-02 03:04:05 UTC · h", ""},
		{summary.Host{}, summary.Plan{Workers: 2, Batch: 2}, "2026-01-02 03:04:05 UTC", "2 slots, 2 items each"},
	} {
		page := written(t, Report{Summary: &summary.Summary{Started: at, Host: c.host, Plan: c.plan}})
		require.Contains(t, page, `<p class="dim">`+c.when+"</p>")
		require.Equal(t, c.said != "", strings.Contains(page, "<h2>Plan</h2><p>"+c.said+"</p>"), page)
		require.Equal(t, c.said != "", strings.Contains(page, "<h2>Plan"))
	}
}

// The facts have what there was, and leave out what there was not.
func TestFacts(t *testing.T) {
	always := func(ok, failed, took, rate, job string) []runpage.Fact {
		return []runpage.Fact{{Name: "ok", Value: ok}, {Name: "failed", Value: failed}, {Name: "time", Value: took}, {Name: "items per second", Value: rate}, {Name: "job p50 / p95 / max", Value: job}}
	}
	require.Equal(t, always("0", "0", "0", "0", "0 / 0 / 0"), facts(summary.Summary{}))
	require.Equal(t, append(always("12 345", "2", "12.5 s", "987.6", "10.0 ms / 50.0 ms / 1.00 s"), []runpage.Fact{
		{Name: "slots (peak)", Value: "1 (3)"}, {Name: "skipped", Value: "1"}, {Name: "retried", Value: "1"}, {Name: "throttled", Value: "1"},
		{Name: "CPU", Value: "500 ms"}, {Name: "memory", Value: "up to 1 B"}, {Name: "rate at the end", Value: "55.5/s"}, {Name: "waited for the rate limit", Value: "2.00 s"},
		{Name: "breaker", Value: "opened 1×, paused 30.0 s"}, {Name: "bound by", Value: "cores"},
	}...), facts(summary.Summary{
		OK: 12_345, Failed: 2, Wall: 12.5, PerSecond: 987.65, Job: summary.Job{P50: 0.01, P95: 0.05, Max: 1, CPU: 0.5},
		Plan: summary.Plan{Workers: 1}, Peak: summary.Peak{Workers: 3, RSS: 1}, Skipped: 1, Retried: 1, Throttled: 1,
		Rate: &summary.Rate{PerSecond: 55.5, Waited: 2}, Breaker: summary.Breaker{Opened: 1, Paused: 30}, Bound: "cores",
	}))
}

// Failures are told by kind, each with its share of all.
func TestReasonsAreShares(t *testing.T) {
	require.Equal(t, []runpage.Share{{Name: "exit:1", Value: "3", Percent: 75}, {Name: "<script>", Value: "1", Percent: 25}},
		shares([]summary.Reason{{Why: "exit:1", Items: 3}, {Why: "<script>", Items: 1}}))
	require.Equal(t, []runpage.Share{{Name: "timeout", Value: "1", Percent: 100}}, shares([]summary.Reason{{Why: "timeout", Items: 1}}))
	require.Equal(t, []runpage.Share{{Name: "x", Value: "0"}}, shares([]summary.Reason{{Why: "x"}}), "a number, not NaN")
	page := written(t, Report{Summary: &summary.Summary{Reasons: []summary.Reason{{Why: "timeout", Items: 1}}}})
	require.Contains(t, page, `<td>timeout</td><td class="n">1</td><td><div class="bar" style="width:100.0%">`)
}

// The histogram has a bar for each bin, as high as the bin has jobs.
func TestHistogramHasTheBinsOfTheRun(t *testing.T) {
	bars := func(bins ...summary.Bin) []string {
		page := written(t, Report{Summary: &summary.Summary{Histogram: bins}})
		return regexp.MustCompile(`<rect class="s1 fill" x="[\d.]+" y="[\d.]+" width="[\d.]+" height="[\d.]+"/>`).FindAllString(page, -1)
	}
	few := bars(summary.Bin{From: 0.001, To: 0.002, Count: 5}, summary.Bin{From: 0.002, To: 0.004, Count: 50})
	require.Len(t, few, 2)
	require.Contains(t, few[1], `height="163.8"`, "the highest one")
	require.Contains(t, few[0], `height="16.4"`, "a tenth of it")
}

func TestShort(t *testing.T) {
	require.Equal(t, "0", short(0))
	require.Equal(t, "1.50 s", short(1.5))
	require.Equal(t, "1234", plain(1234.4))
}
