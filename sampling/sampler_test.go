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

// A sampler abandoned in its midst leaves nothing tied.
func TestStop(t *testing.T) {
	s := sampling.Start(1000, 500)
	for range 3 {
		s.Record(s.Next())
	}
	s.Stop()
	s.Stop()
	s.Finish()
	require.True(t, s.Done())
	require.Equal(t, time.Duration(math.MaxInt64), sampling.Sample{ItemNanos: 1e18}.Estimate(1000))
}

// A brief sample takes short calls for computing, without a close look, and goes
// on for a while; long ones are looked at.
func TestSamplerBrief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, call := range []time.Duration{time.Microsecond, 20 * time.Microsecond} {
			s := sampling.Start(1<<30, 0)
			s.Brief()
			for !s.Done() {
				n := s.Next()
				time.Sleep(time.Duration(n) * call)
				s.Record(n)
			}
			s.Stop()
			sample := s.Sample()
			short := call < 5*time.Microsecond
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

// Waiting is believed only when it has been seen twice: a look begins anew.
func TestWaitingIsSeenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, _ := take(t, 1000, 0, constant(100*time.Microsecond))
		require.Equal(t, sampling.CPUBound, one.Workload(), "not looked at")
		s := sampling.Start(100_000, 0)
		s.Patient()
		start := time.Now()
		for !s.Done() {
			time.Sleep(time.Duration(s.Next()) * 100 * time.Microsecond)
			s.Record(s.Next())
		}
		looked := s.Sample()
		require.True(t, looked.CPUKnown)
		require.Equal(t, sampling.IOBound, looked.Workload())
		require.Greater(t, time.Since(start), time.Millisecond)
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

// A sampler that is patient ends once it knows what the calls do, unless a number was asked for.
func TestPatientEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := func(size int) (n int) {
			s := sampling.Start(1_000_000, size)
			s.Patient()
			for !s.Done() {
				k := s.Next()
				time.Sleep(time.Duration(k) * time.Millisecond)
				s.Record(k)
				n += k
			}
			s.Finish()
			require.True(t, s.Sample().CPUKnown)
			return n
		}
		require.Less(t, count(0), 200)
		require.Equal(t, 5000, count(5000))
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

// What items allocate is measured along with the close look.
func TestAllocated(t *testing.T) {
	s := sampling.Start(10_000, 0)
	s.Patient()
	var kept []byte
	for !s.Done() {
		k := s.Next()
		for range k {
			kept = make([]byte, 1<<20)
			kept[0] = 1
		}
		s.Record(k)
	}
	s.Finish()
	sample := s.Sample()
	require.True(t, sample.AllocKnown)
	require.InDelta(t, 1<<20, sample.AllocBytes, 1<<18)
}
