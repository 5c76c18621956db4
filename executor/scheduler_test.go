package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// As long as the size of batches is sought there is one call at a time: a second worker stands by only while the caller
// is in a long one.
func TestOneCallWhileTheSizeIsSought(t *testing.T) {
	for inCall, limit := range map[bool]int64{false: 1, true: 2} {
		r := wired(Config{}, 1000)
		r.batches = &batching{sizer: sizing.NewBatch(sizing.BatchBounds{Target: time.Second})}
		r.crew.limit.Store(7)
		r.scheduler.engage(time.Second, inCall)
		require.Equal(t, limit, r.crew.limit.Load(), inCall)
		require.Equal(t, modeSettling, r.scheduler.mode.Load())
	}
}

// The law for calls that compute begins with what the plan says: of memory only if that binds, and without the cost of an
// item that was a surprise.
func TestTheLawBeginsWithThePlan(t *testing.T) {
	limit := func(name string, binding bool) optimizer.Limit { return optimizer.Limit{Name: name, Binding: binding} }
	for name, c := range map[string]struct {
		limits    []optimizer.Limit
		surprised bool
		binds     bool
	}{
		"no limit":                     {nil, false, false},
		"memory binds":                 {[]optimizer.Limit{limit("cores", false), limit("memory", true)}, false, true},
		"memory does not":              {[]optimizer.Limit{limit("memory", false), limit("cores", true)}, false, false},
		"a surprise":                   {nil, true, false},
		"a surprise, and memory binds": {[]optimizer.Limit{limit(optimizer.LimitByCaller, true)}, true, true},
	} {
		r := wired(Config{}, 1000)
		plan := &r.planner.plan
		plan.Workers, plan.Host.Procs, plan.Workload, plan.Limits = 1, 8, sampling.CPUBound, c.limits
		plan.Sample.ItemNanos = 1e6
		r.planner.top, r.planner.surprised = 8, c.surprised
		r.room.allowed.Store(5)
		r.scheduler.begin(time.Second)
		want := hillclimb.New(time.Second, hillclimb.Start{Workers: 1, ItemNanos: 1e6, Ceiling: 8, MemoryBinds: c.binds})
		if c.surprised {
			want.ForgetBase()
		}
		want.Allow(5)
		require.Equal(t, want, r.scheduler.control, name)
		require.Equal(t, modeComputing, r.scheduler.mode.Load(), name)
		require.EqualValues(t, want.Level(), r.crew.limit.Load(), name)
	}
}

// Calls that may wait are left to the tracker only where there may be more of them than cores.
func TestMoreCallsThanCores(t *testing.T) {
	for ceiling, mode := range map[int]int32{3: modeComputing, 4: modeComputing, 5: modeWaiting} {
		r := wired(Config{}, 1000)
		r.planner.plan.Host.Procs, r.planner.plan.Workload, r.planner.top = 4, sampling.IOBound, ceiling
		r.scheduler.begin(time.Second)
		require.Equal(t, mode, r.scheduler.mode.Load(), ceiling)
	}
}

// What was observed before the first decision does not count, and what the sample could not tell is measured.
func TestObservationBegins(t *testing.T) {
	for known, wanted := range map[bool]bool{true: false, false: true} {
		r := wired(Config{Workers: 2}, 1000)
		r.planner.plan.Sample.CPUKnown = known
		r.scheduler.epoch.ended.Store(7)
		r.scheduler.begin(time.Second)
		require.Equal(t, time.Second, r.scheduler.epoch.since)
		require.Zero(t, r.scheduler.epoch.ended.Load())
		require.EqualValues(t, 1, r.scheduler.epoch.number.Load())
		require.Equal(t, wanted, r.scheduler.share.wanted.Load(), known)
	}
}

// A claim is followed by a review if enough have ended in the epoch, if the time has come, or while the size of batches
// is sought; otherwise not.
func TestWhichClaimsAreFollowedByAReview(t *testing.T) {
	for name, c := range map[string]struct {
		mode          int32
		counts        bool
		ended, needed int64
		at            time.Duration
		reviewed      bool
	}{
		"enough":              {modeComputing, true, 0, 1, time.Hour, true},
		"more than enough":    {modeComputing, true, 7, 3, time.Hour, true},
		"not enough":          {modeComputing, true, 0, 2, time.Hour, false},
		"of an earlier epoch": {modeComputing, false, 7, 1, time.Hour, false},
		"in time":             {modeComputing, false, 0, 9, time.Second - 1, true},
		"too early":           {modeComputing, false, 0, 9, time.Second + 1, false},
		"while settling":      {modeSettling, false, 0, 9, time.Hour, true},
		"while waiting":       {modeWaiting, false, 0, math.MaxInt64, time.Hour, false},
	} {
		r := wired(Config{}, 1000)
		r.over.Store(true) // a review changes nothing
		r.scheduler.mode.Store(c.mode)
		r.scheduler.epoch.ended.Store(c.ended)
		r.scheduler.epoch.needed.Store(c.needed)
		r.scheduler.pacer.at.Store(int64(c.at))
		r.scheduler.reviewed(time.Second, c.counts)
		next := c.at
		if c.reviewed {
			next = time.Second + reviewEvery
		}
		require.Equal(t, next, time.Duration(r.scheduler.pacer.at.Load()), name)
	}
}

// What a forced collection tells is used at once, by another review.
func TestACollectionIsFollowedByAReview(t *testing.T) {
	for _, due := range []bool{true, false} {
		r := wired(Config{}, 1000)
		r.over.Store(true)
		r.room.collect, r.room.collectable = func() {}, due
		r.scheduler.look(time.Second)
		require.Equal(t, due, r.scheduler.pacer.wanted.Load())
	}
}

