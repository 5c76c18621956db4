package jobs

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/sampling"
)

const ms = time.Millisecond

func observe(jobs ...*Job) Cost {
	var o observations
	for _, j := range jobs {
		o.add(j)
	}
	return o.cost()
}

func job(n int, wall, cpu time.Duration, memory int64) *Job {
	j := &Job{Batch: make([]items.Item, n), Took: wall + ms}
	j.Wall, j.CPU, j.Memory = wall, cpu, memory
	return j
}

// What jobs were seen to cost: of three or more, the first one does not count.
func TestCost(t *testing.T) {
	require.Zero(t, observe())
	one := observe(job(1, 10*ms, 5*ms, 7))
	require.Equal(t, Cost{Jobs: 1, Items: 1, Elapsed: 11 * ms, Wall: 10 * ms, CPU: 5 * ms, Memory: 7}, one)
	two := observe(job(1, 10*ms, 5*ms, 9), job(1, 20*ms, 5*ms, 7))
	require.Equal(t, 15*ms, two.Wall)
	require.Equal(t, int64(9), two.Memory)
	require.InDelta(t, 0.4714, two.CV, 0.0001, "7.07 of 15")
	same := observe(job(1, 100*ms, 0, 0), job(1, 100*ms, 0, 0), job(1, 100*ms, 0, 0), job(1, 100*ms, 0, 0))
	require.InDelta(t, 0, same.CV, 1e-12)
	spread := observe(job(1, time.Second, 0, 0), job(1, 10*ms, 0, 0), job(1, 20*ms, 0, 0), job(1, 30*ms, 0, 0))
	require.InDelta(t, 0.5, spread.CV, 1e-9, "10 of 20")
	require.Zero(t, observe(job(1, 0, 0, 0), job(1, 0, 0, 0)).CV, "a number, though no time is seen")
	cold := observe(job(1, time.Second, 500*ms, 1), job(1, 10*ms, 2*ms, 1), job(1, 10*ms, 4*ms, 1))
	require.Equal(t, Cost{Jobs: 3, Items: 3, Elapsed: 1023 * ms, Wall: 10 * ms, CPU: 3 * ms, Memory: 1}, cold)
	line := observe(job(1, 99*ms, 0, 0), job(1, 12*ms, 0, 0), job(8, 26*ms, 0, 0), job(1, 12*ms, 0, 0))
	require.InDelta(t, 10*ms, line.Start, float64(time.Microsecond))
	require.InDelta(t, 2*ms, line.Item, float64(time.Microsecond))
	require.Equal(t, 11, line.Items)
	falling := observe(job(1, 0, 0, 0), job(1, 20*ms, 0, 0), job(3, 10*ms, 0, 0))
	require.Zero(t, falling.Item, "items can't cost less than nothing")
	require.Equal(t, 15*ms, falling.Start)
}

func TestShares(t *testing.T) {
	require.Equal(t, 1.0, Cost{}.Share(), "not known: as if they computed")
	require.Zero(t, Cost{Wall: time.Nanosecond}.Share(), "known, and no computing")
	require.Equal(t, 0.25, Cost{Wall: 4 * ms, CPU: ms}.Share())
	require.Equal(t, 1.0, Cost{Wall: ms, CPU: 4 * ms}.Share())
	require.Equal(t, sampling.IOBound, Cost{Wall: 100 * ms, CPU: ms}.Class())
}

// The size of a batch: its start 2 % of it, four batches for every slot, half a second.
func TestBatch(t *testing.T) {
	for _, c := range []struct {
		cost              Cost
		left, slots, most int
		want              int
	}{
		{Cost{Start: 10 * ms, Item: ms}, -1, 4, 5000, 500},
		{Cost{Start: 10 * ms, Item: 2 * ms}, -1, 4, 5000, 250},
		{Cost{Start: ms, Item: 2 * ms}, -1, 4, 5000, 25},
		{Cost{Start: 100 * ms, Item: 2 * ms}, -1, 4, 5000, 250}, // half a second
		{Cost{Start: 10 * ms, Item: ms}, -1, 4, 300, 300},
		{Cost{Start: 10 * ms, Item: ms}, 1600, 4, 5000, 100},
		{Cost{Start: 10 * ms, Item: ms}, 0, 4, 5000, 1},
		{Cost{Start: ms}, -1, 4, 50_000, 50_000}, // of items that cost nothing, a microsecond is taken
		{Cost{}, -1, 4, 5000, 1},
	} {
		require.Equal(t, c.want, c.cost.batch(c.left, c.slots, c.most), "%+v", c)
	}
}

