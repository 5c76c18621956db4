package executor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lineOf returns the line of a report's text that begins with a word, without that word, and "" if there is none.
func lineOf(text, word string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), word); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// Only what nothing is known of is no run.
func TestReportOfNoRun(t *testing.T) {
	require.Equal(t, "no run yet\n", Report{}.String())
	for _, r := range []Report{{Bound: BoundByItems}, {Items: 1}, {Items: 2}, {Err: errors.New("no")}} {
		require.NotContains(t, r.String(), "no run yet")
	}
}

// Of each kind of item the first one is told, and a rate only where time has passed.
func TestCountsOfAReport(t *testing.T) {
	for want, r := range map[string]Report{
		"1 of 1 item in 0s":                              {Items: 1, Succeeded: 1},
		"1 of 2 items in 1s, 1 failed (1 items/s)":       {Items: 2, Succeeded: 1, Failed: 1, Elapsed: time.Second},
		"1 of 2 items in 1s, 1 not run (1 items/s)":      {Items: 2, Succeeded: 1, Elapsed: time.Second},
		"2 of 2 items in 1s, 1 known before (1 items/s)": {Items: 2, Succeeded: 2, Known: 1, Elapsed: time.Second},
		"1 of 1 item in 1ns (1000 million items/s)":      {Items: 1, Succeeded: 1, Elapsed: 1},
	} {
		first, _, _ := strings.Cut(r.String(), "\n")
		require.Equal(t, want, first)
	}
}

// How long a call took is told by its distribution, else on average if any has ended and took time.
func TestCallsOfAReport(t *testing.T) {
	for want, r := range map[string]Report{
		"0 in flight on average; up to 2 workers":                             {PeakWorkers: 2, Busy: time.Second},
		"0 in flight on average; up to 3 workers":                             {PeakWorkers: 3, Succeeded: 3},
		"0 in flight on average; up to 1 worker; 1ns each":                    {PeakWorkers: 1, Succeeded: 1, Busy: 1},
		"0 in flight on average; up to 4 workers; 2s each":                    {PeakWorkers: 4, Succeeded: 1, Failed: 2, Busy: 6 * time.Second},
		"0 in flight on average; up to 1 worker; median 1ns, 99 % within 1ns": {PeakWorkers: 1, Latency: Latencies{P50: 1, P99: 1, Max: 1}},
		"0 in flight and 0.5 waiting for policies on average; up to 1 worker": {PeakWorkers: 1, Elapsed: 4, Calls: Calls{Waits: []Wait{{Total: 2}}}},
		"0 in flight and 3 waiting for policies on average; up to 1 worker":   {PeakWorkers: 1, Elapsed: 1, Calls: Calls{Waits: []Wait{{Total: 1}, {Total: 2}}}},
		"0.5 in flight on average; up to 2 workers; 2s each":                  {PeakWorkers: 2, Failed: 1, Busy: 2 * time.Second, Speedup: 0.5},
		"0 in flight on average; up to 5 workers; median 1s, 99 % within 2s":  {PeakWorkers: 5, Succeeded: 1, Busy: 1, Latency: Latencies{P50: time.Second, P99: 2 * time.Second, Max: 3 * time.Second}},
		"0 in flight on average; up to 6 workers; 1s each":                    {PeakWorkers: 6, Succeeded: 8, Failed: 1, Known: 7, Busy: 2 * time.Second},
		"0 in flight on average; up to 7 workers":                             {PeakWorkers: 7, Succeeded: 9, Known: 9, Busy: 2 * time.Second},
	} {
		r.Items = 9
		require.Equal(t, want, lineOf(r.String(), "calls "))
	}
}

