package sampling_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/sampling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// take samples items that take as long as cost says.
func take(t *testing.T, total, size int, cost func(i int) time.Duration) (sampling.Sample, int) {
	s := sampling.Start(total, size)
	done := 0
	for !s.Done() {
		k := s.Next()
		require.Positive(t, k)
		require.LessOrEqual(t, done+k, total)
		for range k {
			time.Sleep(cost(done))
			done++
		}
		s.Record(k)
	}
	s.Finish()
	require.Equal(t, done, s.Items())
	return s.Sample(), done
}

func constant(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

func TestSampler(t *testing.T) {
	for _, c := range []struct {
		name        string
		total, size int
		cost        func(int) time.Duration
		least, most int // items
		mean        time.Duration
	}{
		{"none, SA-03", 0, 0, constant(0), 0, 0, 0},
		{"slow calls are left to company", 1000, 0, constant(10 * time.Millisecond), 1, 1, 10 * time.Millisecond},
		{"too little to gain", 100, 0, constant(time.Microsecond), 100, 100, time.Microsecond},
		{"cheap", 1_000_000, 0, constant(time.Microsecond), 20, 1200, time.Microsecond},
		{"the size asked for, SA-05", 100, 3, constant(10 * time.Millisecond), 3, 3, 10 * time.Millisecond},
		{"a single one", 1, 0, constant(time.Millisecond), 1, 1, 0},
		{"a size of one", 100, 1, constant(time.Microsecond), 1, 1, time.Microsecond},
		{"a size above the total", 5, 100, constant(time.Millisecond), 5, 5, time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, n := take(t, c.total, c.size, c.cost)
				require.GreaterOrEqual(t, n, c.least)
				require.LessOrEqual(t, n, c.most)
				require.Equal(t, n, s.Items)
				require.InDelta(t, float64(c.mean), float64(s.ItemTime()), 0.01*float64(c.mean))
				require.LessOrEqual(t, s.CV, 0.01, "SA-06, SA-08")
			})
		})
	}
}

// Under a small budget, whatever an item costs: half a millisecond or one call.
func TestSamplerBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for cost := 200 * time.Nanosecond; cost < time.Second; cost *= 3 {
			start := time.Now()
			_, n := take(t, math.MaxInt32, 0, constant(cost))
			if n > 1 {
				require.LessOrEqual(t, time.Since(start), 1500*time.Microsecond+4*cost, "items of %v", cost)
			}
		}
	})
}

// A cold first call is told apart and does not count for the mean.
func TestColdFirstCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := take(t, 100, 10, func(i int) time.Duration {
			if i == 0 {
				return 50 * time.Millisecond
			}
			return time.Millisecond
		})
		require.True(t, s.Cold())
		require.Equal(t, 50*time.Millisecond, s.First)
		require.Equal(t, time.Millisecond, s.ItemTime())
		require.Equal(t, 59*time.Millisecond, s.Elapsed)
		require.Equal(t, 90*time.Millisecond, s.Estimate(90))
	})
	require.False(t, sampling.Sample{Items: 1, First: time.Second, ItemNanos: 1e9}.Cold())
}

// The variation of single items shows in the times of blocks of them.
func TestVariation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		s, _ := take(t, 10_000, 5000, func(int) time.Duration { // exponential: CV 1
			return time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		})
		require.InDelta(t, 1, s.CV, 0.1)
		require.InDelta(t, float64(time.Millisecond), s.ItemNanos, 0.1*float64(time.Millisecond))
	})
}

// A brief sample takes short calls for computing, without a close look, and goes
// on for a while; long ones are looked at.
func TestSamplerBrief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, call := range []time.Duration{time.Microsecond, 5*time.Microsecond - 1, 5 * time.Microsecond, 20 * time.Microsecond} {
			short := call < 5*time.Microsecond
			s := sampling.Start(1<<30, 0)
			s.Brief()
			require.False(t, s.Sample().CPUKnown, "before the first")
			for !s.Done() {
				n := s.Next()
				time.Sleep(time.Duration(n) * call)
				s.Record(n)
				require.Equal(t, short, s.Sample().CPUKnown, "%v, after %d", call, s.Items())
			}
			s.Stop()
			sample := s.Sample()
			require.Equal(t, short, sample.CPUKnown && sample.CPUShare == 1, "%v: %+v", call, sample)
			if short {
				require.GreaterOrEqual(t, sample.Elapsed, time.Millisecond)
			}
		}
	})
}

// What is left takes what the latest block says of an item, or the mean, if that is more.
func TestRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling.Start(100, 50)
		for _, items := range []struct {
			n    int
			each time.Duration
			left time.Duration
		}{
			{1, time.Millisecond, 99 * time.Millisecond},
			{4, 2 * time.Millisecond, 190 * time.Millisecond},
			{5, 4 * time.Millisecond, 360 * time.Millisecond},
			{10, time.Millisecond, 80 * 38 * time.Millisecond / 19 /* the mean, but for the first */},
		} {
			time.Sleep(time.Duration(items.n) * items.each)
			s.Record(items.n)
			require.InDelta(t, items.left, s.Remaining(), float64(10*time.Microsecond), items)
		}
		s.Stop()
	})
}

