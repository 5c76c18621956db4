package executor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/waiting"
)

// Latencies are to 1 %, and vary as they do.
func TestLatencies(t *testing.T) {
	var none *tally
	none.record(1, 1)
	require.Zero(t, none.variation())
	require.Equal(t, Latencies{Base: 3}, none.summary(3))
	l := new(tally)
	require.Equal(t, Latencies{Base: 3}, l.summary(3))
	l.record(50*time.Millisecond, 5)
	require.Zero(t, l.variation(), "too few")
	require.InEpsilon(t, 10*time.Millisecond, l.summary(0).P50, 0.01)
	l.record(30*time.Millisecond, 1)
	require.InDelta(t, 7.45/13.33, l.variation(), 0.01)
	l.record(time.Nanosecond, 1)
	l.record(3*time.Hour, 1)
	l.record(time.Hour, 0)
	require.EqualValues(t, 8, l.latency.Count())
	require.Equal(t, 3*time.Hour, l.summary(1).Max)
	tens := new(tally)
	for i := range 100 {
		tens.record(time.Duration(i+1)*time.Millisecond, 1)
	}
	s := tens.summary(7)
	require.EqualValues(t, 7, s.Base)
	for want, got := range map[time.Duration]time.Duration{50 * time.Millisecond: s.P50, 90 * time.Millisecond: s.P90, 99 * time.Millisecond: s.P99} {
		require.InEpsilon(t, want, got, 0.01)
	}
}

// How long the calls of a claim took is recorded as one, unless each was, or it is not known how long they waited.
func TestTimesOfAClaim(t *testing.T) {
	for name, c := range map[string]struct {
		runner runner
		change func(w *worker)
		took   time.Duration
		calls  int64
	}{
		"plain":                        {&calls[int, int]{}, func(*worker) {}, time.Second, 3},
		"told by the tracker":          {&calls[int, int]{}, func(w *worker) { w.tracker = new(flight.Tracker) }, time.Second, 0},
		"timed one by one":             {&calls[int, int]{}, func(w *worker) { w.timed = true }, time.Second, 0},
		"without a call for one":       {&calls[int, int]{}, func(w *worker) { w.unmade = 1 }, time.Second, 2},
		"through policies":             {&guarded[int, int]{}, func(*worker) {}, 3 * leastWait, 3},
		"through policies, and longer": {&guarded[int, int]{}, func(*worker) {}, 3*leastWait + 1, 0},
	} {
		w := &worker{runner: c.runner}
		w.tally, w.called = new(tally), 2
		c.change(w)
		w.tellCalls(3, c.took)
		calls := w.tally.snapshot()
		require.Equal(t, c.calls, calls.Latency.Count(), name)
		require.EqualValues(t, 2, calls.Ended, name)
		require.Equal(t, []any{0, 0, false}, []any{w.called, w.unmade, w.timed}, "%s: the next claim is another one", name)
		if c.calls == 3 {
			require.InEpsilon(t, c.took/3, calls.Latency.Max(), 0.01, name)
		}
	}
}

// Calls are counted by what they fail of.
func TestFailuresByOutcome(t *testing.T) {
	var c tally
	c.ended(8, nil)
	c.ended(2, errors.New("odd"))
	c.ended(1, refused(503))
	c.ended(3, fmt.Errorf("call: %w", errTimeout{}))
	c.ended(7, &PartialError{Failed: map[int]error{3: errors.New("odd"), 4: refused(503)}})
	c.ended(1, fmt.Errorf("of another one: %w", &PartialError{Failed: map[int]error{3: errors.New("odd"), 4: errors.New("odd")}}))
	c.ended(1, refusedHere{})
	c.ended(4, &PanicError{})
	c.ended(0, errors.New("none"))
	c.unmade(2)
	c.retried(3)
	calls := c.snapshot()
	require.Equal(t, Failures{Overloaded: 2, TimedOut: 3, Refused: 1, Panicked: 4, Other: 4}, calls.Failed)
	require.EqualValues(t, 14, calls.Failed.All())
	require.EqualValues(t, 2, calls.NotMade)
	require.EqualValues(t, 3, calls.Retried)
	require.EqualValues(t, 27, calls.Ended)
	require.EqualValues(t, 13, calls.OK())
	before := c.close()
	c.ended(1, nil)
	c.record(1, 1)
	c.waited(&fakePolicy{}, 1)
	c.look(&fakePolicy{state: "open"})
	after := c.snapshot()
	require.Equal(t, before.Ended, after.Ended, "who is left behind counts no more")
	require.Zero(t, after.Latency.Count())
	require.Empty(t, after.Waits)
	require.Empty(t, c.policies)
	var none *tally
	none.ended(1, refused(503))
	none.retried(1)
	none.unmade(1)
	none.lose(1)
	none.waited(nil, 1)
	require.Zero(t, none.failures())
	require.Equal(t, &Calls{}, none.snapshot())
	require.Equal(t, Calls{}, none.close())
}

