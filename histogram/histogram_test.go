package histogram_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/histogram"
)

// What it says is what a list of the durations says, to 1 %.
func TestAgainstAList(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 9))
		var h histogram.Histogram
		var list []time.Duration
		for range 1 + random.IntN(400) {
			d := time.Duration(math.Exp(random.Float64() * math.Log(float64(4*time.Hour))))
			n := 1 + random.IntN(3)
			h.Add(d, n)
			list = append(list, slices.Repeat([]time.Duration{max(1, d)}, n)...)
		}
		slices.Sort(list)
		var sum, squares float64
		for _, d := range list {
			sum, squares = sum+float64(d), squares+float64(d)*float64(d)
		}
		n := float64(len(list))
		require.EqualValues(t, len(list), h.Count())
		require.InEpsilon(t, sum, float64(h.Sum()), 1e-9)
		require.InEpsilon(t, sum/n, float64(h.Mean())+1, 0.01+2*n/sum)
		require.InEpsilon(t, math.Sqrt(squares/n-sum/n*sum/n)*n/sum+1, h.Variation()+1, 1e-6)
		require.Equal(t, list[0], h.Min())
		require.Equal(t, list[len(list)-1], h.Max())
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			want := list[int(math.Ceil(q*n))-1]
			require.InDelta(t, float64(want), float64(h.Quantile(q)), 1+0.01*float64(want), "quantile %g", q)
		}
		for schema := range histogram.Schema + 1 {
			at := 0
			for i, n := range h.Buckets(schema) {
				over := math.Exp2((float64(i) - 1) / float64(int(1)<<schema))
				upTo := math.Exp2(float64(i) / float64(int(1)<<schema))
				require.Positive(t, n)
				for range n {
					require.LessOrEqual(t, list[at].Seconds(), upTo*(1+1e-9))
					require.GreaterOrEqual(t, list[at].Seconds(), over*(1-1e-9))
					at++
				}
			}
			require.Len(t, list, at)
		}
	}
}

// What was counted since then is what was added since then.
func TestSince(t *testing.T) {
	var h, later histogram.Histogram
	h.Add(time.Millisecond, 5)
	before := h.Clone()
	for _, d := range []time.Duration{time.Millisecond, time.Second, time.Microsecond} {
		h.Add(d, 2)
		later.Add(d, 2)
	}
	since := h.Since(&before)
	require.Equal(t, buckets(&later), buckets(&since))
	require.Equal(t, later.Count(), since.Count())
	require.Equal(t, later.Mean(), since.Mean())
	require.InEpsilon(t, later.Variation(), since.Variation(), 1e-9)
	none := h.Since(&h)
	require.Zero(t, none.Count())
	require.Zero(t, none.Quantile(0.5))
}

// What is merged is what both have counted.
func TestMerge(t *testing.T) {
	var one, other, both histogram.Histogram
	one.Merge(&other)
	require.Equal(t, one, both)
	for i, d := range []time.Duration{time.Millisecond, time.Second, 1100 * time.Millisecond, time.Microsecond} {
		[]*histogram.Histogram{&one, &other}[i%2].Add(d, i+1)
		both.Add(d, i+1)
	}
	one.Merge(&other)
	require.Equal(t, both, one)
	var empty histogram.Histogram
	empty.Merge(&both)
	require.Equal(t, both, empty)
	empty.Add(1, 1)
	require.NotEqual(t, buckets(&both), buckets(&empty), "it is a copy")
}

func TestEnds(t *testing.T) {
	var h histogram.Histogram
	require.Zero(t, h.Quantile(0.5))
	require.Zero(t, h.Variation())
	require.Zero(t, h.Mean())
	for range h.Buckets(3) {
		t.Fatal("there is none")
	}
	h.Add(time.Second, 0)
	require.Zero(t, h.Count())
	h.Add(-1, 1)
	require.Equal(t, time.Duration(1), h.Max())
	h.Add(math.MaxInt64, 3)
	require.Equal(t, time.Duration(math.MaxInt64), h.Sum())
	require.Equal(t, time.Duration(1), h.Quantile(0))
	require.Greater(t, h.Quantile(1), 4*time.Hour)
	for range h.Buckets(0) { // a loop that is left
		break
	}
	copied := h.Clone()
	copied.Add(1, 1)
	require.EqualValues(t, 4, h.Count())
	require.EqualValues(t, 5, copied.Count())
	require.NotEqual(t, buckets(&h), buckets(&copied))
}

func buckets(h *histogram.Histogram) (all []int64) {
	for i, n := range h.Buckets(0) {
		all = append(all, int64(i), n)
	}
	return all
}

func BenchmarkAdd(b *testing.B) {
	var h histogram.Histogram
	b.ReportAllocs()
	for i := range b.N {
		h.Add(time.Duration(i), 1)
	}
}
