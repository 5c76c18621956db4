package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
	require.Len(t, (&Report{Known: 1}).facts(), 6)
	var longest Report
	longest.Latency.Max = 1
	require.Len(t, longest.facts(), 6)
	require.Len(t, (&Report{Calls: Calls{Retried: 1}}).facts(), 6)
	require.Equal(t, []runpage.Share{
		{Name: "throttled", Value: "1 item", Percent: 25}, {Name: "error", Value: "2 items", Percent: 50}, {Name: "timeout", Value: "1 item", Percent: 25},
	}, r.reasons())
	require.Equal(t, []runpage.Moment{{At: 1, Limit: 4, InFlight: 3, Rate: 5, Latency: 0.01}}, r.moments())

	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	for _, want := range []string{
		"6 of 12 items in 2s", "2 workers to begin with, chunks of 1", "2026-11-28 09:00:00 UTC", "<p>Warning: odd</p>\n<p>Warning: and odder</p>",
		"4 failed: item 2 (after 3 attempts): 429: too many", "item 5: too late", "Calls wait for the rate limiter &#34;b&#34;", "A higher rate",
		"Limit and in flight", "Goodput",
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

// A bin counts the times above its lower bound up to its upper one. JSON has the same bins as the page.
func TestABinHasItsTimes(t *testing.T) {
	for _, took := range []time.Duration{time.Microsecond, 30 * time.Millisecond, time.Second, 1100 * time.Millisecond, time.Hour} {
		var r Report
		r.Calls.Latency.Add(took, 7)
		bins := r.bins()
		require.Len(t, bins, 1, took)
		require.Less(t, bins[0].From, took.Seconds())
		require.GreaterOrEqual(t, bins[0].To, took.Seconds())
		require.EqualValues(t, 7, bins[0].Count)
		require.Equal(t, []binJSON{binJSON(bins[0])}, r.summary().Histogram)
	}
	require.Empty(t, new(Report).summary().Histogram)
}

// Only what circuit breakers held back is the time that they paused the run.
func TestWhatBreakersPaused(t *testing.T) {
	var r Report
	r.Calls.Waits = []Wait{{Kind: "circuitbreaker", Total: time.Second}, {Kind: "ratelimit", Total: time.Minute}}
	require.Equal(t, breakerJSON{Paused: 1}, r.summary().Breaker)
}

// The share of a reason is of the items that failed, be it one.
func TestShareOfAReason(t *testing.T) {
	for failed, percent := range map[int]float64{1: 100, 2: 50, 4: 25} {
		r := Report{Failed: failed, Err: &ItemError{Index: 3, Err: errors.New("no")}}
		require.Equal(t, []runpage.Share{{Name: "error", Value: "1 item", Percent: percent}}, r.reasons())
	}
	require.Empty(t, new(Report).reasons())
}

// A report in words, line by line.
func TestReportAsText(t *testing.T) {
	r := failedRun()
	r.PredictedDuration, r.Chunks, r.Dropped = 500*time.Millisecond, 3, 2
	r.Calls.Failed, r.Calls.NotMade = Failures{Overloaded: 3, TimedOut: 1, Refused: 2, Panicked: 1, Other: 4}, 5
	r.Changes = []Change{{At: 1500 * time.Millisecond, Workers: 2, Reason: "so"}, {At: 2 * time.Second, Workers: 1, Reason: "and so"}}
	r.Timeline[0].Bound = BoundByPolicies
	r.Latency.Base, r.Latency.P90 = 9*time.Millisecond, 15*time.Millisecond
	want := `6 of 12 items in 2s, 4 failed, 1 known before, 2 not run (2.5 items/s)
  bound by  policies: calls wait for the rate limiter "b": 3s each on average
  faster    with a higher rate, if the service allows one, or fewer refused calls
  calls     1.5 in flight and 3 waiting for policies on average; up to 3 workers; median 10ms, 99 % within 20ms
  predicted 500ms, measured 2s (+300 %); the run ended after 10 of 12 items
  failed    calls: 3 refused by the service, 1 timed out, 2 refused by a policy within the function, 1 panicked, 4 with other errors, 5 never made, since a policy refused; 2 retried
  waited    3s for the rate limiter "b", 2s for the circuit breaker "c", 1s for the circuit breaker "a", summed over all calls
  warning   odd (and 1 more)
  error     4 failed: item 2 (after 3 attempts): 429: too many
`
	require.Equal(t, want, r.String())
	require.Equal(t, want+`  plan      serial: 1 worker × chunks of 1; so
  time      calls 3s in all, in 3 chunks; 0.5 cores used
  latency   9ms unloaded; median 10ms, 90 % within 15ms, 99 % within 20ms, longest 30ms
  at 1.5s    2 workers: so
  at 2s      1 worker: and so
  dropped   2 events: the listeners were too slow for them
  warning   and odder
  over time
    at  limit  in flight  waiting for policies  calls/s  latency  unloaded  bound by
    1s      4          3                     0        5     10ms        0s  policies
`, r.Explain())

	require.Equal(t, `2 of 2 items in 1s (2 items/s)
  bound by  cores: the calls are CPU-bound, and all cores are busy
  faster    with more cores, or cheaper calls
  calls     0.5 in flight on average; up to 1 worker; 250ms each
`, Report{Items: 2, Succeeded: 2, Elapsed: time.Second, Busy: time.Second / 2, Speedup: 0.5, PeakWorkers: 1, Bound: BoundByCores}.String())
}

// A long run over time is told in at most 16 lines, the last moment included.
func TestLongTimelineAsText(t *testing.T) {
	for n, rows := range map[int]int{1: 1, 16: 16, 17: 9, 32: 16, 33: 11, 500: 16} {
		var r Report
		for i := range n {
			r.Timeline = append(r.Timeline, Moment{At: time.Duration(i+1) * time.Second})
		}
		_, table, ok := strings.Cut(r.Explain(), "  over time\n")
		require.True(t, ok)
		lines := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
		require.Len(t, lines, rows+1, n)
		require.Contains(t, lines[rows], short(time.Duration(n)*time.Second).String(), n)
	}
}

// A rate has three digits and no exponent, however high or low it is.
func TestPerSecond(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0", 9e-5: "0.00009", 0.01234: "0.0123", 1: "1", 97.14: "97.1", 999.4: "999", 999.5: "1000", 1234: "1230",
		999_400: "999000", 999_500: "1 million", 4_490_000: "4.49 million", 1e9: "1000 million",
	} {
		require.Equal(t, want, perSecond(rate))
	}
}