type errTimeout struct{}

func (errTimeout) Error() string { return "timeout" }
func (errTimeout) Timeout() bool { return true }

// asking is an error that asks how the calls go when it is asked what it is.
type asking struct{ of *tally }

func (asking) Error() string     { return "asking" }
func (e asking) StatusCode() int { e.of.snapshot(); return 503 }

// What an error says of itself is asked without a lock.
func TestErrorsAreAskedWithoutALock(t *testing.T) {
	var c tally
	c.ended(1, asking{&c})
	require.EqualValues(t, 1, c.snapshot().Failed.Overloaded)
}

type refusedHere struct{}

func (refusedHere) Error() string          { return "refused" }
func (refusedHere) Refused() time.Duration { return time.Second }

// fakePolicy is one that can be in any state.
type fakePolicy struct{ kind, name, state string }

func (p *fakePolicy) Kind() string                   { return p.kind }
func (p *fakePolicy) Name() string                   { return p.name }
func (p *fakePolicy) State() (string, time.Duration) { return p.state, time.Second }

// What policies made calls wait is added up by their names, and what state they are in is told
// once.
func TestPoliciesAreTold(t *testing.T) {
	var c tally
	var told []string
	c.tell = func(s PolicyState) { told = append(told, s.Kind+" "+s.Name+" "+s.State) }
	breaker, limiter := &fakePolicy{"circuitbreaker", "search", "open"}, &fakePolicy{kind: "ratelimit"}
	c.meets(waiting.Line{By: limiter})
	c.meets(waiting.Line{By: &fakePolicy{state: "paused"}, OneOfMany: true})
	c.meets(waiting.Line{})
	require.Empty(t, told)
	c.look(breaker)
	c.look(breaker)
	breaker.state = "half-open"
	c.meets(waiting.Line{By: breaker})
	require.Equal(t, []string{"circuitbreaker search open"}, told, "that it makes calls wait is no news")
	limiter.state = "paused"
	require.Equal(t, []PolicyState{{"circuitbreaker", "search", "half-open", time.Second}, {"ratelimit", "ratelimit", "paused", time.Second}}, c.lookAll())
	breaker.state, limiter.state = "", ""
	require.Empty(t, c.lookAll())
	require.Len(t, told, 5)
	require.Contains(t, told[3:], "circuitbreaker search ")

	c.waited(limiter, time.Second)
	c.waited(limiter, 2*time.Second)
	c.waited(&fakePolicy{kind: "retry", name: "search"}, 3*time.Second)
	c.waited(nil, time.Second)
	calls := c.snapshot()
	require.Equal(t, time.Second, calls.Waits[0].Times.Min())
	for i := range calls.Waits {
		require.Equal(t, calls.Waits[i].Calls, calls.Waits[i].Times.Count())
		calls.Waits[i].Times = Histogram{}
	}
	require.Equal(t, []Wait{{Kind: "ratelimit", Name: "ratelimit", Calls: 2, Total: 3 * time.Second}, {Kind: "retry", Name: "search", Calls: 1, Total: 3 * time.Second}}, calls.Waits)
	for i := range 2 * maxPolicies {
		c.look(&fakePolicy{kind: "ratelimit", name: fmt.Sprint(i)})
		c.waited(&fakePolicy{kind: "ratelimit", name: fmt.Sprint(i)}, 1)
	}
	require.Len(t, c.policies, maxPolicies)
	require.Len(t, c.snapshot().Waits, maxPolicies)
}

