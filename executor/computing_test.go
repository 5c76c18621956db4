package executor

import (
	"math"
	"runtime"
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

// shows is an observation that is settled, of workers that achieve so many items a
// second together, in multiples of ten thousand.
func shows(workers int, rate float64) observation {
	const age = 10 * time.Millisecond
	o := observation{
		now: time.Second, age: age, running: workers, reporting: workers, chunks: manyChunks,
		items: int(rate / 100), busy: time.Duration(workers) * age, cores: -1, procs: 8, left: math.MaxInt32,
	}
	o.squares = float64(o.busy) * float64(o.busy) / float64(o.items)
	return o
}

// at is a computing that keeps to a level of up to sixteen workers, of which one
// achieves ten thousand items a second.
func at(level int) computing {
	c := newComputing(planFor(level, 8, 100*time.Microsecond), 1, 16, false, 0)
	c.trial.doubted = true
	return c
}

func TestNewComputing(t *testing.T) {
	c := newComputing(planFor(4, 8, time.Millisecond), 2, 6, true, time.Second)
	require.Equal(t, computing{
		fixed: true, floor: 2, ceiling: 6, room: math.MaxInt, base: 1000, level: 4,
		checkAt: time.Second + 400*time.Millisecond, pause: 400 * time.Millisecond,
	}, c)
	c.forgetBase()
	require.Zero(t, c.base)
	c = newComputing(optimizer.Plan{Workers: 1}, 3, 2, false, 0)
	require.Equal(t, computing{floor: 3, ceiling: 3, room: math.MaxInt, level: 3, checkAt: firstCheck, pause: firstCheck}, c)
	c = newComputing(optimizer.Plan{}, 0, 0, false, 0)
	require.Equal(t, 1, c.level)
	require.Equal(t, 1, c.ceiling)
	plan := optimizer.Plan{Sample: sampling.Sample{ItemNanos: 0.5}}
	c = newComputing(plan, 0, 0, false, 0)
	require.InDelta(t, 2e9, c.base, 0)

	plan.Limits = []optimizer.Limit{{Name: "memory"}, {Name: "cores", Binding: true}}
	c = newComputing(plan, 0, 5, false, 0)
	require.Zero(t, c.cut)
	plan.Limits[0].Binding = true
	c = newComputing(plan, 0, 5, false, 0)
	require.Equal(t, 5, c.cut)
}

// What memory has cut off comes back when there is room.
func TestComputingAllow(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	c := at(8)
	c.phase = probe
	require.False(t, c.allow(8))
	require.Equal(t, probe, c.phase)
	require.Zero(t, c.cut)
	require.True(t, c.allow(3))
	require.Equal(t, 3, c.level)
	require.Equal(t, hold, c.phase)
	require.Equal(t, 3, c.room)
	require.Equal(t, 8, c.cut)
	require.False(t, c.allow(3))
	require.Equal(t, 8, c.cut)
	require.True(t, c.allow(5))
	require.Equal(t, 5, c.level)
	require.True(t, c.allow(100))
	require.Equal(t, 8, c.level)
	require.Zero(t, c.cut)
	require.Equal(t, 8, runtime.GOMAXPROCS(0))
	c.cut = 12
	require.False(t, c.allow(100), "no more than the cores")
	c.cut, c.ceiling, c.level = 12, 6, 4
	require.True(t, c.allow(100))
	require.Equal(t, 6, c.level)

	floor := newComputing(planFor(4, 8, time.Millisecond), 2, 6, false, 0)
	require.True(t, floor.allow(0))
	require.Equal(t, 2, floor.level)
	fixed := newComputing(planFor(4, 8, time.Millisecond), 0, 6, true, 0)
	require.False(t, fixed.allow(1))
	require.Equal(t, 4, fixed.level)
}

// Whatever is tried, fewer cores bound it at once.
func TestComputingNext(t *testing.T) {
	fixed := newComputing(planFor(4, 8, time.Millisecond), 0, 6, true, 0)
	require.Equal(t, decision{limit: 4}, fixed.next(observation{procs: 1}))
	c := at(8)
	c.phase = confirm
	require.Equal(t, decision{limit: 3, newEpoch: true, reason: "3 cores left"}, c.next(observation{procs: 3}))
	require.Equal(t, hold, c.phase)
	require.Equal(t, 3, c.level)
	c = at(8)
	require.Equal(t, decision{limit: 8}, c.next(observation{procs: 8}))
	c.floor = 2
	require.Equal(t, 2, c.most(observation{procs: 1}))
	c.room = 5
	require.Equal(t, 5, c.most(observation{procs: 9}))
	c.room, c.ceiling = 9, 6
	require.Equal(t, 6, c.most(observation{procs: 9}))

	// A trial goes on where it is.
	c = at(8)
	c.trial.level, c.trial.before = 4, 80_000
	for phase, limit := range map[phase]int{probe: 4, confirm: 8, hold: 8} {
		c.phase = phase
		require.Equal(t, decision{limit: limit}, c.next(observation{procs: 8}))
	}
}

// When another level is tried: first if company seems useless, then now and then.
func TestComputingWatch(t *testing.T) {
	for name, c := range map[string]struct {
		rate  float64
		trial bool
		of    func(c *computing, o *observation)
	}{
		"doubtful":            {120_000, true, nil},
		"not so":              {130_000, false, nil},
		"nor just so":         {125_000, false, func(c *computing, _ *observation) { c.base = 100_000 }},
		"doubted already":     {120_000, false, func(c *computing, _ *observation) { c.trial.doubted = true }},
		"alone":               {120_000, false, func(c *computing, o *observation) { c.level, o.running, o.reporting = 1, 1, 1 }},
		"nothing known":       {120_000, false, func(c *computing, _ *observation) { c.base = 0 }},
		"later":               {800_000, true, func(c *computing, o *observation) { c.checkAt = o.now }},
		"not yet":             {800_000, false, func(c *computing, o *observation) { c.checkAt = o.now + 1 }},
		"later, not settled":  {800_000, false, func(c *computing, o *observation) { c.checkAt, o.age = 0, 0 }},
		"later, and doubtful": {120_000, true, func(c *computing, _ *observation) { c.checkAt = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			from := at(8)
			from.trial.doubted, from.base, from.checkAt = false, 100_000, time.Hour
			o := shows(8, c.rate)
			if c.of != nil {
				c.of(&from, &o)
			}
			doubted := from.trial.doubted
			d := from.next(o)
			require.Equal(t, c.trial, d.newEpoch)
			require.Equal(t, c.trial, from.phase == probe)
			require.False(t, d.waits)
			if !c.trial {
				require.Equal(t, decision{limit: from.level}, d)
				return
			}
			require.Equal(t, decision{limit: 4, newEpoch: true}, d)
			require.Equal(t, c.rate == 120_000 || doubted, from.trial.doubted)
			require.Equal(t, 4, from.trial.level)
			require.InDelta(t, c.rate, from.trial.before, 1)
			require.Equal(t, o.mean(), from.trial.callTime)
		})
	}
}

// A second worker may be useless, too.
func TestComputingDoubtsTwo(t *testing.T) {
	c := at(2)
	c.trial.doubted, c.checkAt = false, time.Hour
	require.Equal(t, decision{limit: 1, newEpoch: true}, c.next(shows(2, 10_000)))
}

// Calls that leave the cores idle wait, unless nothing follows from it.
func TestComputingLearnsOfWaiting(t *testing.T) {
	waits := func(change func(c *computing, o *observation)) bool {
		c, o := at(8), shows(8, 80_000)
		o.cores = 5 // 0.375 idle
		change(&c, &o)
		return c.next(o).waits
	}
	require.True(t, waits(func(*computing, *observation) {}))
	for name, change := range map[string]func(c *computing, o *observation){
		"no worker":            func(_ *computing, o *observation) { o.running = 0 },
		"no more are allowed":  func(c *computing, _ *observation) { c.ceiling = 8 },
		"hardly idle":          func(_ *computing, o *observation) { o.cores = 5.7 },
		"fewer than the cores": func(c *computing, _ *observation) { c.level = 7 },
		"not settled":          func(_ *computing, o *observation) { o.age = 0 },
		"nothing known":        func(c *computing, _ *observation) { c.base = 0 },
		"they just don't":      func(_ *computing, o *observation) { *o = shows(8, 60_000); o.cores = 5 },
		"they don't pay":       func(c *computing, _ *observation) { c.base = 10_000 / 0.74 },
		"known to compute":     func(c *computing, o *observation) { o.cores = 8; c.learn(sampling.CPUBound) },
		"known, but it's fixed": func(c *computing, o *observation) {
			o.cores, c.fixed = 8, true
			c.learn(sampling.IOBound)
			c.fixed = false
		},
	} {
		require.False(t, waits(change), name)
	}
	for name, change := range map[string]func(c *computing, o *observation){
		"next to idle":       func(c *computing, o *observation) { o.cores, o.age, c.base = 2.3, 0, 0 },
		"known":              func(c *computing, o *observation) { o.cores = 8; c.learn(sampling.Mixed) },
		"known before":       func(c *computing, o *observation) { o.cores, c.told = 8, true; c.learn(sampling.CPUBound) },
		"one worker":         func(c *computing, o *observation) { *c, *o = at(1), shows(1, 10_000); o.cores, o.procs = 0.5, 1 },
		"they pay":           func(c *computing, _ *observation) { c.base = 10_000 / 0.76 },
		"long ones":          func(c *computing, _ *observation) { c.base = 0.5 },
		"one more than that": func(c *computing, _ *observation) { c.ceiling = 9 },
	} {
		require.True(t, waits(change), name)
	}
	c, o := at(8), shows(8, 80_000)
	o.cores, o.age = 2.4, 0
	require.False(t, c.next(o).waits, "not next to idle")
}
