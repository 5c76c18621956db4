package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
)

// What a listener was given does not change while the run goes on.
func TestCountsThatWereGivenStayAsTheyAre(t *testing.T) {
	var c tally
	limiter := waiting.Policy(&fakePolicy{kind: "ratelimit"})
	count := func() {
		c.ended(1, nil)
		c.record(time.Second, 1)
		c.waited(limiter, time.Second)
	}
	counts := func(calls *Calls) (all []int64) {
		for _, h := range []*Histogram{&calls.Latency, &calls.Waits[0].Times} {
			all = append(all, h.Count(), int64(h.Sum()))
			for _, n := range h.Buckets(6) {
				all = append(all, n)
			}
		}
		return append(all, calls.Ended, calls.Waits[0].Calls, int64(calls.Waits[0].Total))
	}
	count()
	given := c.snapshot()
	before := counts(given)
	require.Equal(t, []int64{1, 1e9, 1, 1, 1e9, 1, 1, 1, 1e9}, before)
	count()
	require.Equal(t, before, counts(given))
	given.Latency.Add(time.Second, 7)
	given.Waits[0].Times.Add(time.Second, 7)
	require.Equal(t, []int64{2, 2e9, 2, 2, 2e9, 2, 2, 2, 2e9}, counts(c.snapshot()), "nor does what is counted")
}

// Progress is due once the interval has passed, to the nanosecond, and at the end in any case, once.
func TestEveryInterval(t *testing.T) {
	var at []time.Duration
	tell := Every(100, func(p Progress) { at = append(at, p.Elapsed) })
	for _, elapsed := range []time.Duration{99, 100, 199, 200, 301} {
		tell(Progress{Completed: 1, Total: 9, Elapsed: elapsed})
	}
	tell(Progress{Completed: 9, Total: 9, Elapsed: 302})
	tell(Progress{Completed: 9, Total: 9, Elapsed: 500})
	require.Equal(t, []time.Duration{100, 200, 301, 302}, at)
}

// A copy shares no policies either.
func TestACopyOfCountsSharesNothing(t *testing.T) {
	c := Calls{Policies: []PolicyState{{State: "open"}}, Waits: []Wait{{Calls: 1}}}
	copied := c.clone()
	require.Equal(t, c, copied)
	copied.Policies[0].State, copied.Waits[0].Calls = "closed", 2
	require.Equal(t, Calls{Policies: []PolicyState{{State: "open"}}, Waits: []Wait{{Calls: 1}}}, c)
}