// Of a batch that tells of its items each failure counts by itself, the others as successes; one that tells of more
// items than it had has failed as a whole.
func TestFailuresWithinABatch(t *testing.T) {
	partial := &PartialError{Failed: map[int]error{0: refused(503), 1: refused(503), 2: errTimeout{}}}
	for items, want := range map[int]Failures{
		4: {Overloaded: 2, TimedOut: 1},
		3: {Overloaded: 2, TimedOut: 1},
		2: {TimedOut: 2},
	} {
		var c tally
		c.ended(items, partial)
		calls := c.snapshot()
		require.Equal(t, want, calls.Failed, items)
		require.EqualValues(t, items, calls.Ended)
	}
	var c tally
	c.ended(-1, errTimeout{})
	c.record(time.Second, -1)
	require.Equal(t, &Calls{}, c.snapshot(), "nothing has ended")
}

// Where as many policies are known as are told of, those go on being told of, and no others are.
func TestManyPolicies(t *testing.T) {
	var c tally
	var told []string
	c.tell = func(s PolicyState) { told = append(told, s.Name+" "+s.State) }
	known := make([]*fakePolicy, maxPolicies)
	for i := range known {
		known[i] = &fakePolicy{kind: "ratelimit", name: fmt.Sprint(i)}
		c.look(known[i])
		c.waited(known[i], time.Second)
	}
	require.Empty(t, told, "none is in an unusual state")
	another := &fakePolicy{"ratelimit", "another", "open"}
	c.look(another)
	c.meets(waiting.Line{By: another})
	c.waited(another, time.Second)
	require.Empty(t, told)
	last := known[maxPolicies-1]
	last.state = "paused"
	c.look(last)
	c.look(last)
	c.waited(last, time.Second)
	require.Equal(t, []string{"63 paused"}, told)
	waits := c.snapshot().Waits
	require.Len(t, waits, maxPolicies)
	require.EqualValues(t, 2, waits[maxPolicies-1].Calls)
	require.Len(t, c.lookAll(), 1)
}

// A policy that a call meets is looked at the first time; that there is one of many is no news.
func TestPolicyIsMet(t *testing.T) {
	for name, c := range map[string]struct {
		line waiting.Line
		told int
	}{
		"nobody's":    {waiting.Line{}, 0},
		"one of many": {waiting.Line{By: &fakePolicy{state: "open"}, OneOfMany: true}, 0},
		"a policy":    {waiting.Line{By: &fakePolicy{state: "open"}}, 1},
	} {
		told := 0
		of := &tally{tell: func(PolicyState) { told++ }}
		of.meets(c.line)
		of.meets(c.line)
		require.Equal(t, c.told, told, name)
		var none *tally
		none.meets(c.line)
		none.look(c.line.By)
	}
}

// States come in the order of kinds and names, and those that are usual are left out; waits are told apart by both.
func TestPoliciesAreInOrder(t *testing.T) {
	var c tally
	all := []*fakePolicy{{"b", "y", "open"}, {"b", "x", "open"}, {"a", "z", "open"}, {"a", "", "open"}, {"c", "", ""}}
	for range 3 {
		for _, p := range all {
			c.look(p)
			c.waited(p, time.Second)
		}
	}
	var names []string
	for _, s := range c.lookAll() {
		names = append(names, s.Kind+" "+s.Name)
	}
	require.Equal(t, []string{"a a", "a z", "b x", "b y"}, names)
	waits := c.snapshot().Waits
	require.Len(t, waits, len(all))
	for _, w := range waits {
		require.EqualValues(t, 3, w.Calls)
	}
	var none *tally
	require.Empty(t, none.lookAll())
}

// What has been told of the counts does not change with them.
func TestCountsAreCopied(t *testing.T) {
	var c tally
	c.waited(&fakePolicy{kind: "retry"}, time.Second)
	c.record(time.Second, 1)
	before := c.snapshot()
	c.waited(&fakePolicy{kind: "retry"}, time.Second)
	c.record(time.Hour, 1)
	require.EqualValues(t, 1, before.Waits[0].Calls)
	require.Equal(t, time.Second, before.Latency.Max())
	after := c.close()
	require.Equal(t, time.Hour, after.Latency.Max())
}

// Items that failed are counted one by one.
func TestFailedItemsAreCounted(t *testing.T) {
	var c tally
	c.lose(2)
	c.lose(1)
	require.Equal(t, 3, c.failures())
	require.Nil(t, newTally(false))
	require.NotNil(t, newTally(true))
}
