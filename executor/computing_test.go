package executor

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// Each change of the number of workers is told, with its reason, is in the report, and begins an epoch.
func TestChangesOfComputing(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	for name, c := range map[string]struct {
		workers int
		change  func(r *run)
		want    Change
	}{
		"memory": {2 * procs, func(r *run) { r.room.allowed.Store(1); r.room.unit = 1 << 18 }, Change{
			Workers: 1, Reason: "memory: a call uses 256 KiB, the limit is 0 B",
		}},
		"more than there are cores": {2 * procs, func(*run) {}, Change{
			Workers: procs, Reason: fmt.Sprintf("%d cores left", procs),
		}},
		"they wait": {1, func(r *run) { r.scheduler.control.Learn(true); r.crew.workers = []*worker{inCall(1, 0)} }, Change{
			Workers: optimizer.First(sampling.Sample{CPUKnown: true}, procs), Reason: "cores are idle: the calls are I/O-bound",
		}},
	} {
		r := wired(Config{}, 1000)
		r.planner.top = 1000
		r.scheduler.control = hillclimb.New(0, hillclimb.Start{Workers: c.workers, Ceiling: 1000})
		r.crew.limit.Store(int64(c.workers))
		c.change(r)
		epoch := r.scheduler.epoch.number.Load()
		told, _ := r.scheduler.decideComputing(r.start + time.Second)
		c.want.At = time.Second
		require.Equal(t, &c.want, told, name)
		require.Equal(t, []Change{c.want}, r.record.changes, name)
		require.EqualValues(t, c.want.Workers, r.crew.limit.Load(), name)
		require.Equal(t, epoch+1, r.scheduler.epoch.number.Load(), name)
		require.Equal(t, r.start+time.Second, r.scheduler.epoch.since, name)

		if !r.scheduler.waits() { // else that is for the tracker
			again, _ := r.scheduler.decideComputing(r.start + 2*time.Second)
			require.Nil(t, again, "%s: it is as it should be", name)
		}
	}
}

// Workers that memory has cut off come back when there is room.
func TestRoomAgain(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	if procs == 1 {
		t.Skip("one core has one worker")
	}
	r := wired(Config{}, 1000)
	r.planner.top = 1000
	r.scheduler.control = hillclimb.New(0, hillclimb.Start{Workers: procs, Ceiling: 1000})
	r.room.allowed.Store(1)
	told, _ := r.scheduler.decideComputing(r.start)
	require.Equal(t, 1, told.Workers)
	r.room.allowed.Store(1000)
	told, _ = r.scheduler.decideComputing(r.start)
	require.Equal(t, &Change{Workers: procs, Reason: "memory: there is room for more calls"}, told)
}

// Where memory allows as many as are being tried, less than before, it is for want of memory.
func TestMemoryBindsDuringATrial(t *testing.T) {
	r := wired(Config{}, 1000)
	r.planner.top, r.room.unit = 1000, 1<<18
	r.scheduler.control = trying(t) // eight, and four of them
	r.crew.limit.Store(4)
	r.room.allowed.Store(4)
	r.scheduler.decideComputing(r.start + time.Second)
	require.Equal(t, Change{At: time.Second, Workers: 4, Reason: "memory: a call uses 256 KiB, the limit is 0 B"}, r.record.changes[0])
}

// What workers have done in the epoch is observed, and nothing that they began before it.
func TestObserved(t *testing.T) {
	r := wired(Config{}, 1000)
	r.scheduler.epoch.begin(time.Second)
	epoch := r.scheduler.epoch.number.Load()
	now, before, between := &worker{}, &worker{}, &worker{}
	now.begin(epoch, 3, time.Second)
	require.True(t, now.end(epoch, 3, 6, 0))
	before.begin(epoch-1, 5, 0)
	require.True(t, before.end(epoch-1, 5, 10, 0))
	r.crew.workers = []*worker{now, before, between, inCall(1, 0)}
	o := r.scheduler.observe(3 * time.Second)
	o.Cores = 0 // of the process
	require.Equal(t, hillclimb.Observation{
		Now: 3 * time.Second, Age: 2 * time.Second, Procs: runtime.GOMAXPROCS(0), Left: 1000,
		Running: 4, Reporting: 1, Chunks: 1, Items: 3, Busy: 6, Squares: 3 * 2 * 2,
	}, o)
}

