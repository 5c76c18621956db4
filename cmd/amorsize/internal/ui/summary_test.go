package ui

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

// Only a run that ended well and had no item at all is told to have had none.
func TestSummaryOfNoItems(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	const none = "done: no items: the input was empty"
	for _, s := range []summary.Summary{{}, {Total: -1}} {
		require.Equal(t, none, term.Summary(s, ""))
	}
	for name, s := range map[string]summary.Summary{
		"stopped": {Stopped: "interrupted"}, "none has ended": {Total: 1}, "ok": {Total: -1, OK: 1}, "failed": {Total: -1, Failed: 1},
		"skipped": {Total: -1, Skipped: 1}, "ok and failed": {OK: 1, Failed: 1}, "ok and skipped": {OK: 1, Skipped: 1}, "failed and skipped": {Failed: 1, Skipped: 1},
	} {
		require.NotContains(t, term.Summary(s, ""), "no items", name)
	}
}

// The summary has what there was, and leaves out what there was not.
func TestSummaryLeavesOutWhatThereWasNot(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	require.Equal(t, "done: 1 item in 2.00 s (0.5/s) · 1 ok · 0 failed\n  slots 3 (peak 2)", term.Summary(summary.Summary{
		Total: 1, OK: 1, Wall: 2, PerSecond: 0.5, Plan: summary.Plan{Workers: 3}, Peak: summary.Peak{Workers: 2},
	}, ""))
	cost := &usage.Total{Calls: 1, All: 7}
	require.Equal(t, "done: 2 items in 2.00 s (1/s) · 1 ok · 1 failed · 1 retried · 1 throttled · 1 skipped (already done) · 1 left\n"+
		"  slots 3 (peak 2) · job p50 10.0 ms p95 20.0 ms max 500 ms · waited for the rate limit 3.00 s in total · breaker opened 1×, paused 4.00 s · CPU 500 ms · memory up to 1 B\n"+
		cost.Table()+
		"  failed: #2 \"b\" exit:1\n"+
		"  again: amorsize retry log", term.Summary(summary.Summary{
		Total: 4, OK: 1, Failed: 1, Skipped: 1, Retried: 1, Throttled: 1, Wall: 2, PerSecond: 1,
		Plan: summary.Plan{Workers: 3}, Peak: summary.Peak{Workers: 2, RSS: 1}, Job: summary.Job{P50: 0.01, P95: 0.02, Max: 0.5, CPU: 0.5, Tries: 1},
		Rate: &summary.Rate{Waited: 3}, Breaker: summary.Breaker{Opened: 1, Paused: 4}, Usage: cost,
		Failures: []summary.Failure{{N: 2, Item: "b", Why: "exit:1"}}, Reasons: []summary.Reason{{Why: "exit:1", Items: 1}},
	}, "amorsize retry log"))
	require.NotContains(t, term.Summary(summary.Summary{Total: -1, OK: 1}, ""), "left", "how many there are was never known")
}

// Some failures are shown, and how many there were of which kind if those are not all; of kinds, too, the first ones.
func TestSummaryShowsSomeFailures(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	failed := func(n int) []string {
		s := summary.Summary{Failed: n}
		for i := range n {
			s.Failures = append(s.Failures, summary.Failure{N: i, Item: "x", Why: "exit"})
			s.Reasons = append(s.Reasons, summary.Reason{Why: "exit:" + string(rune('a'+i)), Items: 1000})
		}
		return strings.Split(term.Summary(s, ""), "\n")[2:]
	}
	shown := []string{`  failed: #0 "x" exit`, `          #1 "x" exit`, `          #2 "x" exit`, `          #3 "x" exit`, `          #4 "x" exit`}
	require.Equal(t, shown[:2], failed(2))
	require.Equal(t, shown, failed(5))
	require.Equal(t, append(shown, "          in total: exit:a ×1 000, exit:b ×1 000, exit:c ×1 000, exit:d ×1 000, exit:e ×1 000, exit:f ×1 000"), failed(7))
}

// Why a run was stopped is told in one line of a bearable length, without credentials.
func TestSummaryCutsWhyItWasStopped(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	text := term.Summary(summary.Summary{Stopped: "Cookie: a=b\n" + strings.Repeat("x", 400)}, "")
	require.True(t, strings.HasPrefix(text, "stopped (Cookie: *** x"), text)
	why, _, _ := strings.Cut(strings.TrimPrefix(text, "stopped ("), ")")
	require.Len(t, []rune(why), 300)
}

// Failures are red where there are some.
func TestSummaryPaintsFailures(t *testing.T) {
	term, _, _ := files(t, ColorAlways)
	require.Contains(t, term.Summary(summary.Summary{OK: 1, Failed: 1}, ""), " · \x1b[31m1 failed\x1b[0m\n")
	require.Contains(t, term.Summary(summary.Summary{OK: 1}, ""), " · 0 failed\n")
}
