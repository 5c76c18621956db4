package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each bound is explained, with what would change it.
func TestBoundsAreExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range []Bound{BoundByCores, BoundByMemory, BoundByPolicies, BoundByService, BoundByItems, BoundByCaller, ""} {
		means, change := b.Explain()
		require.NotEmpty(t, means)
		require.NotEmpty(t, change)
		require.False(t, seen[means], b)
		seen[means] = true
	}
}

// A policy that blocks all calls is what binds a run now, whatever else does; then it is the wait that is longest.
func TestWhatBindsNow(t *testing.T) {
	explain := func(p Progress) string {
		means, change := p.Explain()
		return means + " | " + change
	}
	p := Progress{Now: Moment{Bound: BoundByPolicies}}
	require.Equal(t, "Calls wait for a policy. | A higher rate, if the service allows one, or fewer refused calls.", explain(p))
	p.Calls = &Calls{Waits: []Wait{{Kind: "retry", Calls: 1, Total: time.Hour}}}
	require.Contains(t, explain(p), "Calls wait to be retried: 1h0m0s each on average. | Fewer failures")
	p.Calls.Waits = append(p.Calls.Waits, Wait{Kind: "ratelimit", Name: "a", Calls: 2, Total: time.Second}, Wait{Kind: "circuitbreaker", Name: "circuitbreaker", Calls: 2000, Total: 2 * time.Hour})
	require.Contains(t, explain(p), "Calls wait for the circuit breaker: 3.6s each on average.")
	require.Equal(t, "circuitbreaker", p.Calls.LongestWait().Kind)
	for state, want := range map[PolicyState]string{
		{Kind: "ratelimit", Name: "a", State: "paused", Left: 1500 * time.Millisecond}: `The rate limiter "a" is paused, 1.5s more: the service asked for it. | The end of the pause; a lower rate, if it happens often.`,
		{Kind: "ratelimit", State: "paused", Left: 1}:                                  "The rate limiter is paused, 1ns more: the service asked for it. | The end of the pause; a lower rate, if it happens often.",
		{Kind: "remote", State: "paused"}:                                              "The run is paused. | The command amorsize-remote runs resume.",
		{Kind: "circuitbreaker", State: "open", Left: time.Second}:                     "The circuit breaker is open, 1s more: too many calls have failed. | A service that answers again: then probes close the breaker.",
		{Kind: "circuitbreaker", Name: "b", State: "half-open"}:                        `The circuit breaker "b" is half-open: a few calls probe the service. | Successful probes.`,
		{Kind: "ratelimit", Name: "a", State: "slow"}:                                  "Calls wait for the circuit breaker: 3.6s each on average. | A higher rate, if the service allows one, or fewer refused calls.",
	} {
		p.Calls.Policies = []PolicyState{{Kind: "concurrency", State: "closed"}, state}
		require.Equal(t, want, explain(p))
	}
	p.Calls.Policies, p.Now.Bound = nil, BoundByCores
	require.Contains(t, explain(p), "all cores are busy")
}

// A policy without a name of its own is called by its kind.
func TestNamed(t *testing.T) {
	require.Equal(t, "retrier", named("retry", ""))
	require.Equal(t, "retrier", named("retry", "retry"))
	require.Equal(t, `concurrency limiter "x"`, named("concurrency", "x"))
	require.Equal(t, `mine "x"`, named("mine", "x"))
}

// Where nothing has made calls wait, there is no longest wait.
func TestNoLongestWait(t *testing.T) {
	require.Nil(t, new(Calls).LongestWait())
}

// It was the refusals of the service that held calls up if a rate limiter made them wait longest, most failures were such
// refusals, and far fewer calls were made than the rate allows.
func TestRefusalsThatPauseTheOthers(t *testing.T) {
	const more = "A rate a little below what the service allows, so that it refuses none."
	for name, c := range map[string]struct {
		change func(*Report)
		want   string
	}{
		"all of the failures": {func(*Report) {}, "The service refused 4 calls, which paused the others: 4/s were made, of 10/s that the rate allows."},
		"one":                 {func(r *Report) { r.Calls.Failed.Overloaded = 1 }, "The service refused 1 call, which paused the others: 4/s were made, of 10/s that the rate allows."},
		"half of them":        {func(r *Report) { r.Calls.Failed.Other = 4 }, "The service refused 4 calls, which paused the others: 4/s were made, of 10/s that the rate allows."},
		"less than half":      {func(r *Report) { r.Calls.Failed.Other = 5 }, ""},
		"none":                {func(r *Report) { r.Calls.Failed.Overloaded = 0 }, ""},
		"none of a failure":   {func(r *Report) { r.Calls.Failed = Failures{Other: 1} }, ""},
		"nearly the rate":     {func(r *Report) { r.Calls.Ended = 18 }, ""},
		"a little less":       {func(r *Report) { r.Calls.Ended = 17 }, "The service refused 4 calls, which paused the others: 8.5/s were made, of 10/s that the rate allows."},
		"another bound":       {func(r *Report) { r.Bound = BoundByService }, ""},
		"no wait":             {func(r *Report) { r.Calls.Waits = nil }, ""},
		"another policy":      {func(r *Report) { r.Calls.Waits[1].Total = time.Minute }, ""},
	} {
		r := &Report{Bound: BoundByPolicies, Elapsed: 2 * time.Second}
		r.Plan.Constraints.Rate = 10
		r.Calls.Ended, r.Calls.Failed.Overloaded = 8, 4
		r.Calls.Waits = []Wait{{Kind: "ratelimit", Total: time.Second}, {Kind: "concurrency", Total: 1}}
		c.change(r)
		means, change := r.pauses()
		require.Equal(t, c.want, means, name)
		require.Equal(t, c.want != "", change == more, name)
	}
}
