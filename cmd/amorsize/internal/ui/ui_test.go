package ui

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// files returns a terminal that writes into files, as in a pipeline.
func files(t *testing.T, color Color) (term *Terminal, out, err func() string) {
	t.Helper()
	dir := t.TempDir()
	create := func(name string) (*os.File, func() string) {
		f, err := os.Create(filepath.Join(dir, name))
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		return f, func() string {
			text, err := os.ReadFile(f.Name())
			require.NoError(t, err)
			return string(text)
		}
	}
	stdout, out := create("out")
	stderr, err := create("err")
	return NewTerminal(stdout, stderr, color), out, err
}

func TestTerminal(t *testing.T) {
	term, out, err := files(t, ColorAuto)
	require.False(t, term.Interactive())
	require.Equal(t, 80, term.Width())
	require.Equal(t, "plain", term.Paint(Red, "plain"))
	term.Sayf("%d items\n", 3)
	require.NoError(t, term.Text([]byte("a result\n"), false))
	require.NoError(t, term.Text(nil, false))
	require.NoError(t, term.Text([]byte("beside it\n"), true))
	require.Equal(t, "a result\n", out())
	require.Equal(t, "3 items\nbeside it\n", err())

	// The line of progress stands below all else.
	term.Progress("1/3")
	term.Progress("1/3")
	term.Say("a word")
	term.Progress("")
	require.Equal(t, "3 items\nbeside it\n1/3\r\x1b[Ka word\n1/3\r\x1b[K", err())

	painted, _, _ := files(t, ColorAlways)
	require.Equal(t, "\x1b[31mred\x1b[0m", painted.Paint(Red, "red"))
}

// view returns the progress of a run that has begun some seconds ago.
func view(done, total, slots int64, now time.Time, perSecond float64) View {
	s := &jobs.State{Began: now.Add(-time.Duration(float64(done) / perSecond * 1e9))}
	s.Done.Store(done)
	s.Total.Store(total)
	s.Slots.Store(slots)
	return View{State: s, Set: &policies.Set{}, Width: 100}
}

func TestLine(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := view(1000, 10_000, 4, now, 50)
	line := v.Line(now)
	require.True(t, strings.HasPrefix(line, " 1 000/10 000  "), line)
	require.Contains(t, line, "4 slots")
	require.NotContains(t, line, "failed")
	v.State.Failed.Store(3)
	v.Set.Retried.Store(2)
	v.Set.Throttled.Store(1)
	line = v.Line(now)
	for _, want := range []string{"3 failed", "2 retried", "throttled×1"} {
		require.Contains(t, line, want)
	}
	v.Bar = true
	require.Contains(t, v.Line(now), "▕██                  ▏  10 %")
	v.Width = 69
	require.NotContains(t, v.Line(now), "▕", "there is no room for it")
	v.Note = "draining"
	require.Equal(t, " draining", v.Line(now))
	require.Equal(t, " 5 done, reading…", view(5, -1, 0, now, 1e9).Line(now)[:len(" 5 done, reading…")])
}

// How long it will take is told when there is something to go by.
func TestETA(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Contains(t, view(1000, 10_000, 4, now, 50).Line(now), "ETA 3:00 (03:07:05)")
	for name, c := range map[string]struct {
		done, total int
		rate        float64
	}{"unknown": {10, -1, 1}, "no rate": {10, 20, 0}, "over": {20, 20, 1}, "under 5 %": {49, 1000, 1}, "two for each slot": {7, 20, 1}} {
		require.Zero(t, view(1, 1, 4, now, 1).remaining(c.done, c.total, c.rate), name)
	}
	require.Positive(t, view(1, 1, 4, now, 1).remaining(50, 1000, 1))
	require.Positive(t, view(1, 1, 4, now, 1).remaining(8, 20, 1))
}

func TestJSONOfProgress(t *testing.T) {
	now := time.Now()
	v := view(10, 20, 2, now, 5)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(v.JSON(now)), &got))
	require.Equal(t, "progress", got["type"])
	require.InDelta(t, 10, got["done"], 0)
	require.InDelta(t, 2, got["elapsed_s"], 0.001)
	require.Equal(t, false, got["paused"])
}

