package amorsize_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// busy answers that a service has no room.
type busy struct{}

func (busy) Error() string   { return "<busy>" }
func (busy) StatusCode() int { return 503 }

// reportOf is the report of a run in which all that a report tells of has happened.
func reportOf(t *testing.T) *amorsize.Report {
	var report amorsize.Report
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.MustNew(ratelimit.Policy{Name: "search", RequestsPerSecond: 100, BurstSize: 1})
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{Name: "search", FailureThreshold: 1000, WhenOpen: circuitbreaker.Wait})
		again := retry.MustNew(retry.Policy{MaxRetries: 1, InitialDelay: time.Millisecond, Jitter: retry.JitterNone})
		_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
			time.Sleep(50 * time.Millisecond)
			switch {
			case i%50 == 7:
				return 0, busy{}
			case i == 20:
				return 0, errors.New("odd")
			}
			return i, nil
		}, sequence(500), amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&report), amorsize.WithPolicies(limiter, again, breaker))
		require.Error(t, err)
	})
	return &report
}

func sequence(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

// What a person is told first is what was done, what bound it, and what would change that, in ten
// lines at most.
func TestReportForAPerson(t *testing.T) {
	report := reportOf(t)
	// 511 calls of 50 ms, each counted for its own time only: not for its place in the line.
	require.InDelta(t, 511*0.05, report.Busy.Seconds(), 0.1)
	require.InDelta(t, 511*0.05/report.Elapsed.Seconds(), report.Speedup, 0.02)
	text := report.String()
	require.Contains(t, text, "  calls     5.07 in flight and ")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	require.LessOrEqual(t, len(lines), 10)
	require.Regexp(t, `^489 of 500 items in .*s, 11 failed \(9\d\.?\d? items/s\)$`, lines[0])
	require.Regexp(t, `^  bound by  policies: calls wait for the rate limiter "search": \d+ms each on average$`, lines[1])
	require.Equal(t, "  faster    with a higher rate, if the service allows one, or fewer refused calls", lines[2])
	require.Contains(t, text, "  failed    calls: 20 refused by the service, 2 with other errors; 11 retried\n")
	require.Regexp(t, `\n  waited    .*s for the rate limiter "search", 11ms for the retrier, summed over all calls\n`, text)
}

// Where it is retries that made calls wait longest, a higher rate would change little.
func TestWaitsForRetries(t *testing.T) {
	calls := amorsize.Calls{Waits: []amorsize.Wait{{Kind: "retry", Name: "retry", Calls: 2, Total: 3 * time.Second}}}
	p := amorsize.Progress{Calls: &calls}
	p.Now.Bound = amorsize.BoundByPolicies
	means, change := p.Explain()
	require.Equal(t, "Calls wait to be retried: 1.5s each on average.", means)
	require.Equal(t, "Fewer failures, or a shorter delay before a retry.", change)
	calls.Waits = append(calls.Waits, amorsize.Wait{Kind: "ratelimit", Name: "ratelimit", Calls: 1, Total: time.Minute})
	means, change = p.Explain()
	require.Contains(t, means, "rate limiter")
	require.Contains(t, change, "higher rate")
}

// The JSON of a report is what the schema of the command's summary says, and nothing else.
func TestReportJSON(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile("cmd/amorsize/schema/summary.schema.json")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the command is not here")
	}
	require.NoError(t, err)
	for _, report := range []*amorsize.Report{reportOf(t), {}} {
		raw, err := json.Marshal(report)
		require.NoError(t, err)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(value), "%s", raw)
		for name := range value.(map[string]any) {
			require.Contains(t, schema.Properties, name)
		}
	}
	var s struct {
		Total, OK, Failed, Retried, Throttled int
		Job                                   struct{ Tries int }
		Reasons                               []struct {
			Why   string
			Items int
		}
		Failures []struct{ N, Tries int }
	}
	raw, err := json.Marshal(reportOf(t))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &s))
	require.Equal(t, []int{500, 489, 11, 11, 20, 511}, []int{s.Total, s.OK, s.Failed, s.Retried, s.Throttled, s.Job.Tries})
	require.Equal(t, 8, s.Failures[0].N)
	require.Equal(t, 2, s.Failures[0].Tries)
	require.Equal(t, "overloaded", s.Reasons[0].Why)
	require.Equal(t, 10, s.Reasons[0].Items)
}

