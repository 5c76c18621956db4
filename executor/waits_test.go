package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// starving is a source that workers wait for.
type starving struct{ *source.Arrivals }

func (starving) Demand() (idle, there int) { return 1, 0 }

// What bounds the calls in flight, as a run sees it.
func TestBoundOf(t *testing.T) {
	for name, c := range map[string]struct {
		m      Moment
		change func(p *run)
		want   Bound
	}{
		"the service":              {Moment{Limit: 10, Bound: BoundByService}, nil, BoundByService},
		"it grows":                 {Moment{Limit: 10}, nil, ""},
		"held, and few in flight":  {Moment{Limit: 10, InFlight: 7, Held: 1}, nil, BoundByPolicies},
		"held, and most in flight": {Moment{Limit: 10, InFlight: 8, Held: 1}, nil, ""},
		"few in flight":            {Moment{Limit: 10, InFlight: 1}, nil, ""},
		"half as many held":        {Moment{Limit: 10, InFlight: 10, Held: 5}, nil, ""},
		"more held":                {Moment{Limit: 10, InFlight: 10, Held: 6}, nil, BoundByPolicies},
		"no items left":            {Moment{Limit: 10, Bound: BoundByService}, func(p *run) { p.of(source.NewSlice(5, 5)) }, BoundByItems},
		"items come slowly": {Moment{Limit: 10, Bound: BoundByService}, func(p *run) {
			p.of(starving{source.NewArrivals(9, false)})
		}, BoundByItems},
		"a stream":                     {Moment{Limit: 10, Bound: BoundByService}, func(p *run) { p.of(source.NewArrivals(9, false)) }, BoundByService},
		"memory":                       {Moment{Limit: 30}, func(p *run) { p.sharing.mine.Store(30) }, BoundByMemory},
		"not yet":                      {Moment{Limit: 29}, func(p *run) { p.sharing.mine.Store(30) }, ""},
		"memory, of all runs":          {Moment{Limit: 10, Bound: BoundByCaller}, func(p *run) { p.sharing.mine.Store(49) }, BoundByMemory},
		"the items that there are":     {Moment{Limit: 50}, nil, BoundByItems},
		"fewer than the caller allows": {Moment{Limit: 50}, func(p *run) { p.cfg.MaxWorkers = 51 }, BoundByItems},
		"the caller":                   {Moment{Limit: 50, Bound: BoundByCaller}, func(p *run) { p.cfg.MaxWorkers = 50 }, BoundByCaller},
	} {
		t.Run(name, func(t *testing.T) {
			p := wired(Config{}, 1000)
			p.planner.top = 50
			p.sharing.mine.Store(50)
			if c.change != nil {
				c.change(p)
			}
			require.Equal(t, c.want, p.scheduler.boundOf(c.m))
		})
	}
}

func TestBatchesLeft(t *testing.T) {
	p := wired(Config{}, 9)
	p.of(source.NewSlice(10, 50))
	require.True(t, math.IsInf(p.scheduler.batchesLeft(), 1))
	p.batches = &batching{sizing.NewBatch(sizing.BatchBounds{Given: 16})}
	require.InDelta(t, 2.5, p.scheduler.batchesLeft(), 0)
	p.batches = &batching{sizing.NewBatch(sizing.BatchBounds{Given: 1})}
	require.InDelta(t, 40, p.scheduler.batchesLeft(), 0)
}

// A claim that takes much longer than foreseen is cut, if there is something to cut.
func TestCutLate(t *testing.T) {
	p := wired(Config{}, 9)
	p.scheduler.sizer = sizing.Fixed(1)
	late := func(size, began int64) *worker {
		w := &worker{runner: &calls[int, int]{}}
		w.size.Store(size)
		w.began.Store(began)
		return w
	}
	single, just, long := late(1, 0), late(2, 100), late(2, 99)
	p.crew.workers = []*worker{single, just, long}
	after := int64(sizing.NewTimed(1, 0, 1, 0).Late())
	require.False(t, p.scheduler.cutLate(1<<40), "never, of a fixed size")
	p.scheduler.sizer = sizing.NewTimed(1, 0, 1, 0)
	require.True(t, p.scheduler.cutLate(time.Duration(after+100)))
	require.Equal(t, []uint32{goOn, goOn, split}, []uint32{single.signal.Load(), just.signal.Load(), long.signal.Load()})
	require.False(t, p.scheduler.cutLate(time.Duration(after+100)), "once")
}

// Where no core is idle, that is what binds calls that wait, too.
func TestBoundByCoresWhileWaiting(t *testing.T) {
	for busy, want := range map[bool]Bound{true: BoundByCores, false: ""} {
		r := wired(Config{}, 1000)
		r.planner.top = 1000
		r.scheduler.open(0, 16, 10*time.Millisecond, 4)
		r.scheduler.epoch.since, r.scheduler.epoch.busy = time.Second, busy
		r.scheduler.decideWaiting(time.Second)
		require.Equal(t, want, r.record.last.Bound)
	}
}