func TestCPUSlots(t *testing.T) {
	for share, want := range map[float64]int{1: 4, 0.7: 6, 0.69: 8, 0.5: 10, 0.01: 500, 0.001: 5000, 0: 5000} {
		require.Equal(t, want, cpuSlots(4, share), share)
	}
}

// What binds the number of slots, and how many there may be in the end.
func TestBounds(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	idle := Cost{Jobs: 4, Items: 4, Wall: time.Second, CPU: 10 * ms, Elapsed: 4 * time.Second}
	once, long := idle, idle
	once.Jobs, long.Wall, long.CPU = 1, 10*time.Second, 100*ms
	cpu := cpuSlots(cores, 0.01)
	for name, c := range map[string]struct {
		cost        Cost
		size        Size
		batch       BatchSize
		left        int
		caps        Caps
		perSecond   float64
		slots, most int
		binding     string
		batchSize   int
		fixed       bool
		limits      []string
	}{
		"cpu":                   {idle, Size{}, BatchSize{Fixed: 1}, -1, Caps{}, 0, cpu, 2 * cpu, "cpu", 1, false, []string{"cpu"}},
		"nothing known":         {Cost{}, Size{}, BatchSize{Fixed: 1}, -1, Caps{}, 0, cores, 16384, "cpu", 1, false, []string{"cpu"}},
		"files":                 {idle, Size{}, BatchSize{Fixed: 1}, -1, Caps{Files: 9}, 0, 9, 9, "files", 1, false, []string{"cpu", "files"}},
		"--jobs max":            {idle, Size{Most: 7}, BatchSize{Fixed: 1}, -1, Caps{Files: 9}, 0, 7, 7, "--jobs", 1, false, []string{"cpu", "files", "--jobs"}},
		"a rate":                {idle, Size{}, BatchSize{Fixed: 1}, -1, Caps{}, 5.5, 7, 2 * cpu, "rate", 1, false, []string{"cpu", "rate"}},
		"items":                 {idle, Size{}, BatchSize{Fixed: 10}, 31, Caps{}, 0, 4, 2 * cpu, "items", 10, false, []string{"cpu", "items"}},
		"no items":              {idle, Size{}, BatchSize{Fixed: 10}, 0, Caps{}, 0, 1, 2 * cpu, "items", 10, false, []string{"cpu", "items"}},
		"the start":             {idle, Size{}, BatchSize{Fixed: 1}, 4, Caps{Start: 3}, 0, 3, 2 * cpu, "start", 1, false, []string{"cpu", "items", "start"}},
		"fewer than the start":  {idle, Size{}, BatchSize{Fixed: 1}, 3, Caps{Start: 3}, 0, 3, 2 * cpu, "items", 1, false, []string{"cpu", "items"}},
		"a start, left unknown": {idle, Size{}, BatchSize{Fixed: 1}, -1, Caps{Start: 3}, 0, 3, 2 * cpu, "start", 1, false, []string{"cpu", "start"}},
		"--jobs":                {idle, Size{Fixed: 50}, BatchSize{Fixed: 1}, 3, Caps{}, 0, 50, 50, "--jobs", 1, true, []string{"cpu", "items"}},
		"--jobs and few files":  {idle, Size{Fixed: 50}, BatchSize{Fixed: 1}, 3, Caps{Fixed: 20}, 0, 20, 20, "files", 1, true, []string{"cpu", "items"}},
		"--jobs, as many files": {idle, Size{Fixed: 50}, BatchSize{Fixed: 1}, 3, Caps{Fixed: 50}, 0, 50, 50, "--jobs", 1, true, []string{"cpu", "items"}},
		"one file":              {idle, Size{}, BatchSize{Fixed: 1}, -1, Caps{Files: 1}, 0, 1, 1, "files", 1, false, []string{"cpu", "files"}},
		"--jobs max:1":          {idle, Size{Most: 1}, BatchSize{Fixed: 1}, -1, Caps{}, 0, 1, 1, "--jobs", 1, false, []string{"cpu", "--jobs"}},
		"both as tight":         {idle, Size{Most: 9}, BatchSize{Fixed: 1}, -1, Caps{Files: 9}, 0, 9, 9, "files", 1, false, []string{"cpu", "files", "--jobs"}},
		"a low rate":            {idle, Size{}, BatchSize{Fixed: 1}, -1, Caps{}, 0.5, 2, 2 * cpu, "rate", 1, false, []string{"cpu", "rate"}},
		"a rate of long jobs":   {long, Size{}, BatchSize{Fixed: 1}, -1, Caps{}, 5, 51, 2 * cpu, "rate", 1, false, []string{"cpu", "rate"}},
		"a start of one":        {idle, Size{}, BatchSize{Fixed: 1}, 4, Caps{Start: 1}, 0, 1, 2 * cpu, "start", 1, false, []string{"cpu", "items", "start"}},
		"a start, none left":    {idle, Size{}, BatchSize{Fixed: 1}, 0, Caps{Start: 3}, 0, 1, 2 * cpu, "items", 1, false, []string{"cpu", "items"}},
		"--jobs 1":              {idle, Size{Fixed: 1}, BatchSize{Fixed: 1}, 3, Caps{}, 0, 1, 1, "--jobs", 1, true, []string{"cpu", "items"}},
		"--jobs and one file":   {idle, Size{Fixed: 50}, BatchSize{Fixed: 1}, 3, Caps{Fixed: 1}, 0, 1, 1, "files", 1, true, []string{"cpu", "items"}},
		"one job seen":          {once, Size{}, BatchSize{Fixed: 1}, -1, Caps{}, 0, cpu, 2 * cpu, "cpu", 1, false, []string{"cpu"}},
		"a size that is found":  {Cost{Jobs: 4, Wall: 12 * ms, CPU: 12 * ms, Start: 10 * ms, Item: 2 * ms}, Size{}, BatchSize{Auto: true, Most: 99}, -1, Caps{}, 0, cores, 2 * cores, "cpu", 99, false, []string{"cpu"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := makePlan(c.cost, c.size, c.batch, c.left, c.caps, c.perSecond)
			require.Equal(t, []any{c.slots, c.most, c.binding, c.batchSize, c.fixed}, []any{p.Slots, p.Most, p.Binding, p.Batch, p.Fixed})
			var limits []string
			for _, l := range p.Limits {
				limits = append(limits, l.Name)
			}
			require.Equal(t, c.limits, limits)
			require.Equal(t, c.left >= 0, p.Serial > 0, "predicted, if it is known how many are left")
		})
	}
	waits := Cost{Jobs: 7, Wall: 20 * ms, CPU: ms / 2, Start: 20 * ms, Item: 10 * time.Microsecond}
	require.Equal(t, 250, makePlan(waits, Size{Fixed: 2}, BatchSize{Auto: true}, 2000, Caps{}, 0).Batch, "four for each slot that there is")
	large := idle
	large.Memory = 1 << 40
	p := makePlan(large, Size{}, BatchSize{Fixed: 1}, -1, Caps{}, 0)
	require.Equal(t, []any{1, 1, "memory"}, []any{p.Slots, p.Most, p.Binding})
}

