package executor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A worker begins no further item once it is signalled, or once the caller's context has ended if it looks at that.
func TestInterrupted(t *testing.T) {
	open, closed := make(chan struct{}), make(chan struct{})
	close(closed)
	for name, c := range map[string]struct {
		signal uint32
		done   <-chan struct{}
		want   bool
	}{
		"nothing":                   {goOn, nil, false},
		"a context":                 {goOn, open, false},
		"a context that has ended":  {goOn, closed, true},
		"halted":                    {halt, nil, true},
		"halted, and a context":     {halt, open, true},
		"split":                     {split, nil, true},
		"split, and it has ended":   {split, closed, true},
		"halted, and it has ended":  {halt, closed, true},
		"signals go before the end": {split, open, true},
	} {
		w := &worker{done: c.done}
		w.signal.Store(c.signal)
		require.Equal(t, c.want, w.interrupted(), name)
	}
}

// A worker hurries the reviews where it has a pacer and they are rare; the caller has none.
func TestWhoHurries(t *testing.T) {
	(&worker{}).hurry()
	for resting, tokens := range map[bool]int{true: 1, false: 0} {
		p := &pacer{stirred: make(chan struct{}, 1)}
		p.resting.Store(resting)
		(&worker{pacer: p}).hurry()
		require.Len(t, p.stirred, tokens)
	}
}

// A claim ends where it was shortened to, and never behind where it was to end.
func TestEndOfAClaim(t *testing.T) {
	for to, want := range map[int]span{4: {Lo: 2, Hi: 4}, 9: {Lo: 2, Hi: 9}, 12: {Lo: 2, Hi: 9}} {
		w := &worker{}
		w.to = to
		require.Equal(t, want, w.endOf(span{Lo: 2, Hi: 9}))
	}
}

// Calls get the worker's own context where it has one, and else the run's.
func TestContextOfAWorker(t *testing.T) {
	run := &runContext{Context: t.Context()}
	w := &worker{}
	require.Same(t, run, w.context(run))
	w.call = newCallContext(run, &Config{})
	require.Same(t, w.call, w.context(run))
}

// Where attempts are told one by one, a failed claim is no further call, and a panic is none if it is a policy's: then
// no call was made.
func TestFailuresOfAClaim(t *testing.T) {
	for name, c := range map[string]struct {
		runner   runner
		attempts int
		failed   int64
		panicked int64
	}{
		"calls":                 {&calls[int, int]{}, 0, 1, 3},
		"calls, with attempts":  {&calls[int, int]{}, 1, 1, 3},
		"a policy":              {&guarded[int, int]{}, 0, 0, 0},
		"a call, policed":       {&guarded[int, int]{}, 1, 0, 3},
		"a second one, policed": {&guarded[int, int]{}, 2, 0, 3},
	} {
		w := &worker{runner: c.runner}
		w.tally, w.attempts = new(tally), c.attempts
		w.failedClaim(errors.New("odd"))
		w.panickedCalls(3)
		calls := w.tally.snapshot()
		require.Equal(t, c.failed, calls.Failed.Other, name)
		require.Equal(t, c.panicked, calls.Failed.Panicked, name)
		require.Equal(t, c.failed+c.panicked, calls.Ended, name)
	}
}

// Items for which no call was made count as such, if they have ended; of those that failed the report tells.
func TestUncalledItems(t *testing.T) {
	odd := errors.New("odd")
	for name, c := range map[string]struct {
		attempts int
		over     bool // the run has ended
		err      error
		unmade   int
		told     int64
	}{
		"a policy answered":           {0, false, nil, 2, 0},
		"a policy answered, at last":  {0, true, nil, 2, 0},
		"a policy refused":            {0, false, odd, 2, 2},
		"a policy refused, at last":   {0, true, odd, 2, 2},
		"it was cut off":              {0, true, context.Canceled, 0, 0},
		"cut off, but not by the run": {0, false, context.Canceled, 2, 2},
		"a call succeeded":            {1, false, nil, 0, 0},
		"a call failed":               {1, false, odd, 0, 0},
	} {
		run := &runContext{Context: t.Context()}
		if c.over {
			run.end(context.Canceled)
		}
		w := &worker{call: newCallContext(run, &Config{})}
		w.tally, w.attempts = new(tally), c.attempts
		w.uncalled(2, c.err)
		require.Equal(t, c.unmade, w.unmade, name)
		require.Equal(t, c.told, w.tally.snapshot().NotMade, name)
	}
	w := &worker{}
	require.False(t, w.cutOff(context.Canceled), "without a context a call can't be cut off")
}

// A call is in a policy while it is measured and the function is not being called.
func TestInPolicies(t *testing.T) {
	for _, c := range []struct{ measuring, inside, want bool }{
		{true, false, true}, {true, true, false}, {false, false, false}, {false, true, false},
	} {
		w := &worker{}
		w.policed.measuring.Store(c.measuring)
		w.policed.inside.Store(c.inside)
		require.Equal(t, c.want, w.inPolicies(), c)
	}
}

// What a claim has counted, the next one does not count again.
func TestClaimsCountApart(t *testing.T) {
	w := &worker{runner: &calls[int, int]{}}
	w.tally, w.called, w.unmade, w.timed = new(tally), 2, 1, true
	w.tellCalls(3, time.Second)
	require.Zero(t, w.tally.snapshot().Latency.Count(), "each was timed")
	w.tellCalls(3, time.Second)
	calls := w.tally.snapshot()
	require.EqualValues(t, 2, calls.Ended)
	require.EqualValues(t, 3, calls.Latency.Count())
}
