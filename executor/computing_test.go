package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// law tells what one item takes when so many workers run.
type law func(workers int) time.Duration

// simulate feeds a controller with what workers under the law would show, for a
// time, and returns the mean limit over the second half, and the highest.
func simulate(c computing, procs int, cores func(workers int) float64, item law, long time.Duration) (mean float64, peak int) {
	const step = 2 * time.Millisecond
	limit, epoch := c.level, time.Duration(0)
	var sum, n float64
	for now := time.Duration(0); now < long; now += step {
		age := now - epoch
		took := item(limit)
		each := int(age / took)
		o := observation{
			now: now, age: age, running: limit, cores: -1, procs: procs, left: math.MaxInt32,
			chunks: each * limit, items: each * limit, busy: time.Duration(each*limit) * took,
		}
		if each > 0 {
			o.reporting = limit
			o.squares = float64(took) * float64(took) * float64(o.items)
		}
		if age >= sampling.ProcessResolution {
			o.cores = cores(limit)
		}
		d := c.next(o)
		if limit = d.limit; d.newEpoch {
			epoch = now
		}
		if peak = max(peak, limit); now > long/2 {
			sum, n = sum+float64(limit), n+1
		}
	}
	return sum / n, peak
}

func planFor(workers, procs int, item time.Duration) optimizer.Plan {
	return optimizer.Plan{Workers: workers, Workload: sampling.CPUBound,
		Host: sampling.Host{Procs: procs}, Sample: sampling.Sample{Items: 10, ItemNanos: float64(item)}}
}

func busy(procs int) func(int) float64 {
	return func(workers int) float64 { return float64(min(workers, procs)) }
}

func TestComputingComputing(t *testing.T) {
	const item = 100 * time.Microsecond
	c := newComputing(planFor(8, 8, item), 0, 8, false, 0)
	mean, peak := simulate(c, 8, busy(8), func(int) time.Duration { return item }, 10*time.Second)
	require.InDelta(t, 8, mean, 0.1, "all cores, but for trials")
	require.Equal(t, 8, peak, "never more than the cores")
}

// Under a shared lock each worker waits for all others: company is useless.
func TestComputingSharedLock(t *testing.T) {
	const item = 100 * time.Microsecond
	lock := func(workers int) time.Duration {
		return time.Duration(float64(item) * float64(workers) * (1 + 0.1*float64(workers-1)))
	}
	one := func(int) float64 { return 1 }
	c := newComputing(planFor(8, 8, item), 0, 8, false, 0)
	mean, _ := simulate(c, 8, one, lock, 10*time.Second)
	require.InDelta(t, 1, mean, 0.1)
}

// Memory bandwidth for four: more workers achieve no more.
func TestComputingMemoryBound(t *testing.T) {
	const item = 100 * time.Microsecond
	bus := func(workers int) time.Duration {
		return time.Duration(float64(item) * max(1, float64(workers)/3.9) * (1 + 0.02*max(0, float64(workers-4))))
	}
	c := newComputing(planFor(8, 8, item), 0, 8, false, 0)
	mean, _ := simulate(c, 8, busy(8), bus, 10*time.Second)
	require.InDelta(t, 4, mean, 1)
}

// Calls taken for computing that leave the cores idle are found to wait.
func TestComputingDiscoversWaiting(t *testing.T) {
	c := newComputing(planFor(2, 2, 50*time.Millisecond), 0, 1000, false, 0)
	o := observation{now: 30 * time.Millisecond, age: 30 * time.Millisecond, running: 2, cores: 0.05, procs: 2}
	require.True(t, c.next(o).waits)
	o.cores = 1.9
	require.False(t, c.next(o).waits)
	c = newComputing(planFor(2, 2, 50*time.Millisecond), 0, 2, false, 0)
	o.cores = 0.05
	require.False(t, c.next(o).waits, "no more than the cores are allowed")
}

func TestComputingFixed(t *testing.T) {
	c := newComputing(planFor(5, 2, time.Millisecond), 0, 1000, true, 0)
	mean, peak := simulate(c, 2, func(int) float64 { return 0.01 }, func(n int) time.Duration { return time.Duration(n) * time.Second }, 5*time.Second)
	require.InDelta(t, 5, mean, 0)
	require.Equal(t, 5, peak)
}

// GOMAXPROCS lowered while running.
func TestComputingFollowsProcs(t *testing.T) {
	const item = 100 * time.Microsecond
	c := newComputing(planFor(8, 8, item), 0, 8, false, 0)
	d := c.next(observation{now: time.Second, age: time.Second, running: 8, procs: 3, cores: 3})
	require.Equal(t, 3, d.limit)
	require.True(t, d.newEpoch)
	require.NotEmpty(t, d.reason)
}

// Chunks that have not ended are the long ones: the rate must not leave them out.
func TestRateCountsOpenChunks(t *testing.T) {
	o := observation{age: 10 * time.Millisecond, running: 2, reporting: 2, chunks: 10, items: 100, busy: 5 * time.Millisecond}
	require.LessOrEqual(t, o.rate(), 12_000.0)
	require.Zero(t, observation{}.rate())
	require.Zero(t, observation{}.mean())
	require.True(t, math.IsInf(observation{}.error(), 1))
}