// Memory bounds the slots where it is known how much there is, and how much a job needs.
func TestMemoryBound(t *testing.T) {
	for name, c := range map[string]struct {
		bytes uint64
		job   int64
		slots int
	}{
		"room for some":      {1000, 100, 8},
		"a byte each":        {10, 1, 8},
		"a byte of room":     {1, 100, 1},
		"the room not known": {0, 100, 500},
		"the need not known": {1000, 0, 500},
	} {
		p := Plan{Cores: 4, Slots: 1 << 14, Most: 1 << 14, Cost: Cost{Jobs: 3, Wall: 100 * ms, CPU: ms, Memory: c.job}}
		p.limitByCost(c.bytes)
		require.Equal(t, c.slots, p.Slots, name)
		require.Equal(t, c.slots < 500, len(p.Limits) == 2, name)
	}
}

// With one core, jobs that compute run one at a time, and shares are of that core.
func TestOneCore(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	p := NewPlan(Cost{Jobs: 3, Wall: ms, CPU: ms}, -1, Caps{})
	require.Equal(t, []int{1, 1}, []int{p.Cores, p.Slots})
	for text, want := range map[string]int{"149%": 1, "150%": 2} {
		got, err := ParseSize(text)
		require.NoError(t, err)
		require.Equal(t, Size{Fixed: want}, got, text)
	}
}

