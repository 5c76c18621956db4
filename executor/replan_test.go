package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// As the size of batches is settled, an item takes its part of a batch.
func TestAnItemOfASettledBatchTakesItsPart(t *testing.T) {
	p := wired(Config{}, 1000)
	sizer := sizing.NewBatch(sizing.BatchBounds{Target: time.Second})
	p.batches = &batching{sizer: sizer}
	p.planner.plan = p.planner.make(waitingSample, sampling.Host{Procs: 2})
	for !sizer.Ready() {
		size := sizer.Size(0, 1000, 1)
		sizer.Succeeded(size, time.Duration(10+10*size)*time.Millisecond)
	}
	took, size, _ := p.unit(0)
	require.Greater(t, size, 1)
	require.Positive(t, took)
	require.InDelta(t, float64(took)/float64(size), p.planner.settled().Sample.ItemNanos, 1)
}

// revisable is the planner of a run that knew nothing of its calls.
func revisable() *planner {
	r := wired(Config{}, 1000)
	p := &r.planner
	p.plan = p.make(sampling.Sample{Items: 3, ItemNanos: 1e8, CV: 0.25, Elapsed: time.Second}, sampling.Host{Procs: 2})
	return p
}

// A plan that is made again takes over what memory has shown of a call, and is told as a copy.
func TestAPlanMadeAgainHasWhatACallHolds(t *testing.T) {
	for name, again := range map[string]func(p *planner) *optimizer.Plan{
		"of calls that compute": func(p *planner) *optimizer.Plan { return p.revise(1, time.Second, 77) },
		"of calls that wait": func(p *planner) *optimizer.Plan {
			return p.reviseWaiting(waitingCalls{base: time.Second, heldBytes: 77})
		},
	} {
		p := revisable()
		plan := again(p)
		require.NotNil(t, plan, name)
		require.InDelta(t, 77, plan.Sample.HeldBytes, 0, name)
		require.Equal(t, 2, plan.Host.Procs, name)
		require.Equal(t, *plan, p.plan, name)
		require.NotSame(t, &p.plan, plan, name)
		require.False(t, p.unknown(), name)
	}
}

// What calls that wait have not shown stays as it was known: how much they vary, and the CPU share of a sample that
// knew it.
func TestWhatWaitingCallsDoNotShowStays(t *testing.T) {
	p := revisable()
	plan := p.reviseWaiting(waitingCalls{base: 1, share: 0.125}) // any time is one
	require.NotNil(t, plan)
	require.InDelta(t, 1, plan.Sample.ItemNanos, 0)
	require.InDelta(t, 0.25, plan.Sample.CV, 0)
	require.InDelta(t, 0.125, plan.Sample.CPUShare, 0)
	p = revisable()
	p.plan.Sample.CPUKnown, p.plan.Sample.CPUShare, p.surprised = true, 0.5, true
	plan = p.reviseWaiting(waitingCalls{base: time.Second, variation: 1e-3, share: 0.125})
	require.InDelta(t, 1e-3, plan.Sample.CV, 0)
	require.InDelta(t, 0.5, plan.Sample.CPUShare, 0)
}

// A ramp that began only after the sample ends later by that, to the nanosecond.
func TestALateRampEndsLater(t *testing.T) {
	predicted := func(began time.Duration) time.Duration {
		return revisable().reviseWaiting(waitingCalls{base: 50 * time.Millisecond, began: began}).PredictedDuration
	}
	sampled := predicted(time.Second)
	require.Positive(t, sampled)
	require.Equal(t, sampled, predicted(0), "it began within the sample")
	for _, later := range []time.Duration{1, time.Second, time.Hour} {
		require.Equal(t, sampled+later, predicted(time.Second+later))
	}
	short := wired(Config{}, 1)
	short.planner.againWaiting(sampling.Sample{ItemNanos: 1, CPUKnown: true}, waitingCalls{began: time.Hour})
	require.Equal(t, time.Hour+1, short.planner.plan.PredictedDuration, "however little was predicted")
}
