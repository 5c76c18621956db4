package summary_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// of returns the summary of attempts that took so long.
func of(t *testing.T, walls ...time.Duration) summary.Summary {
	t.Helper()
	c := summary.NewCollector(&jobs.State{}, &policies.Set{})
	for _, wall := range walls {
		j := job("a", nil, "")
		j.Wall = wall
		require.NoError(t, c.Tried(j, nil))
	}
	return c.Summary("run", jobs.Result{}, 0)
}

// The bins of a histogram follow one another, and each attempt is in the one for how long it took.
func TestHistogram(t *testing.T) {
	var walls []time.Duration
	for i := range 100 {
		walls = append(walls, time.Duration(i+1)*time.Millisecond)
	}
	bins := of(t, walls...).Histogram
	require.Len(t, bins, 30)
	total := int64(0)
	for i, bin := range bins {
		require.Less(t, bin.From, bin.To)
		if i > 0 {
			require.InDelta(t, bins[i-1].To, bin.From, 1e-9)
		}
		total += bin.Count
	}
	require.EqualValues(t, 100, total)

	bins = of(t, time.Millisecond, time.Second, time.Millisecond, 30*time.Millisecond, time.Millisecond, time.Second).Histogram
	require.EqualValues(t, 3, bins[0].Count)
	require.EqualValues(t, 2, bins[len(bins)-1].Count)
	for _, bin := range bins[1 : len(bins)-1] {
		within := bin.From < 0.03 && 0.03 <= bin.To
		require.Equal(t, within, bin.Count == 1, "%v", bin)
	}
}

// Attempts are told in microseconds, none is shorter than one, and a single one has a histogram of its own.
func TestShortAttempts(t *testing.T) {
	for wall, want := range map[time.Duration]float64{
		0: 1e-6, time.Microsecond: 1e-6, 1999 * time.Nanosecond: 1e-6, 100 * time.Microsecond: 1e-4,
	} {
		s := of(t, wall)
		require.InDelta(t, want, s.Job.Max, 1e-12, wall)
		require.Len(t, s.Histogram, 1)
		require.InDelta(t, want, s.Histogram[0].From, 1e-12)
		require.EqualValues(t, 1, s.Histogram[0].Count)
	}
}

// Two digits say enough of a duration: those that agree in them are one, so that the histogram stays small.
func TestDigitsOfAttempts(t *testing.T) {
	s := of(t, 1000*time.Millisecond, 1003*time.Millisecond)
	require.InDelta(t, s.Job.P50, s.Job.Max, 1e-12)
	s = of(t, 1000*time.Millisecond, 1010*time.Millisecond)
	require.Less(t, s.Job.P50, s.Job.Max)
}

// The summary tells of the cores that the run had, and leaves them to it.
func TestCores(t *testing.T) {
	cores := runtime.GOMAXPROCS(3)
	defer runtime.GOMAXPROCS(cores)
	require.Equal(t, 3, of(t).Host.Cores)
	require.Equal(t, 3, runtime.GOMAXPROCS(0))
}

// The timeline has what happened since the moment before, and a bound on its length.
func TestTimeline(t *testing.T) {
	state := &jobs.State{Began: time.Now()}
	c := summary.NewCollector(state, &policies.Set{})
	at := func(d time.Duration) { c.Tick(state.Began.Add(d)) }
	moments := func() []summary.Moment { return c.Summary("run", jobs.Result{}, 0).Timeline }
	at(199 * time.Millisecond)
	require.Empty(t, moments())
	for range 2 {
		j := job("a", nil, "")
		j.Wall = 30 * time.Millisecond
		require.NoError(t, c.Tried(j, nil))
	}
	state.Done.Store(10)
	state.Slots.Store(4)
	state.Running.Store(3)
	state.Failed.Store(1)
	at(200 * time.Millisecond)
	at(399 * time.Millisecond)
	state.Done.Store(14)
	at(400 * time.Millisecond)
	got := moments()
	require.Len(t, got, 2)
	require.Equal(t, []int{4, 3, 1}, []int{got[0].Limit, got[0].InFlight, got[0].Failed})
	require.InDelta(t, 0.2, got[0].At, 1e-9)
	require.InDelta(t, 50, got[0].Rate, 1e-6)
	require.InDelta(t, 0.03, got[0].Latency, 1e-9)
	require.InDelta(t, 20, got[1].Rate, 1e-6)
	require.Zero(t, got[1].Latency, "nothing was tried since")

	j := job("a", nil, "")
	j.Wall = 30 * time.Millisecond
	require.NoError(t, c.Tried(j, nil))
	at(600 * time.Millisecond)
	require.InDelta(t, 0.03, moments()[2].Latency, 1e-12, "of those since the moment before only")

	for i := 4; i <= 400; i++ {
		at(time.Duration(i) * 200 * time.Millisecond)
	}
	got = moments()
	require.Len(t, got, 200, "neighbours are one")
	require.InDelta(t, 0.4, got[0].At, 1e-9)
	require.InDelta(t, 35, got[0].Rate, 1e-6, "the mean of both")
	require.InDelta(t, 0.03, got[0].Latency, 1e-9, "the longer one")
	at(80*time.Second + 399*time.Millisecond)
	require.Len(t, moments(), 200)
	at(80*time.Second + 400*time.Millisecond)
	require.Len(t, moments(), 201, "and further ones are as far apart")
}