// How long the rest takes, with what the sample took.
func TestPredicted(t *testing.T) {
	c := Cost{Jobs: 2, Items: 2, Wall: 10 * ms, CPU: 10 * ms, Elapsed: 25 * ms}
	p := Plan{Slots: 2, Cores: 2, Batch: 1, Cost: c}
	require.Equal(t, 525*ms, p.With(2, 100))
	require.Equal(t, 1025*ms, p.With(1, 100))
	require.Equal(t, 525*ms, p.With(4, 100), "there are two cores")
	require.Equal(t, 25*ms, p.With(2, 0))
	p.predict(100, 0)
	require.Equal(t, 1025*ms, p.Serial)
	p.predict(100, 10)
	require.Equal(t, 10*time.Second+25*ms, p.Expected, "the rate says so")
	p.predict(100, 1000)
	require.Equal(t, 525*ms, p.Expected)
	p.predict(100, 0.5)
	require.Equal(t, 200*time.Second+25*ms, p.Expected, "two seconds each")
	waits := Plan{Slots: 100, Cores: 2, Batch: 1, Cost: Cost{Jobs: 2, Wall: 10 * ms, CPU: ms}}
	require.Equal(t, 50*ms, waits.With(100, 100), "two cores feed 20")
	p.Batch, p.Cost.Start, p.Cost.Item = 10, 5*ms, ms
	p.predict(95, 0)
	require.Equal(t, 150*ms+25*ms, p.Serial, "ten batches of 15 ms")
	require.Equal(t, 75*ms+25*ms, p.Expected)
	p.Cost.Start, p.Cost.Item = ms, 5*ms
	p.predict(95, 0)
	require.Equal(t, 510*ms+25*ms, p.Serial, "items that cost more than a start")
	p.Cost.Start, p.Cost.Item = 0, 1
	p.predict(95, 0)
	require.Equal(t, 100*time.Nanosecond+25*ms, p.Serial)
	unknown := Plan{Slots: 2, Cores: 2, Batch: 1, Cost: c}
	unknown.predict(-1, 0)
	require.Zero(t, unknown.Expected)
	unknown.Cost.Jobs = 0
	unknown.predict(10, 0)
	require.Zero(t, unknown.Expected)
}

// The reason that is told for the number of slots.
func TestWhy(t *testing.T) {
	c := Cost{Jobs: 2, Wall: 100 * ms, CPU: 25 * ms}
	said := "one job takes 100 ms, of which 25.0 ms CPU (75 % waiting) -> 4 cores can feed about 20"
	for binding, want := range map[string]string{
		"cpu": said, "memory": said + "; memory has room for 3", "files": said + "; open files allow 3",
		"rate": said + "; the rate needs at most 3", "items": said + "; only 3 jobs left",
		"start": said + "; a run starts with at most 3", "--jobs": said + "; --jobs allows 3", "luck": said + "; luck allows 3",
	} {
		require.Equal(t, want, (&Plan{Cores: 4, Slots: 3, Cost: c, Binding: binding}).Why())
	}
	c.Memory = 10_900_000
	require.Equal(t, said+"; memory 10.9 MB each", (&Plan{Cores: 4, Cost: c, Binding: "cpu"}).Why())
	c.Memory = 1
	require.Equal(t, said+"; memory 1 B each", (&Plan{Cores: 4, Cost: c, Binding: "cpu"}).Why())
	require.Equal(t, "the number was given with --jobs", (&Plan{Fixed: true, Binding: "--jobs", Reason: "x"}).Why())
	require.Contains(t, (&Plan{Fixed: true, Binding: "files", Slots: 3}).Why(), "open files allow at most 3")
	require.Equal(t, "x", (&Plan{Reason: "x"}).Why())
}

func TestWindowOfWorks(t *testing.T) {
	require.Equal(t, 1024, window(&Plan{Batch: 1, Slots: 2, Most: 2}))
	require.Equal(t, 8, window(&Plan{Batch: 1000, Slots: 2, Most: 2}))
	require.Equal(t, 202, window(&Plan{Batch: 1000, Slots: 100, Most: 100}))
	require.Equal(t, 4096, window(&Plan{Batch: 1, Slots: 2, Most: 16384}))
	require.Equal(t, 1<<15, window(&Plan{Batch: 1, Slots: 1 << 15, Most: 1}))
}