// reviewing is a run of eight workers in which a review finds nothing to change; one of them is in a claim of nine items,
// and nothing is left for others.
func reviewing() *run {
	r := wired(Config{Observers: []Observer{ObserverFunc(func(Event) {})}}, 1000)
	r.of(source.NewSlice(1000, 1000))
	plan := &r.planner.plan
	plan.Workers, plan.Host.Procs, plan.Workload, r.planner.top = 8, 8, sampling.CPUBound, 8
	plan.Sample = sampling.Sample{Items: 3, ItemNanos: 1e6}
	r.events = newEvents(r.cfg, 1000, 0)
	r.scheduler.events, r.scheduler.sizer = r.events, sizing.NewTimed(1, 0, 1, 0)
	w := inCall(9, time.Hour)
	w.runner = &calls[int, int]{}
	r.crew.workers = []*worker{w}
	r.crew.running.Store(1)
	r.cfg.Workers = 8
	r.scheduler.begin(time.Hour)
	return r
}

// A review reports whether it changed anything: the number of workers, the plan, or a claim. The listeners are told of a
// changed plan.
func TestWhatAReviewChanges(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(r *run)
		changed bool
		told    []EventKind
	}{
		"nothing":  {func(*run) {}, false, nil},
		"the plan": {func(r *run) { r.scheduler.share.set(1) }, true, []EventKind{Planned}},
		"a claim":  {func(r *run) { r.crew.workers[0].began.Store(0) }, true, nil},
		"the number": {func(r *run) {
			r.cfg.Workers = 0
			r.scheduler.begin(time.Hour)
			r.room.allowed.Store(1)
		}, true, []EventKind{LimitChanged}},
		"the plan of calls that wait": {func(r *run) { r.scheduler.open(time.Hour, 2, time.Second, 9) }, true, []EventKind{Planned}},
	} {
		r := reviewing()
		c.change(r)
		require.Equal(t, c.changed, r.scheduler.look(time.Hour), name)
		var told []EventKind
		for _, n := range r.events.backlog.kept {
			told = append(told, n.event.Kind)
		}
		for _, n := range r.events.backlog.ring[:r.events.backlog.size] {
			told = append(told, n.event.Kind)
		}
		require.Equal(t, c.told, told, name)
	}
}

// Without a fixed number, it is not the caller that bounds a run.
func TestMomentOfAPlannedNumber(t *testing.T) {
	r := wired(Config{}, 1000)
	require.Equal(t, BoundByCores, r.scheduler.moment(r.start).Bound)
}

// While the size of batches is sought a review only looks at the memory, which bounds the next one. Once it is settled
// there is a plan, and helpers are hired.
func TestSettlingEndsWithAPlan(t *testing.T) {
	r := wired(Config{}, 1000)
	looks, hired := 0, 0
	r.crew.jobs = employing{make: func(int) *worker { hired++; return nil }}
	r.room.limit, r.room.prior = math.MaxUint64, 1
	r.room.heap = func() sampling.Heap { looks++; return sampling.Heap{} }
	sizer := sizing.NewBatch(sizing.BatchBounds{Target: time.Second})
	r.batches, r.scheduler.sizer = &batching{sizer: sizer}, sizer
	r.planner.plan = r.planner.make(waitingSample, sampling.Host{Procs: 2})
	r.scheduler.engage(0, false)
	require.Nil(t, r.scheduler.settle(time.Second))
	require.Equal(t, []int{1, 0}, []int{looks, hired})
	require.Equal(t, modeSettling, r.scheduler.mode.Load())
	sizer.Succeeded(1, 22*time.Millisecond)
	sizer.Size(0, 1, 1)
	plan := r.scheduler.settle(time.Second)
	require.NotNil(t, plan)
	require.Equal(t, r.planner.plan, *plan)
	require.Equal(t, []int{2, 1}, []int{looks, hired})
	require.Equal(t, modeWaiting, r.scheduler.mode.Load())
}

// The list has the workers that are asked for, and no others of an earlier one.
func TestListOfWorkers(t *testing.T) {
	r := wired(Config{}, 1000)
	a, b, c := inCall(1, 0), inCall(0, 0), inCall(2, 0)
	r.crew.workers = []*worker{a, b, c}
	busy := func(w *worker) bool { return w.size.Load() > 0 }
	require.Equal(t, []*worker{a, c}, r.scheduler.list(busy))
	require.Equal(t, []*worker{a, c}, r.scheduler.list(busy))
	a.size.Store(0)
	require.Equal(t, []*worker{c}, r.scheduler.list(busy))
	require.Empty(t, r.scheduler.list(func(*worker) bool { return false }))
}

// Where the caller fixes the number of workers, be it one, that is what binds.
func TestMomentOfAFixedNumber(t *testing.T) {
	r := wired(Config{Workers: 1}, 9)
	r.crew.limit.Store(1)
	r.crew.running.Store(1)
	require.Equal(t, Moment{At: time.Second, Limit: 1, InFlight: 1, Bound: BoundByCaller}, r.scheduler.moment(r.start+time.Second))
}

// The first number of workers keeps within what memory allows.
func TestBeginWithinMemory(t *testing.T) {
	r := wired(Config{}, 1000)
	r.planner.plan.Workers, r.planner.plan.Host.Procs, r.planner.top = 8, 8, 8
	r.planner.plan.Workload = sampling.CPUBound
	r.room.allowed.Store(3)
	r.scheduler.begin(0)
	require.EqualValues(t, 3, r.crew.limit.Load())
}