// Once a plan lacks nothing but what the calls spend their time on, and that is known, it is made again, and the law for
// calls that compute is told.
func TestRevisedByShare(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *run)
		made   bool
		waits  bool
	}{
		"they compute":          {func(r *run) { r.scheduler.share.set(1) }, true, false},
		"they wait":             {func(r *run) { r.scheduler.share.set(0) }, true, true},
		"it is not known":       {func(*run) {}, false, false},
		"the plan has known it": {func(r *run) { r.scheduler.share.set(0); r.planner.plan.Sample.CPUKnown = true }, false, false},
		"it was made again":     {func(r *run) { r.scheduler.share.set(0); r.planner.revised = true }, false, false},
	} {
		r := wired(Config{}, 1000)
		r.planner.plan.Sample = sampling.Sample{Items: 3, ItemNanos: 1e6}
		r.scheduler.control = hillclimb.New(0, hillclimb.Start{Workers: 1, Ceiling: 1})
		r.crew.limit.Store(1)
		c.change(r)
		_, plan := r.scheduler.decideComputing(r.start + time.Second)
		require.Equal(t, c.made, plan != nil, name)
		require.Equal(t, c.waits, r.scheduler.control.Told(), name)
		if c.made {
			require.True(t, plan.Sample.CPUKnown, name)
			_, again := r.scheduler.decideComputing(r.start + 2*time.Second)
			require.Nil(t, again, "%s: once", name)
		}
	}
}

// What an item takes, if the sample did not tell, is what it took since: without the waits for policies where that is
// measured, be it of one item.
func TestRevisedByOwnTime(t *testing.T) {
	for name, c := range map[string]struct {
		ended    int // in the epoch, a second each
		own      time.Duration
		measured int64
		want     time.Duration
	}{
		"one has ended":    {1, 0, 0, time.Second},
		"several":          {4, 0, 0, time.Second},
		"one measured":     {1, time.Millisecond, 1, time.Millisecond},
		"several measured": {8, 6 * time.Millisecond, 3, 2 * time.Millisecond},
	} {
		r := wired(Config{}, 1000)
		r.scheduler.share.set(1)
		w := &worker{}
		w.policed.ownTime.Store(int64(c.own))
		w.policed.ownItems.Store(c.measured)
		r.crew.workers = []*worker{{}, w}
		plan := r.scheduler.revise(hillclimb.Observation{Items: c.ended, Busy: time.Duration(c.ended) * time.Second})
		require.NotNil(t, plan, name)
		require.InDelta(t, float64(c.want), plan.Sample.ItemNanos, 0, name)
	}
}

// How much of the time the workers of a stream were in calls counts those that are under way.
func TestOccupied(t *testing.T) {
	r := wired(Config{}, 9)
	r.of(source.NewArrivals(9, false))
	r.scheduler.epoch.since = time.Second
	busy, idle, early := inCall(1, 3*time.Second), &worker{}, inCall(1, 0)
	r.crew.workers = []*worker{busy, idle, early}
	o := r.scheduler.observe(5 * time.Second)
	require.InDelta(t, (2.0+4.0)/4, o.Occupied, 1e-9)
	require.Zero(t, r.scheduler.observe(time.Second).Occupied, "no time has passed")
	require.InDelta(t, 1, r.scheduler.observe(time.Second+1).Occupied, 0, "the least time there is")
	require.Equal(t, 2, o.Running)
	if _, known := sampling.ProcessCPU(); known {
		require.InDelta(t, -1, o.Cores, 0, "what was used at the beginning is not known")
		r.scheduler.epoch.cpuKnown = true
		require.GreaterOrEqual(t, r.scheduler.observe(5*time.Second).Cores, 0.0)
	}
}

// As long as no item has ended, a plan that needs its time is not made again.
func TestRevisedOfWhatHasEnded(t *testing.T) {
	for items, revised := range map[int]bool{0: false, 4: true} {
		r := wired(Config{}, 1000)
		r.scheduler.share.set(0)
		plan := r.scheduler.revise(hillclimb.Observation{Items: items, Busy: 4 * time.Second})
		require.Equal(t, revised, plan != nil)
		if revised {
			require.InDelta(t, 1e9, plan.Sample.ItemNanos, 0)
		}
	}
}
