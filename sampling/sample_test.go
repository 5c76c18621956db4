package sampling_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/sampling"
)

// Calls that sleep wait, SA-09, calls that compute don't.
func TestWorkload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := take(t, 100, 20, constant(10*time.Millisecond))
		require.True(t, s.CPUKnown)
		require.Less(t, s.CPUShare, 0.3)
		require.Equal(t, sampling.IOBound, s.Workload())
	})
	require.Equal(t, sampling.CPUBound, sampling.Sample{}.Workload(), "SA-10")
	require.Equal(t, 1.0, sampling.Sample{}.ComputeShare())
	require.Equal(t, sampling.Mixed, sampling.Sample{CPUKnown: true, CPUShare: 0.5}.Workload())
	require.Equal(t, sampling.Mixed, sampling.Sample{CPUKnown: true, CPUShare: 0.3}.Workload())
	require.Equal(t, sampling.IOBound, sampling.Sample{CPUKnown: true, CPUShare: 0.29}.Workload())
	require.Equal(t, sampling.CPUBound, sampling.Sample{CPUKnown: true, CPUShare: 0.7}.Workload())
	require.Equal(t, sampling.CPUBound, sampling.Sample{CPUKnown: true, CPUShare: 0.8}.Workload())
	for _, w := range []sampling.Workload{sampling.CPUBound, sampling.Mixed, sampling.IOBound} {
		text, err := w.MarshalText()
		require.NoError(t, err)
		var back sampling.Workload
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, w, back)
	}
	var w sampling.Workload
	require.Error(t, w.UnmarshalText([]byte("leisure")))
	for w, name := range map[sampling.Workload]string{-1: "Workload(-1)", 0: "CPU-bound", 1: "mixed", 2: "I/O-bound", 3: "Workload(3)"} {
		require.Equal(t, name, w.String())
	}
}

// Times are rounded to the nanosecond, and estimates end with what a duration can hold.
func TestEstimate(t *testing.T) {
	require.Equal(t, time.Duration(3), sampling.Sample{ItemNanos: 2.5}.ItemTime())
	require.Equal(t, time.Duration(7), sampling.Sample{ItemNanos: 2.5}.Estimate(3))
	require.Equal(t, time.Duration(1<<62), sampling.Sample{ItemNanos: 1 << 62}.Estimate(1))
	require.Equal(t, time.Duration(math.MaxInt64), sampling.Sample{ItemNanos: 1 << 62}.Estimate(2))
	require.Equal(t, time.Duration(math.MaxInt64), sampling.Sample{ItemNanos: 1e18}.Estimate(1000))
}

// A first call is cold that takes more than three times as long as the others, and not
// only for what the clock makes of it.
func TestColdBounds(t *testing.T) {
	const first = 30 * time.Microsecond
	for _, c := range []struct {
		sample sampling.Sample
		cold   bool
	}{
		{sampling.Sample{Items: 2, First: first, ItemNanos: 9_999}, true},
		{sampling.Sample{Items: 2, First: first, ItemNanos: 10_000}, false},
		{sampling.Sample{Items: 1, First: first, ItemNanos: 1}, false},
		{sampling.Sample{Items: 2, First: 5 * time.Microsecond, ItemNanos: 1}, false},
		{sampling.Sample{Items: 2, First: 5*time.Microsecond + 1, ItemNanos: 1}, true},
	} {
		require.Equal(t, c.cold, c.sample.Cold(), c.sample)
	}
}
