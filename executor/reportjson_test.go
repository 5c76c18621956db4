package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/runpage"
)

type refusedFor time.Duration

func (r refusedFor) Error() string             { return "429: too many\nand a second line" }
func (r refusedFor) RetryAfter() time.Duration { return time.Duration(r) }

type late struct{}

func (late) Error() string { return "too late" }
func (late) Timeout() bool { return true }

// failedRun is the report of a run in which all went wrong that may.
func failedRun() *Report {
	r := &Report{
		Items: 12, Succeeded: 6, Failed: 4, Known: 1, Started: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC), Elapsed: 2 * time.Second,
		Busy: 3 * time.Second, CPUTime: time.Second, Speedup: 1.5, PeakWorkers: 3, MeanWorkers: 2.5, Bound: BoundByPolicies,
		Latency:  Latencies{P50: 10 * time.Millisecond, P99: 20 * time.Millisecond, Max: 30 * time.Millisecond},
		Timeline: []Moment{{At: time.Second, Limit: 4, InFlight: 3, Rate: 5, Latency: 10 * time.Millisecond}},
		Warnings: []string{"odd", "and odder"},
		Err: &Errors{[]error{
			&ItemError{Index: 2, Attempts: 3, Err: refusedFor(time.Second)}, &ItemError{Index: 4, Attempts: 1, Err: errors.New("no")},
			&ItemError{Index: 5, Attempts: 1, Err: late{}}, &BatchError{Index: 7, Size: 2, Err: errors.New("no batch")},
		}},
		knownFailed: 0,
	}
	r.Plan.Workers, r.Plan.ChunkSize, r.Plan.Reason, r.Plan.Sample.Items = 2, 1, "so", 1
	r.Calls.Ended, r.Calls.Retried, r.Calls.Failed.Overloaded = 14, 2, 3
	r.Calls.Waits = []Wait{
		{Kind: "circuitbreaker", Name: "a", Total: time.Second}, {Kind: "ratelimit", Name: "b", Total: 3 * time.Second},
		{Kind: "circuitbreaker", Name: "c", Total: 2 * time.Second},
	}
	return r
}

// A report as JSON has its numbers, the failures with their items counted from 1, and how often each kind occurred.
func TestReportAsJSON(t *testing.T) {
	text, err := json.Marshal(failedRun())
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(text, &got))
	for name, want := range map[string]any{
		"v": 1.0, "cmd": "program", "total": 12.0, "ok": 6.0, "failed": 4.0, "skipped": 1.0, "retried": 2.0, "throttled": 3.0, "wall_s": 2.0,
		"rate_per_s": 2.5, "bound": "policies", "exit": 1.0,
		"stopped":  `4 failed: item 2 (after 3 attempts): 429: too many`,
		"plan":     map[string]any{"workers": 2.0, "batch": 1.0, "binding": "policies", "why": "so", "sampled": 1.0},
		"peak":     map[string]any{"workers": 3.0, "rss_bytes": 0.0},
		"breaker":  map[string]any{"opened": 0.0, "paused_s": 3.0},
		"timeline": []any{map[string]any{"at_s": 1.0, "limit": 4.0, "in_flight": 3.0, "rate_per_s": 5.0, "latency_s": 0.01, "failed": 0.0}},
		"failures": []any{
			map[string]any{"n": 3.0, "item": "", "why": "throttled", "tries": 3.0, "err": "item 2 (after 3 attempts): 429: too many\nand a second line"},
			map[string]any{"n": 5.0, "item": "", "why": "error", "tries": 1.0, "err": "item 4: no"},
			map[string]any{"n": 6.0, "item": "", "why": "timeout", "tries": 1.0, "err": "item 5: too late"},
			map[string]any{"n": 8.0, "item": "", "why": "error", "tries": 0.0, "err": "batch of items 7 to 8: no batch"},
		},
		"reasons": []any{
			map[string]any{"why": "throttled", "items": 1.0}, map[string]any{"why": "error", "items": 2.0}, map[string]any{"why": "timeout", "items": 1.0},
		},
	} {
		require.Equal(t, want, got[name], name)
	}

	whole := failedRun()
	whole.Succeeded = 8
	require.Empty(t, whole.summary().Stopped, "it did not end before its items")
	whole.Err = &ItemError{Index: 1, Err: errors.New("no")}
	require.Len(t, whole.summary().Failures, 1)
	whole.Err = nil
	require.Zero(t, whole.summary().Exit)
	require.Empty(t, whole.summary().Failures)
}

// Of very many failures all are counted and the first are listed.
func TestManyFailuresAsJSON(t *testing.T) {
	var all []error
	for i := range mostFailures + 5 {
		all = append(all, &ItemError{Index: i, Err: errors.New("no")})
	}
	s := (&Report{Err: &Errors{all}}).summary()
	require.Len(t, s.Failures, mostFailures)
	require.Equal(t, []reasonJSON{{"error", mostFailures + 5}}, s.Reasons)
}

// The page of a run has the same numbers, in words.
func TestFactsOfThePage(t *testing.T) {
	r := failedRun()
	require.Equal(t, []runpage.Fact{
		{Name: "ok", Value: "6"}, {Name: "failed", Value: "4"}, {Name: "known before", Value: "1"}, {Name: "time", Value: "2 s"},
		{Name: "items per second", Value: "2.5"}, {Name: "workers (peak)", Value: "2.5 (3)"}, {Name: "call p50 / p99 / max", Value: "10 ms / 20 ms / 30 ms"},
		{Name: "retried", Value: "2"}, {Name: `waited for the circuit breaker "a"`, Value: "1 s"}, {Name: `waited for the rate limiter "b"`, Value: "3 s"},
		{Name: `waited for the circuit breaker "c"`, Value: "2 s"},
	}, r.facts())
	require.Len(t, new(Report).facts(), 5, "what there was none of is left out")
	require.Equal(t, []runpage.Share{
		{Name: "throttled", Value: "1 item", Percent: 25}, {Name: "error", Value: "2 items", Percent: 50}, {Name: "timeout", Value: "1 item", Percent: 25},
	}, r.reasons())
	require.Equal(t, []runpage.Moment{{At: 1, Limit: 4, InFlight: 3, Rate: 5, Latency: 0.01}}, r.moments())

	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	for _, want := range []string{
		"6 of 12 items in 2s", "2 workers to begin with, chunks of 1", "2026-11-28 09:00:00 UTC", "Warning: odd. Warning: and odder.",
		"4 failed: item 2 (after 3 attempts): 429: too many", "item 5: too late", "Calls wait for the rate limiter &#34;b&#34;", "A higher rate",
	} {
		require.Contains(t, page.String(), want)
	}
	require.NotContains(t, page.String(), "and a second line")
}

// A call's histogram has four bins for each doubling of its time.
func TestBinsOfThePage(t *testing.T) {
	var r Report
	for _, took := range []time.Duration{time.Second, 1100 * time.Millisecond, 2 * time.Second} {
		r.Calls.Latency.Add(took, 1)
	}
	n := int64(0)
	for _, b := range r.bins() {
		require.InDelta(t, 1.189, b.To/b.From, 0.001)
		n += b.Count
	}
	require.EqualValues(t, 3, n)
	require.Equal(t, "[1 2]", fmt.Sprint([]float64{exp2(0), exp2(4)}))
}
