package hillclimb

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/sampling"
)

// law tells what one item takes when so many workers run.
type law func(workers int) time.Duration

// simulate feeds a controller with what workers under the law would show, for a
// time, and returns the mean limit over the second half, and the highest.
func simulate(c Controller, procs int, cores func(workers int) float64, item law, long time.Duration) (mean float64, peak int) {
	const step = 2 * time.Millisecond
	limit, epoch := c.level, time.Duration(0)
	var sum, n float64
	for now := time.Duration(0); now < long; now += step {
		age := now - epoch
		took := item(limit)
		each := int(age / took)
		o := Observation{
			Now: now, Age: age, Running: limit, Cores: -1, Procs: procs, Left: math.MaxInt32,
			Chunks: each * limit, Items: each * limit, Busy: time.Duration(each*limit) * took,
		}
		if each > 0 {
			o.Reporting = limit
			o.Squares = float64(took) * float64(took) * float64(o.Items)
		}
		if age >= sampling.ProcessResolution {
			o.Cores = cores(limit)
		}
		d := c.Next(o)
		if limit = d.Limit; d.NewEpoch {
			epoch = now
		}
		if peak = max(peak, limit); now > long/2 {
			sum, n = sum+float64(limit), n+1
		}
	}
	return sum / n, peak
}

func started(workers int, item time.Duration, floor, ceiling int, fixed bool, now time.Duration) Controller {
	return New(now, Start{Workers: workers, ItemNanos: float64(item), Floor: floor, Ceiling: ceiling, Fixed: fixed})
}

func busy(procs int) func(int) float64 {
	return func(workers int) float64 { return float64(min(workers, procs)) }
}

func TestComputing(t *testing.T) {
	const item = 100 * time.Microsecond
	c := started(8, item, 0, 8, false, 0)
	mean, peak := simulate(c, 8, busy(8), func(int) time.Duration { return item }, 10*time.Second)
	require.InDelta(t, 8, mean, 0.1, "all cores, but for trials")
	require.Equal(t, 8, peak, "never more than the cores")
}

// Under a shared lock each worker waits for all others: company is useless.
func TestSharedLock(t *testing.T) {
	const item = 100 * time.Microsecond
	lock := func(workers int) time.Duration {
		return time.Duration(float64(item) * float64(workers) * (1 + 0.1*float64(workers-1)))
	}
	one := func(int) float64 { return 1 }
	c := started(8, item, 0, 8, false, 0)
	mean, _ := simulate(c, 8, one, lock, 10*time.Second)
	require.InDelta(t, 1, mean, 0.1)
}

// Memory bandwidth for four: more workers achieve no more.
func TestMemoryBound(t *testing.T) {
	const item = 100 * time.Microsecond
	bus := func(workers int) time.Duration {
		return time.Duration(float64(item) * max(1, float64(workers)/3.9) * (1 + 0.02*max(0, float64(workers-4))))
	}
	c := started(8, item, 0, 8, false, 0)
	mean, _ := simulate(c, 8, busy(8), bus, 10*time.Second)
	require.InDelta(t, 4, mean, 1)
}

// Calls taken for computing that leave the cores idle are found to wait.
func TestDiscoversWaiting(t *testing.T) {
	c := started(2, 50*time.Millisecond, 0, 1000, false, 0)
	o := Observation{Now: 30 * time.Millisecond, Age: 30 * time.Millisecond, Running: 2, Cores: 0.05, Procs: 2}
	require.True(t, c.Next(o).Waits)
	o.Cores = 1.9
	require.False(t, c.Next(o).Waits)
	c = started(2, 50*time.Millisecond, 0, 2, false, 0)
	o.Cores = 0.05
	require.False(t, c.Next(o).Waits, "no more than the cores are allowed")
}

func TestFixed(t *testing.T) {
	c := started(5, time.Millisecond, 0, 1000, true, 0)
	mean, peak := simulate(c, 2, func(int) float64 { return 0.01 }, func(n int) time.Duration { return time.Duration(n) * time.Second }, 5*time.Second)
	require.InDelta(t, 5, mean, 0)
	require.Equal(t, 5, peak)
}

// GOMAXPROCS lowered while running.
func TestFollowsProcs(t *testing.T) {
	const item = 100 * time.Microsecond
	c := started(8, item, 0, 8, false, 0)
	d := c.Next(Observation{Now: time.Second, Age: time.Second, Running: 8, Procs: 3, Cores: 3})
	require.Equal(t, 3, d.Limit)
	require.True(t, d.NewEpoch)
	require.NotEmpty(t, d.Reason)
}

// Chunks that have not ended are the long ones: the rate must not leave them out.
func TestRateCountsOpenChunks(t *testing.T) {
	o := Observation{Age: 10 * time.Millisecond, Running: 2, Reporting: 2, Chunks: 10, Items: 100, Busy: 5 * time.Millisecond}
	require.LessOrEqual(t, o.rate(), 12_000.0)
	require.Zero(t, Observation{}.rate())
	require.Zero(t, Observation{}.Mean())
	require.True(t, math.IsInf(Observation{}.error(), 1))
}