// Where no item is left, that is what binds, whatever the law has found.
func TestBoundByItemsWhileWaiting(t *testing.T) {
	r := wired(Config{}, 1000)
	r.planner.top = 1000
	r.scheduler.open(0, 16, 10*time.Millisecond, 4)
	r.scheduler.epoch.since, r.scheduler.epoch.busy = time.Second, true
	r.of(source.NewSlice(1000, 1000))
	r.scheduler.decideWaiting(time.Second)
	require.Equal(t, BoundByItems, r.record.last.Bound)
}

// Why the limit changed is what the law says, or that memory has room for no more.
func TestReasonOfAChange(t *testing.T) {
	reviewed := func(change func(r *run)) *Change {
		r := wired(Config{}, 1000)
		r.planner.top = 1000
		r.scheduler.open(0, 16, 10*time.Millisecond, 4)
		for range 3 {
			attempts := make([]flight.Attempt, 16)
			for i := range attempts {
				r.sharing.tracker.Enter(&attempts[i], 0, 1, 1)
			}
			for i := range attempts {
				r.sharing.tracker.Leave(&attempts[i], 10*time.Millisecond, 1, nil)
			}
		}
		change(r)
		told, _ := r.scheduler.decideWaiting(20 * time.Millisecond)
		require.NotNil(t, told)
		return told
	}
	told := reviewed(func(*run) {})
	require.Equal(t, "throughput rose with the limit", told.Reason)
	require.Greater(t, told.Workers, 16)
	told = reviewed(func(r *run) { r.room.unit = 1 << 18; r.room.allowed.Store(3) })
	require.Contains(t, told.Reason, "memory: a call uses 256 KiB")
	require.Equal(t, 3, told.Workers)
}

// The calls that are under way when the limit begins to be sought are told apart from those of workers that begin later.
func TestCallsUnderWayAtTheOpening(t *testing.T) {
	r := wired(Config{}, 1000)
	r.planner.top = 1000
	busy, idle := inCall(1, 0), inCall(0, 0)
	idle.early.Store(true)
	r.crew.workers = []*worker{busy, idle}
	r.scheduler.open(0, 16, 10*time.Millisecond, 4)
	require.True(t, busy.early.Load())
	require.False(t, idle.early.Load())
}

// Batches that compute are as many at a time as cores; the tracker is told that calls are batches.
func TestOpenForBatches(t *testing.T) {
	computing := func(p *optimizer.Plan) {
		p.Workload, p.Sample.CPUKnown = sampling.CPUBound, true
	}
	for name, c := range map[string]struct {
		batches bool
		change  func(p *optimizer.Plan)
		most    int
	}{
		"items":                             {false, computing, 1000},
		"batches that compute":              {true, computing, 4},
		"batches that wait":                 {true, func(p *optimizer.Plan) { computing(p); p.Workload = sampling.IOBound }, 1000},
		"batches of which nothing is known": {true, func(p *optimizer.Plan) { computing(p); p.Sample.CPUKnown = false }, 1000},
	} {
		r := wired(Config{}, 1000)
		r.planner.plan.Host.Procs, r.planner.top = 4, 1000
		if c.change(&r.planner.plan); c.batches {
			r.batches = &batching{}
		}
		r.scheduler.open(0, 2, time.Second, 1)
		require.Equal(t, c.most, r.sharing.most(), name)
	}
}

// What calls take without the waits for policies is what the limit begins with, as soon as one has ended.
func TestOpenFoundByOwnTime(t *testing.T) {
	for items, want := range map[int64]time.Duration{0: 0, 1: time.Second, 4: 250 * time.Millisecond} {
		r := wired(Config{}, 1000)
		r.runner = newGuarded(calls[int, int]{}, []Policy{passing{}})
		r.planner.top = 1000
		w := &worker{}
		w.policed.ownItems.Store(items)
		w.policed.ownTime.Store(min(items, 1) * int64(time.Second))
		r.crew.workers = []*worker{w}
		r.scheduler.openFound(0, hillclimb.Observation{Items: 9, Busy: time.Hour, Procs: 2})
		state, _, ok := r.sharing.tracker.State()
		require.True(t, ok)
		require.Equal(t, want, state.Baseline, items)
	}
}

// What the sample took is what a call takes without load, unless a long call has shown that it is something else.
func TestBaseOfAPlan(t *testing.T) {
	for surprised, want := range map[bool]time.Duration{false: 20 * time.Millisecond, true: 0} {
		r := wired(Config{}, 1000)
		r.planner.top, r.planner.surprised = 1000, surprised
		r.planner.plan.Sample = sampling.Sample{ItemNanos: 20e6, Items: 5}
		r.planner.plan.Workers = 16
		r.scheduler.openPlanned(0)
		state, _, ok := r.sharing.tracker.State()
		require.True(t, ok)
		require.Equal(t, want, state.Baseline)
	}
}
