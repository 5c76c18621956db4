package executor

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// The facts of the host are worth reading from the same bound on for work that is known from earlier runs: all items
// of the run count, since the sample is of this run.
func TestReadHostForWhatWasLearned(t *testing.T) {
	runtime.GC() // a large heap would be a reason
	for items, full := range map[int]bool{1000: true, 999: false} {
		r := wired(Config{learned: &learned{sample: sampling.Sample{ItemNanos: float64(fullHostFrom) / 1000}}}, items)
		r.planner.readHost(sampling.Sample{Items: 500, ItemNanos: 1})
		require.Equal(t, full, r.planner.host.MemoryTotal > 0, "%d items", items)
	}
}

// Where the heap is large, memory may be short: all facts are read.
func TestReadHostOfALargeHeap(t *testing.T) {
	defer runtime.GC()
	large := make([]byte, unknownUnit)
	r := wired(Config{}, 10)
	r.planner.readHost(sampling.Sample{Items: 5, ItemNanos: 1})
	runtime.KeepAlive(large)
	require.Positive(t, r.planner.host.MemoryTotal)
}

// A run that continues with what was learned has measured itself what its calls hold; what the next run continues with
// is left alone.
func TestBeginWithWhatWasLearned(t *testing.T) {
	l := &learned{sample: sampling.Sample{ItemNanos: 1e8, CPUKnown: true, HeldBytes: 7}}
	p := wired(Config{learned: l}, 1000)
	p.planner.host = sampling.Host{Procs: 2}
	p.planner.begin(sampling.Sample{Items: 3, ItemNanos: 5, HeldBytes: 9}, 20)
	require.InDelta(t, 9, p.planner.plan.Sample.HeldBytes, 0)
	require.InDelta(t, 1e8, p.planner.plan.Sample.ItemNanos, 0)
	require.InDelta(t, 7, l.sample.HeldBytes, 0)
	require.Equal(t, 50*100*time.Millisecond, p.planner.plan.PredictedDuration, "as many rounds as the limit needs")
	p.planner.begin(sampling.Sample{}, 0)
	require.NotEqual(t, 50*100*time.Millisecond, p.planner.plan.PredictedDuration, "no limit is known")
}

// The plan of a run whose batches have a size already is made of what an item takes in one of them, which is less than
// in the first small ones.
func TestBeginWithASettledSize(t *testing.T) {
	p := wired(Config{}, 10_000)
	sizer := sizing.NewBatch(sizing.BatchBounds{Target: time.Minute})
	p.batches = &batching{sizer: sizer}
	sample := sampling.Sample{Items: 1, ItemNanos: 5, CPUKnown: true}
	p.planner.begin(sample, 0)
	require.InDelta(t, 5, p.planner.plan.Sample.ItemNanos, 0, "none is known")
	for !sizer.Ready() {
		n := sizer.Size(0, 10_000, 1)
		sizer.Succeeded(n, 40*time.Millisecond+time.Duration(n)*time.Millisecond)
	}
	size, _ := sizer.Settled()
	require.Greater(t, size, 1)
	p.planner.begin(sample, 0)
	require.InEpsilon(t, 1e6+40e6/float64(size), p.planner.plan.Sample.ItemNanos, 0.01)
	require.Equal(t, size, p.planner.plan.ChunkSize)
}

// What is said of a stream does not depend on how many items it has: nobody knows.
func TestPlanOfAStreamTellsNoNumbers(t *testing.T) {
	p := wired(Config{}, source.Many)
	p.of(source.NewArrivals(9, false))
	plan := p.planner.make(sampling.Sample{Items: 3, ItemNanos: 1e6, CPUKnown: true, CPUShare: 1}, sampling.Host{Procs: 4})
	require.Contains(t, plan.Reason, "a stream: one worker per core")
	require.Zero(t, plan.PredictedSpeedup)
	require.False(t, plan.AtBest)
	require.NotEmpty(t, plan.Limits)
	for _, l := range plan.Limits {
		require.NotContains(t, []string{"", "items"}, l.Name)
		require.Equal(t, l.Workers == plan.MaxWorkers, l.Binding, l.Name)
	}
}

// Nothing is predicted of batches whose calls wait.
func TestPlanOfWaitingBatchesPredictsNothing(t *testing.T) {
	p := wired(Config{ChunkSize: 7}, 1000)
	p.batches = &batching{}
	plan := p.planner.make(waitingSample, sampling.Host{Procs: 2})
	require.Zero(t, plan.PredictedDuration)
	require.Zero(t, plan.PredictedSpeedup)
	require.Empty(t, plan.Candidates)
	p.cfg.Workers = 3
	plan = p.planner.make(waitingSample, sampling.Host{Procs: 2})
	require.Positive(t, plan.PredictedDuration, "the caller says how many there are")
	require.Positive(t, plan.PredictedSpeedup)
}

// Any time that is predicted is a bound, if items cost more than the sample showed.
func TestShortestPredictionOfASurprise(t *testing.T) {
	p := wired(Config{}, 2)
	p.planner.surprised = true
	plan := p.planner.make(sampling.Sample{Items: 1, ItemNanos: 1, CPUKnown: true, CPUShare: 1}, sampling.Host{Procs: 1})
	require.True(t, plan.AtBest)
}

// How many workers there may be is known from the items that are left, if calls wait, and not from the memory that they
// hold: that bounds the calls by itself.
func TestCeilingOfWorkers(t *testing.T) {
	p := wired(Config{}, 10)
	p.planner.plan = optimizer.Plan{MaxWorkers: 2, Sample: waitingSample, Host: sampling.Host{Procs: 2, MemoryTotal: 1 << 30, MemoryAvailable: 1 << 30}}
	p.planner.plan.Sample.HeldBytes = 1 << 40
	p.planner.plan.Sample.AllocKnown, p.planner.plan.Sample.AllocBytes = true, 1<<40
	require.Equal(t, 7, p.planner.ceiling())
	require.Equal(t, optimizer.MaxWaiting, p.planner.ceilingOfMany())
	p.total, p.cfg.MaxWorkers = 9, 5
	require.Equal(t, 7, p.planner.ceiling(), "it is computed once")
	require.Equal(t, optimizer.MaxWaiting, p.planner.ceilingOfMany())
	require.Equal(t, 5, p.planner.ceilingFor(100))
	p.cfg.MinWorkers = 20
	require.Equal(t, 20, p.planner.ceilingFor(4), "the caller demands them")
	p.cfg.Plan = new(optimizer.Plan)
	require.Equal(t, 20, p.planner.ceilingFor(100))
	p.cfg.MinWorkers = 0
	require.Equal(t, 2, p.planner.ceilingFor(100), "of a given plan it is the plan's")
}

// The plan that a caller gives stays as it is, also behind the end of its warnings.
func TestAGivenPlanIsLeftAlone(t *testing.T) {
	warnings := []string{"one", "two"}
	p := wired(Config{}, 9)
	p.planner.host = sampling.Host{Procs: 2}
	got := p.planner.given(optimizer.Plan{Workers: 2, Host: sampling.Host{Procs: 3}, Warnings: warnings[:1]})
	require.Equal(t, "one", got.Warnings[0])
	require.Greater(t, len(got.Warnings), 1)
	require.Equal(t, []string{"one", "two"}, warnings)
}