// The three longest waits are told, if there are as many.
func TestWaitsOfAReport(t *testing.T) {
	waits := []Wait{{Kind: "ratelimit", Name: "a", Total: time.Second}, {Kind: "ratelimit", Name: "b", Total: 4 * time.Second}, {Kind: "ratelimit", Name: "c", Total: 2 * time.Second}, {Kind: "ratelimit", Name: "d", Total: 3 * time.Second}}
	for n, want := range []string{
		"", `1s for the rate limiter "a", summed over all calls`, `4s for the rate limiter "b", 1s for the rate limiter "a", summed over all calls`,
		`4s for the rate limiter "b", 2s for the rate limiter "c", 1s for the rate limiter "a", summed over all calls`,
		`4s for the rate limiter "b", 3s for the rate limiter "d", 2s for the rate limiter "c", summed over all calls`,
	} {
		r := Report{Items: 1, Calls: Calls{Waits: waits[:n]}}
		require.Equal(t, want, lineOf(r.String(), "waited "))
		require.Equal(t, time.Second, waits[0].Total, "the report keeps its order")
	}
}

// Each kind of failure is told from the first one on.
func TestFailuresOfAReport(t *testing.T) {
	require.Empty(t, lineOf(Report{Items: 1, Calls: Calls{Retried: 1}}.String(), "failed "))
	for want, c := range map[string]Calls{
		"calls: 1 timed out; 0 retried":                          {Failed: Failures{TimedOut: 1}},
		"calls: 1 refused by the service, 2 panicked; 3 retried": {Failed: Failures{Overloaded: 1, Panicked: 2}, Retried: 3},
	} {
		require.Equal(t, want, lineOf(Report{Items: 1, Calls: c}.String(), "failed "))
	}
}

// Items that failed have been run: with them the run did not end early.
func TestARunWhoseItemsFailedIsComplete(t *testing.T) {
	r := Report{Bound: BoundByItems, Items: 3, Succeeded: 1, Failed: 2, PeakWorkers: 2}
	r.Plan.Constraints.Items = 3
	require.Equal(t, "items: there were too few items for more calls in flight", lineOf(r.String(), "bound by "))
	r.Failed = 1
	require.Equal(t, "items: the run ended early", lineOf(r.String(), "bound by "))
}

// A prediction is compared with what was measured, where there are both.
func TestPredictionOfAReport(t *testing.T) {
	for _, c := range []struct {
		predicted, elapsed time.Duration
		want               string
	}{
		{0, time.Second, ""}, {time.Second, 0, ""}, {0, 0, ""}, {-1, time.Second, ""},
		{1, 1, "1ns, measured 1ns (+0 %)"}, {2, 1, "2ns, measured 1ns (-50 %)"},
		{time.Second, 1500 * time.Millisecond, "1s, measured 1.5s (+50 %)"},
	} {
		r := Report{Items: 1, Succeeded: 1, PredictedDuration: c.predicted, Elapsed: c.elapsed}
		require.Equal(t, c.want, lineOf(r.String(), "predicted "))
	}
}

// The reasons for a longer run are none for a shorter one, and the first that holds is told.
func TestWhyARunTookAnotherTime(t *testing.T) {
	const faster, slower = "the throughput rose faster than the plan assumed", "the throughput rose more slowly than the plan assumed"
	for _, c := range []struct {
		bound   Bound
		rate    float64
		elapsed time.Duration
		want    string
	}{
		{BoundByPolicies, 200, 500*time.Millisecond - 1, faster}, {BoundByService, 0, 400 * time.Millisecond, faster},
		{BoundByMemory, 0, 400 * time.Millisecond, faster}, {BoundByCores, 0, 400 * time.Millisecond, faster},
		{BoundByPolicies, 0.5, 200 * time.Second, "limited to 0.5/s by a policy"},
		{BoundByPolicies, 0, 200 * time.Second, "policies limited it to 0.5/s"},
		{BoundByService, 50, 2500 * time.Millisecond, "the service allowed only 4 at once"},
		{BoundByMemory, 50, 2500 * time.Millisecond, "memory allowed only 4 at once"},
		{BoundByCores, 50, 2500 * time.Millisecond, "the cores were busy with other work too"},
		{BoundByCaller, 50, 2500 * time.Millisecond, slower}, {BoundByCaller, 50, 2*time.Second + 1, slower}, {BoundByCaller, 0, 3500 * time.Millisecond, slower},
	} {
		r := Report{Items: 100, Succeeded: 100, Bound: c.bound, Elapsed: c.elapsed, PredictedDuration: time.Second, MeanWorkers: 4}
		r.Plan.Workers, r.Plan.Constraints.Rate = 4, c.rate
		_, why, _ := strings.Cut(lineOf(r.String(), "predicted "), "; ")
		require.Equal(t, c.want, why, c)
	}
}