// shows is an Observation that is settled, of workers that achieve so many items a
// second together, in multiples of ten thousand.
func shows(workers int, rate float64) Observation {
	const age = 10 * time.Millisecond
	o := Observation{
		Now: time.Second, Age: age, Running: workers, Reporting: workers, Chunks: manyChunks,
		Items: int(rate / 100), Busy: time.Duration(workers) * age, Cores: -1, Procs: 8, Left: math.MaxInt32,
	}
	o.Squares = float64(o.Busy) * float64(o.Busy) / float64(o.Items)
	return o
}

// at is a controller that keeps to a level of up to sixteen workers, of which one
// achieves ten thousand items a second.
func at(level int) Controller {
	c := started(level, 100*time.Microsecond, 1, 16, false, 0)
	c.trial.doubted = true
	return c
}

func TestNew(t *testing.T) {
	c := started(4, time.Millisecond, 2, 6, true, time.Second)
	require.Equal(t, Controller{
		fixed: true, floor: 2, ceiling: 6, room: math.MaxInt, base: 1000, level: 4,
		checkAt: time.Second + 400*time.Millisecond, pause: 400 * time.Millisecond,
	}, c)
	c.ForgetBase()
	require.Zero(t, c.base)
	c = New(0, Start{Workers: 1, Floor: 3, Ceiling: 2})
	require.Equal(t, Controller{floor: 3, ceiling: 3, room: math.MaxInt, level: 3, checkAt: firstCheck, pause: firstCheck}, c)
	c = New(0, Start{})
	require.Equal(t, 1, c.level)
	require.Equal(t, 1, c.ceiling)
	c = New(0, Start{ItemNanos: 0.5})
	require.InDelta(t, 2e9, c.base, 0)
	require.False(t, c.Cut())
	c = New(0, Start{Ceiling: 5, MemoryBinds: true})
	require.Equal(t, 5, c.cut)
	require.True(t, c.Cut())
}

// What memory has cut off comes back when there is room.
func TestAllow(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	c := at(8)
	c.phase = probe
	require.False(t, c.Allow(8))
	require.Equal(t, probe, c.phase)
	require.Zero(t, c.cut)
	require.True(t, c.Allow(3))
	require.Equal(t, 3, c.level)
	require.Equal(t, hold, c.phase)
	require.Equal(t, 3, c.room)
	require.Equal(t, 8, c.cut)
	require.False(t, c.Allow(3))
	require.Equal(t, 8, c.cut)
	require.True(t, c.Allow(5))
	require.Equal(t, 5, c.level)
	require.True(t, c.Allow(100))
	require.Equal(t, 8, c.level)
	require.Zero(t, c.cut)
	require.Equal(t, 8, runtime.GOMAXPROCS(0))
	c.cut = 12
	require.False(t, c.Allow(100), "no more than the cores")
	c.cut, c.ceiling, c.level = 12, 6, 4
	require.True(t, c.Allow(100))
	require.Equal(t, 6, c.level)

	floor := started(4, time.Millisecond, 2, 6, false, 0)
	require.True(t, floor.Allow(0))
	require.Equal(t, 2, floor.level)
	fixed := started(4, time.Millisecond, 0, 6, true, 0)
	require.False(t, fixed.Allow(1))
	require.Equal(t, 4, fixed.level)
}

// Whatever is tried, fewer cores bound it at once.
func TestNext(t *testing.T) {
	fixed := started(4, time.Millisecond, 0, 6, true, 0)
	require.Equal(t, Decision{Limit: 4}, fixed.Next(Observation{Procs: 1}))
	c := at(8)
	c.phase = confirm
	require.Equal(t, Decision{Limit: 3, NewEpoch: true, Reason: "3 cores left"}, c.Next(Observation{Procs: 3}))
	require.Equal(t, hold, c.phase)
	require.Equal(t, 3, c.level)
	c = at(8)
	require.Equal(t, Decision{Limit: 8}, c.Next(Observation{Procs: 8}))
	c.floor = 2
	require.Equal(t, 2, c.most(Observation{Procs: 1}))
	c.room = 5
	require.Equal(t, 5, c.most(Observation{Procs: 9}))
	c.room, c.ceiling = 9, 6
	require.Equal(t, 6, c.most(Observation{Procs: 9}))

	// A trial goes on where it is.
	c = at(8)
	c.trial.level, c.trial.before = 4, 80_000
	for phase, limit := range map[phase]int{probe: 4, confirm: 8, hold: 8} {
		c.phase = phase
		require.Equal(t, Decision{Limit: limit}, c.Next(Observation{Procs: 8}))
	}
}