func TestSizes(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	for text, want := range map[string]Size{
		"": {}, "auto": {}, "1": {Fixed: 1}, "32768": {Fixed: 32768}, "max:8": {Most: 8}, "200%": {Fixed: 2 * cores}, "1%": {Fixed: 1},
		"max:100%": {Most: cores}, fmt.Sprintf("%d%%", 150/cores): {Fixed: max(1, (150/cores*cores+50)/100)},
	} {
		got, err := ParseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"0", "-1", "+1", "+0", "x", "32769", "max:", "8max:", "%", "1.5"} {
		_, err := ParseSize(text)
		require.ErrorIs(t, err, ErrSize, text)
	}
	for text, want := range map[string]BatchSize{"": {Fixed: 1}, "1": {Fixed: 1}, "01": {Fixed: 1}, "2": {Fixed: 2}, "auto": {Auto: true}} {
		got, err := ParseBatch(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"0", "-1", "x"} {
		_, err := ParseBatch(text)
		require.ErrorIs(t, err, ErrSize, text)
	}
}

// The smallest slot that is free is given.
func TestSlots(t *testing.T) {
	var s slots
	require.Equal(t, []int{0, 1, 2, 3}, []int{s.take(), s.take(), s.take(), s.take()})
	for _, slot := range []int{2, 0, 3} {
		s.give(slot)
	}
	require.Equal(t, []int{0, 2, 3, 4}, []int{s.take(), s.take(), s.take(), s.take()})
}

func TestState(t *testing.T) {
	began := time.Now()
	s := State{Began: began}
	for range 3 {
		s.begin()
	}
	require.Equal(t, int64(3), s.Peak.Load())
	done := job(1, 10*ms, 4*ms, 100)
	s.end(done, ErrFatal)
	require.Equal(t, []int64{300, int64(4 * ms), 2, 3}, []int64{s.Memory.Load(), s.CPU.Load(), s.Running.Load(), s.Peak.Load()})
	s.end(done, nil)
	s.end(done, nil)
	require.Equal(t, []int64{300, int64(12 * ms), 0, 3}, []int64{s.Memory.Load(), s.CPU.Load(), s.Running.Load(), s.Tries.Load()})
	for range 2 {
		s.begin()
		s.end(done, nil)
	}
	require.Zero(t, s.Usual(), "four are few")
	s.begin()
	s.end(job(1, 20*ms, 0, 0), nil)
	require.Equal(t, 12*ms, s.Usual())

	s.Done.Store(30)
	s.sampled.Store(10)
	s.planned.Store(int64(time.Second))
	require.Equal(t, 10.0, s.Rate(began.Add(3*time.Second)))
	require.Zero(t, s.Rate(began.Add(time.Second)))
	require.Positive(t, s.Rate(began.Add(time.Second+1)))
}

// Jobs are as large as they may be: in items, and in what these weigh.
func TestTake(t *testing.T) {
	texts := []string{"aaa", "b", "cccccc", "d", "e", "f"}
	sizes := func(n int, cfg Config) (sizes []int) {
		i := 0
		r := &run{cfg: cfg, next: func() (items.Item, bool) {
			if i == len(texts) {
				return items.Item{}, false
			}
			i++
			return items.Of(i, texts[i-1]), true
		}}
		next := 1
		for j := range r.cut(n) {
			for _, it := range j.Batch {
				require.Equal(t, next, it.N)
				next++
			}
			sizes = append(sizes, len(j.Batch))
		}
		require.Equal(t, len(texts)+1, next)
		return sizes
	}
	weigh := func(it items.Item) int { return len(it.Text) }
	require.Equal(t, []int{1, 1, 1, 1, 1, 1}, sizes(1, Config{}))
	require.Equal(t, []int{4, 2}, sizes(4, Config{}))
	require.Equal(t, []int{2, 1, 3}, sizes(4, Config{Traits: Traits{Weigh: weigh, Most: 4}}), "what is too heavy goes alone")
	require.Equal(t, []int{1, 1, 1, 2, 1}, sizes(4, Config{Traits: Traits{Weigh: weigh, Most: 2}}))
	require.Equal(t, []int{1, 1, 1, 2, 1}, sizes(2, Config{Traits: Traits{Weigh: weigh, Most: 2}}), "two may be too heavy")
	require.Equal(t, []int{1, 1, 1, 1, 1, 1}, sizes(1, Config{Traits: Traits{Weigh: weigh, Most: 0}}), "jobs of one are not weighed")
}

// A sample that has not begun is not too short: its time may be over before its first job, on a machine that stalls.
func TestNothingSampled(t *testing.T) {
	require.False(t, (&run{cfg: Config{Batch: BatchSize{Auto: true}}}).tellsNothing())
}