// The page has the same, and escapes what the function says.
func TestReportHTML(t *testing.T) {
	var page bytes.Buffer
	require.NoError(t, reportOf(t).WriteHTML(&page))
	text := page.String()
	for _, want := range []string{"489 of 500 items in", "Calls wait for the rate limiter &#34;search&#34;", "item 7", "&lt;busy&gt;", "overloaded", "10 items"} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 5, strings.Count(text, "<svg"))
	for _, never := range []string{"<busy>", "<script", "http://", "https://", "NaN"} {
		require.NotContains(t, text, never)
	}
	require.NoError(t, new(amorsize.Report).WriteHTML(&page))
}

func ExampleReport_WriteHTML() {
	var report amorsize.Report
	_, _ = amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithReport(&report))
	var page bytes.Buffer // a file
	if err := report.WriteHTML(&page); err != nil {
		panic(err)
	}
	// Output:
}

// comeBack is a refusal that says when to come back.
type comeBack time.Duration

func (comeBack) Error() string               { return "429" }
func (c comeBack) RetryAfter() time.Duration { return time.Duration(c) }

// A service that counts the calls of any second refuses some where the rate is as high as it allows, and each refusal
// pauses all calls: the report says so, and that a lower rate is faster.
func TestRefusalsPauseTheRun(t *testing.T) {
	run := func(rate float64, burst int) (report amorsize.Report) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var began []time.Time
			limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: rate, BurstSize: burst})
			again := retry.MustNew(retry.Policy{MaxRetries: 9})
			_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
				mu.Lock()
				now := time.Now()
				began = slices.DeleteFunc(began, func(at time.Time) bool { return now.Sub(at) >= time.Second })
				full := len(began) >= 100
				if !full {
					began = append(began, now)
				}
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
				if full {
					return i, comeBack(time.Second)
				}
				return i, nil
			}, sequence(600), amorsize.WithReport(&report), amorsize.WithPolicies(again, limiter))
			require.NoError(t, err)
		})
		return report
	}
	refused, fine := run(100, 10), run(95, 1)
	require.Regexp(t, `bound by  policies: the service refused \d+ calls?, which paused the others: \d+(\.\d)?/s were made, of 100/s that the rate allows
  faster    with a rate a little below what the service allows, so that it refuses none
`, refused.String())
	require.Contains(t, fine.String(), "bound by  policies: calls wait for the rate limiter: ")
	require.Less(t, fine.Elapsed, refused.Elapsed, "it is faster")
}

// What calls of the sample waited for policies is taken off once, as that of any other call.
func TestBusyOfASampleThatWaits(t *testing.T) {
	for name, options := range map[string][]amorsize.Option{
		"all of it": {amorsize.WithSampleSize(10)}, "half of it": {amorsize.WithSampleSize(5)}, "none": {amorsize.WithWorkers(1)}, "as usual": nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			var report amorsize.Report
			limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1})
			_, err := amorsize.Execute(func(i int) (int, error) {
				time.Sleep(20 * time.Millisecond)
				return i, nil
			}, sequence(10), append(options, amorsize.WithPolicies(limiter), amorsize.WithReport(&report))...)
			require.NoError(t, err)
			require.InDelta(t, 0.2, report.Busy.Seconds(), 0.001, name)
			require.InDelta(t, 0.2/report.Elapsed.Seconds(), report.Speedup, 0.01, name)
		})
	}
}

// A pause is named only where refusals are most of what failed, and the limiter what made calls wait longest.
func TestOtherFailuresAreNoPauses(t *testing.T) {
	var report amorsize.Report
	report.Bound, report.Items, report.Succeeded, report.Elapsed = amorsize.BoundByPolicies, 60, 60, 10*time.Second
	report.Plan.Constraints.Rate = 100
	report.Calls.Ended, report.Calls.Failed.Overloaded, report.Calls.Failed.Other = 120, 1, 59
	report.Calls.Waits = []amorsize.Wait{{Kind: "retry", Calls: 60, Total: time.Minute}, {Kind: "ratelimit", Calls: 60, Total: 20 * time.Second}}
	require.Contains(t, report.String(), "calls wait to be retried: 1s each on average\n")
	report.Calls.Failed.Other = 0
	require.Contains(t, report.String(), "calls wait to be retried: 1s each on average\n")
	report.Calls.Waits = report.Calls.Waits[1:]
	require.Contains(t, report.String(), "the service refused 1 call, which paused the others: 12/s were made, of 100/s that the rate allows\n")
	report.Calls.Failed.Other = 59
	require.Contains(t, report.String(), "calls wait for the rate limiter: 333ms each on average\n")
}