// When another level is tried: first if company seems useless, then now and then.
func TestWatch(t *testing.T) {
	for name, c := range map[string]struct {
		rate  float64
		trial bool
		of    func(c *Controller, o *Observation)
	}{
		"doubtful":            {120_000, true, nil},
		"not so":              {130_000, false, nil},
		"nor just so":         {125_000, false, func(c *Controller, _ *Observation) { c.base = 100_000 }},
		"doubted already":     {120_000, false, func(c *Controller, _ *Observation) { c.trial.doubted = true }},
		"alone":               {120_000, false, func(c *Controller, o *Observation) { c.level, o.Running, o.Reporting = 1, 1, 1 }},
		"nothing known":       {120_000, false, func(c *Controller, _ *Observation) { c.base = 0 }},
		"later":               {800_000, true, func(c *Controller, o *Observation) { c.checkAt = o.Now }},
		"not yet":             {800_000, false, func(c *Controller, o *Observation) { c.checkAt = o.Now + 1 }},
		"later, not settled":  {800_000, false, func(c *Controller, o *Observation) { c.checkAt, o.Age = 0, 0 }},
		"later, and doubtful": {120_000, true, func(c *Controller, _ *Observation) { c.checkAt = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			from := at(8)
			from.trial.doubted, from.base, from.checkAt = false, 100_000, time.Hour
			o := shows(8, c.rate)
			if c.of != nil {
				c.of(&from, &o)
			}
			doubted := from.trial.doubted
			d := from.Next(o)
			require.Equal(t, c.trial, d.NewEpoch)
			require.Equal(t, c.trial, from.phase == probe)
			require.False(t, d.Waits)
			if !c.trial {
				require.Equal(t, Decision{Limit: from.level}, d)
				return
			}
			require.Equal(t, Decision{Limit: 4, NewEpoch: true}, d)
			require.Equal(t, c.rate == 120_000 || doubted, from.trial.doubted)
			require.Equal(t, 4, from.trial.level)
			require.InDelta(t, c.rate, from.trial.before, 1)
			require.Equal(t, o.Mean(), from.trial.callTime)
		})
	}
}

// A second worker may be useless, too.
func TestDoubtsTwo(t *testing.T) {
	c := at(2)
	c.trial.doubted, c.checkAt = false, time.Hour
	require.Equal(t, Decision{Limit: 1, NewEpoch: true}, c.Next(shows(2, 10_000)))
}

// Calls that leave the cores idle wait, unless nothing follows from it.
func TestLearnsOfWaiting(t *testing.T) {
	waits := func(change func(c *Controller, o *Observation)) bool {
		c, o := at(8), shows(8, 80_000)
		o.Cores = 5 // 0.375 idle
		change(&c, &o)
		return c.Next(o).Waits
	}
	require.True(t, waits(func(*Controller, *Observation) {}))
	for name, change := range map[string]func(c *Controller, o *Observation){
		"no worker":            func(_ *Controller, o *Observation) { o.Running = 0 },
		"no more are allowed":  func(c *Controller, _ *Observation) { c.ceiling = 8 },
		"hardly idle":          func(_ *Controller, o *Observation) { o.Cores = 5.7 },
		"fewer than the cores": func(c *Controller, _ *Observation) { c.level = 7 },
		"not settled":          func(_ *Controller, o *Observation) { o.Age = 0 },
		"nothing known":        func(c *Controller, _ *Observation) { c.base = 0 },
		"they just don't":      func(_ *Controller, o *Observation) { *o = shows(8, 60_000); o.Cores = 5 },
		"they don't pay":       func(c *Controller, _ *Observation) { c.base = 10_000 / 0.74 },
		"known to compute":     func(c *Controller, o *Observation) { o.Cores = 8; c.Learn(false) },
		"known, but it's fixed": func(c *Controller, o *Observation) {
			o.Cores, c.fixed = 8, true
			c.Learn(true)
			c.fixed = false
		},
	} {
		require.False(t, waits(change), name)
	}
	for name, change := range map[string]func(c *Controller, o *Observation){
		"next to idle":       func(c *Controller, o *Observation) { o.Cores, o.Age, c.base = 2.3, 0, 0 },
		"known":              func(c *Controller, o *Observation) { o.Cores = 8; c.Learn(true) },
		"known before":       func(c *Controller, o *Observation) { o.Cores, c.told = 8, true; c.Learn(false) },
		"one worker":         func(c *Controller, o *Observation) { *c, *o = at(1), shows(1, 10_000); o.Cores, o.Procs = 0.5, 1 },
		"they pay":           func(c *Controller, _ *Observation) { c.base = 10_000 / 0.76 },
		"long ones":          func(c *Controller, _ *Observation) { c.base = 0.5 },
		"one more than that": func(c *Controller, _ *Observation) { c.ceiling = 9 },
	} {
		require.True(t, waits(change), name)
	}
	c, o := at(8), shows(8, 80_000)
	o.Cores, o.Age = 2.4, 0
	require.False(t, c.Next(o).Waits, "not next to idle")
}