// The first call says what is left only until there is another one.
func TestRemainingAfterColdCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling.Start(100, 50)
		time.Sleep(10 * time.Millisecond)
		s.Record(1)
		require.Equal(t, 990*time.Millisecond, s.Remaining())
		time.Sleep(time.Millisecond)
		s.Record(1)
		require.Equal(t, 98*time.Millisecond, s.Remaining())
		s.Stop()
	})
}

// A single call comes first, whatever its cost: it may be the dearest of all.
func TestFirstIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling.Start(1000, 0)
		require.Equal(t, 1, s.Next())
		time.Sleep(time.Microsecond)
		s.Record(1)
		require.Greater(t, s.Next(), 1)
		s.Stop()
	})
}

// Where much is left, a glance is enough; where little is, it takes three.
func TestGlances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cost = 2 * time.Microsecond
		took := func(total int) time.Duration {
			start := time.Now()
			take(t, total, 0, constant(cost))
			return time.Since(start)
		}
		long, short := took(10_000_000), took(400)
		require.Less(t, long, 200*time.Microsecond)
		require.Greater(t, short, 2*long)
		require.Equal(t, 200*cost, took(200), "too little to gain: all of it")
	})
}

// Time that went by without running items is left out, from the first call on.
func TestExclude(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling.Start(100, 10)
		for !s.Done() {
			k := s.Next()
			time.Sleep(time.Duration(k)*time.Millisecond + time.Second)
			s.Exclude(time.Second)
			s.Record(k)
		}
		s.Finish()
		sample := s.Sample()
		require.Equal(t, 10*time.Millisecond, sample.Elapsed)
		require.Equal(t, time.Millisecond, sample.First)
		require.Equal(t, time.Millisecond, sample.ItemTime())
	})
}

// The last block of an input is not timed, but for those who watch.
func TestPrecise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(set func(*sampling.Sampler)) sampling.Sample {
			s := sampling.Start(10, 0)
			set(&s)
			for !s.Done() {
				k := s.Next()
				time.Sleep(time.Duration(k) * time.Microsecond)
				s.Record(k)
			}
			return s.Sample()
		}
		plain, precise := run(func(*sampling.Sampler) {}), run((*sampling.Sampler).Precise)
		require.Equal(t, sampling.Sample{Items: 10, Elapsed: time.Microsecond, First: time.Microsecond, ItemNanos: 1000}, plain)
		require.Equal(t, sampling.Sample{Items: 10, Elapsed: 10 * time.Microsecond, First: time.Microsecond, ItemNanos: 1000}, precise)
	})
}

// Where a sample ends, to the nanosecond.
func TestWhereItEnds(t *testing.T) {
	const us = time.Microsecond
	for _, c := range []struct {
		name        string
		brief       bool
		total       int
		first, each time.Duration
		items       int
	}{
		{"much is left after a glance", false, 102, 10 * us, 10 * us, 2},
		{"some is left after three", false, 101, 10 * us, 10 * us, 6},
		{"just enough", false, 46, 10 * us, 10 * us, 6},
		{"too little for being sure", false, 45, 10 * us, 10 * us, 45},
		{"slow, and as much is left", false, 2, 200 * us, 200 * us, 1},
		{"slow, and less is left", false, 2, 200*us - 1, 200*us - 1, 2},
		{"brief, a millisecond", true, 1_000_000, 9 * us, us, 992},
		{"brief, enough is left by then", true, 1201, us, us, 1001},
		{"brief, too little is left by then", true, 1200, us, us, 1200},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := sampling.Start(c.total, 0)
			if c.brief {
				s.Brief()
			}
			for !s.Done() {
				k := s.Next()
				if s.Items() == 0 {
					time.Sleep(c.first)
				} else {
					time.Sleep(time.Duration(k) * c.each)
				}
				s.Record(k)
			}
			require.Equal(t, c.items, s.Items(), c.name)
		})
	}
}

// The variation of items is that of their blocks, by how many they hold; what the first
// call took is no part of it.
func TestVariationOfBlocks(t *testing.T) {
	type block struct {
		items int
		took  time.Duration
	}
	for _, c := range []struct {
		blocks   []block
		mean, cv float64
	}{
		{nil, 1000, 0},
		{[]block{{3, 9}}, 3, 0},
		{[]block{{2, 1}, {2, 3}}, 1, 1},
		{[]block{{1, 2}, {2, 10}, {1, 8}}, 5, 0.6},
		{[]block{{1, 0}, {1, 0}}, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := sampling.Start(1<<20, 1000)
			for _, b := range append([]block{{1, 1000}}, c.blocks...) {
				time.Sleep(b.took)
				s.Record(b.items)
			}
			s.Stop()
			require.InDelta(t, c.mean, s.Sample().ItemNanos, 1e-9, c)
			require.InDelta(t, c.cv, s.Sample().CV, 1e-9, c)
		})
	}
}