// What a call took is known from the first item that ended, with or without an error, and else what was foreseen holds.
func TestTheTimeOfACallInAReport(t *testing.T) {
	for _, c := range []struct {
		succeeded, failed, known int
		busy                     time.Duration
		want                     string
	}{
		{0, 0, 0, 0, "the throughput rose more slowly than the plan assumed"},
		{1, 0, 0, 4 * time.Millisecond, "a call took 4ms on average, not 1ms"},
		{0, 2, 0, 10 * time.Millisecond, "a call took 5ms on average, not 1ms"},
		{2, 1, 0, 9 * time.Millisecond, "a call took 3ms on average, not 1ms"},
		{3, 1, 0, 4 * time.Millisecond, "the throughput rose more slowly than the plan assumed"},
		{9, 1, 8, 8 * time.Millisecond, "a call took 4ms on average, not 1ms"}, // eight were not run
		{9, 1, 10, 0, "the throughput rose more slowly than the plan assumed"},
	} {
		r := Report{Items: c.succeeded + c.failed, Succeeded: c.succeeded, Failed: c.failed, Known: c.known, Busy: c.busy}
		r.Plan.Sample.ItemNanos = float64(time.Millisecond)
		require.Equal(t, c.want, r.why(true), c)
	}
}

// How many calls were usual is the middle of them at the times when this bound held, and else the mean number of workers;
// it is never none.
func TestUsualCallsOfABound(t *testing.T) {
	const other = BoundByCores
	for _, c := range []struct {
		in   []int
		mean float64
		want int
	}{
		{nil, 0, 1}, {nil, 1.4, 1}, {nil, 1.5, 2}, {nil, 6.6, 7}, {[]int{0}, 9, 1}, {[]int{1}, 9, 1}, {[]int{7}, 9, 7},
		{[]int{9, 2, 4}, 1, 4}, {[]int{8, 6, 1, 3}, 1, 6}, {[]int{50, 40, 30, 20, 10}, 1, 30},
	} {
		r := Report{Bound: BoundByService, MeanWorkers: c.mean, Timeline: []Moment{{Bound: other, InFlight: 1000}}}
		for _, n := range c.in {
			r.Timeline = append(r.Timeline, Moment{Bound: BoundByService, InFlight: n}, Moment{Bound: other, InFlight: 1000})
		}
		require.Equal(t, c.want, r.usual(), c)
	}
}

// What was measured at all is explained, and what there was none of is left out.
func TestExplainedParts(t *testing.T) {
	r := Report{Items: 1}
	for _, part := range []string{"dropped ", "latency "} {
		require.Empty(t, lineOf(r.Explain(), part))
	}
	require.Equal(t, "calls 0s in all, in 0 chunks", lineOf(r.Explain(), "time "))
	r = Report{Items: 1, CPUTime: 1, Elapsed: 1, Dropped: 1, Chunks: 1, Latency: Latencies{Max: 1}}
	require.Equal(t, "calls 0s in all, in 1 chunk; 1 cores used", lineOf(r.Explain(), "time "))
	require.Equal(t, "1 event: the listeners were too slow for them", lineOf(r.Explain(), "dropped "))
	require.Equal(t, "0s unloaded; median 0s, 90 % within 0s, 99 % within 0s, longest 1ns", lineOf(r.Explain(), "latency "))
}

// A time is told by three digits, rounded.
func TestTimesAreShort(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		0: 0, 1: 1, 999: 999, 1000: 1000, 1004: 1000, 1005: 1010, 9994: 9990, 9995: 10_000, 9999: 10_000,
		10_004: 10_000, 10_005: 10_000, 10_049: 10_000, 10_050: 10_100, 10_540: 10_500, 99_949: 99_900, 100_499: 100_000, 100_500: 101_000,
		1_234_567: 1_230_000, 12_345_678: 12_300_000, 1_500_000_000: 1_500_000_000, 59_960_000_000: 60_000_000_000,
		1_234_567_890_123_456_789: 1_230_000_000_000_000_000,
	} {
		require.Equal(t, want, short(d), "%d", int64(d))
	}
}