func TestPlural(t *testing.T) {
	require.Equal(t, "1 slot", Plural(1, "slot"))
	require.Equal(t, "0 slots", Plural(0, "slot"))
	require.Equal(t, "12 345 slots", Plural(12_345, "slot"))
}

func TestSummary(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	s := summary.Summary{
		Total: 120, OK: 100, Failed: 7, Skipped: 3, Retried: 2, Throttled: 1, Wall: 2, PerSecond: 53.5,
		Plan: summary.Plan{Workers: 4}, Peak: summary.Peak{Workers: 6, RSS: 5 << 20},
		Job:     summary.Job{P50: 0.01, P95: 0.02, Max: 0.5, CPU: 1, Tries: 109},
		Rate:    &summary.Rate{Waited: 3},
		Breaker: summary.Breaker{Opened: 2, Paused: 4},
		Reasons: []summary.Reason{{Why: "exit:1", Items: 6}, {Why: "timeout", Items: 1}},
	}
	for i := range 7 {
		s.Failures = append(s.Failures, summary.Failure{N: i + 1, Item: "item", Why: "exit:1"})
	}
	text := term.Summary(s, "amorsize retry log")
	for _, want := range []string{
		"done: 107 items in 2.00 s (54/s)", "100 ok", "7 failed", "2 retried", "1 throttled", "3 skipped (already done)", "10 left",
		"slots 4 (peak 6)", "job p50", "waited for the rate limit 3.00 s", "breaker opened 2×", "memory up to",
		"in total: exit:1 ×6, timeout ×1", "again: amorsize retry log",
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 1, strings.Count(text, "  failed: "))
	require.Equal(t, 2+shownFailures+2, strings.Count(text+"\n", "\n"))
	s.Stopped = "interrupted"
	require.True(t, strings.HasPrefix(term.Summary(s, ""), "stopped (interrupted): "))
	require.NotContains(t, term.Summary(summary.Summary{Total: 1, OK: 1}, ""), "left")
}

func TestPlan(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	p := jobs.Plan{Slots: 3, Batch: 1, Fixed: true, Left: 10}
	text := term.Plan("wc -l", 10, p, "no limit on the rate")
	lines := strings.Split(text, "\n")
	require.Equal(t, "amorsize: 10 items · wc -l", lines[0])
	require.Equal(t, "  plan: 3 slots, 1 item each, no limit on the rate", lines[1])
	require.True(t, strings.HasPrefix(lines[2], "  why:  "))
	p.Batch = 1000
	require.Contains(t, term.Plan("wc -l", -1, p, "x"), "amorsize: number of items unknown")
	require.Contains(t, term.Plan("wc -l", -1, p, "x"), "3 slots, 1 000 items each")
	over := jobs.Plan{Slots: 1, Batch: 1, Cost: jobs.Cost{Jobs: 2, Items: 2, Elapsed: time.Second, Wall: 500 * time.Millisecond}}
	text = term.Plan("wc -l", 2, over, "x")
	require.Contains(t, text, "plan: none: the sample had all items")
	require.Contains(t, text, "sampled 2 in 1.00 s")
}

func TestExplain(t *testing.T) {
	term, _, _ := files(t, ColorNever)
	text := term.Explain(jobs.Plan{
		Cost:    jobs.Cost{Jobs: 3, CV: 0.25, Wall: time.Second, CPU: 100 * time.Millisecond, Memory: 5 << 20},
		Limits:  []jobs.Limit{{Name: "cores", Slots: 20}, {Name: "memory", Slots: 7}},
		Binding: "memory",
	})
	for _, want := range []string{"cost of one job (3 samples, ±25 %)", "waiting", "900 ms", "limits                 slots"} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 1, strings.Count(text, "<- binds"))
	require.Regexp(t, `memory +7  <- binds`, text)
}

func TestErrPipe(t *testing.T) {
	require.True(t, ErrPipe(&os.PathError{Err: brokenPipe}))
	require.False(t, ErrPipe(syscall.ENOENT))
}
