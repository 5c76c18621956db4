package executor

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/internal/adaptive"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/sampling"
)

// inCall is a worker in a call for so many items since began.
func inCall(items int64, began time.Duration) *worker {
	w := &worker{call: &callContext{}}
	w.size.Store(items)
	w.began.Store(int64(began))
	return w
}

// flying is a tracker of so many attempts in flight.
func flying(attempts int) *flight.Tracker {
	t := new(flight.Tracker)
	for range attempts {
		t.Enter(new(flight.Attempt), 0, 1, 1)
	}
	return t
}

// known is a tracker that knows what a call takes without load.
func known(base time.Duration) *flight.Tracker {
	t := new(flight.Tracker)
	t.Open(0, 4, base, 9, false)
	t.Review(0, adaptive.Conditions{})
	return t
}

// What is in flight, but for calls that have just begun or are held back.
func TestFlight(t *testing.T) {
	held, outside, within := inCall(1, 0), inCall(1, 0), inCall(1, 0)
	waiting.BeginWith(held.call, waiting.Line{})
	outside.policed.measuring.Store(true)
	within.policed.measuring.Store(true)
	within.policed.inside.Store(true)
	p := wired(Config{Policies: []Policy{passing{}}}, 9)
	p.planner.top, p.room.uncounted = 1000, 3
	p.room.ended.Store(10)
	p.crew.workers = []*worker{inCall(0, 0), held, outside, within, inCall(2, 0), inCall(1, time.Second-unitAge), inCall(1, time.Second-unitAge+1)}
	f := p.scheduler.inFlight(time.Second)
	require.Equal(t, load{units: 3, young: 1, ended: 7, want: max(3, runtime.GOMAXPROCS(0)), size: 1}, f)
	require.Equal(t, 1, f.size)
	p.sharing.tracker = known(time.Second)
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 2, f.units, "half of what a call takes")
	p.sharing.tracker = new(flight.Tracker)
	p.planner.plan.Sample.ItemNanos = 1e9
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 2, f.units)
	p.planner.plan.Sample.ItemNanos = 0

	p.scheduler.mode.Store(modeWaiting)
	p.crew.limit.Store(40)
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 160, f.want, "as far as one review goes")
	p.planner.top = 50
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 50, f.want)
	p.sharing.shares = true
	p.sharing.tracker = flying(31)
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 30, f.units, "in all runs")
	p.sharing.tracker = flying(2)
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 3, f.units)

	p.batches = &batching{}
	p.sharing.tracker = flying(31)
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 4, f.units, "items")
	require.Equal(t, 1, f.size)
	require.Equal(t, 50*sizing.BatchGrowth, f.want)
	p.cfg.ChunkSize = 6
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 6, f.size)
	require.Equal(t, 50*sizing.BatchGrowth*6, f.want)
	p.cfg.ChunkSize = 0
	p.crew.workers = []*worker{inCall(10, 0), inCall(20, 0)}
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 15, f.size)
	p.crew.workers = nil
	f = p.scheduler.inFlight(time.Second)
	require.Equal(t, 1, f.size)
}

// Memory is looked at where calls are left to run, unless the caller decides how many there are.
func TestMemoryIsMeasured(t *testing.T) {
	for name, c := range map[string]struct {
		hi      int // of the caller's block, of ten items
		inBlock bool
		arrives bool
		workers int
		looked  bool
		ended   int64
	}{
		"some are left":             {9, false, false, 0, true, 9},
		"all are done":              {10, false, false, 0, false, 10},
		"the last are being run":    {10, true, false, 0, true, 6},
		"more may arrive":           {10, false, true, 0, true, 10},
		"more may, in a block":      {10, true, true, 0, true, 6},
		"a fixed number":            {9, false, false, 2, false, 9},
		"a fixed number of one":     {9, false, false, 1, false, 9},
		"all, of a fixed number":    {10, false, false, 2, false, 10},
		"being run, of that number": {10, true, false, 2, false, 6},
	} {
		r := wired(Config{Workers: c.workers}, 10)
		r.arrives = c.arrives
		r.room.measure(&before{span: span{Lo: 6, Hi: c.hi}, inBlock: c.inBlock}, &r.planner, new(sampling.Sample))
		require.Equal(t, c.looked, r.room.heap != nil, name)
		require.Equal(t, c.ended, r.room.ended.Load(), name)
		require.Equal(t, c.looked, r.room.late, "%s: the heap was not read before the first item", name)
		require.NotZero(t, r.planner.host.Procs, name)
	}
}

// What calls hold is counted from the heap before the first item, if it was read: else from now on.
func TestHeapBeforeTheFirstItem(t *testing.T) {
	first := sampling.Heap{Objects: 1, Live: 1, Allocated: 1}
	r := wired(Config{}, 10)
	r.room.begin(&r.planner, first, 3, sampling.Sample{})
	require.Equal(t, first, r.room.start)
	require.False(t, r.room.late)
	require.Zero(t, r.room.uncounted)
	r = wired(Config{}, 10)
	r.room.begin(&r.planner, sampling.Heap{}, 3, sampling.Sample{})
	require.Greater(t, r.room.start.Allocated, first.Allocated)
	require.True(t, r.room.late)
	require.EqualValues(t, 3, r.room.uncounted)
}

// Where a call that has run for long seems to hold more than there is room for, garbage is collected at once, which
// tells what it really holds; a call that is too young shows nothing.
func TestCollectionAtTheBeginning(t *testing.T) {
	runtime.GC() // the heap is cheap to collect
	for name, c := range map[string]struct {
		inBlock   bool
		age       time.Duration
		collected bool
	}{
		"an old call": {true, time.Hour, true},
		"a young one": {true, -time.Hour, false}, // however slow the machine is
		"none":        {false, time.Hour, false},
	} {
		r := wired(Config{MemoryLimit: MinMemoryLimit}, 10)
		r.start = clock.Now() - c.age
		var sample sampling.Sample
		r.room.measure(&before{span: span{Hi: 1}, inBlock: c.inBlock}, &r.planner, &sample)
		require.Equal(t, c.collected, r.room.next > 0, name)
		require.Equal(t, c.collected, r.room.line.known, "%s: it is looked at again", name)
	}
}

// Only who is asked looks at the heap, not while somebody reviews the run, nor before a collection may be forced again.
func TestLookAlone(t *testing.T) {
	for name, c := range map[string]struct {
		asked, reviewed bool
		next            time.Duration // earliest time of a collection
		looked          bool
	}{
		"nobody asks":            {false, false, 0, false},
		"asked":                  {true, false, 0, true},
		"asked, at that time":    {true, false, time.Second, true},
		"asked, before that":     {true, false, time.Second + 1, false},
		"asked, but reviewed":    {true, true, 0, false},
		"not asked, in a review": {false, true, 0, false},
	} {
		collected := 0
		r := wired(Config{}, 10)
		r.room.heap, r.room.collect = func() sampling.Heap { return sampling.Heap{Live: 5} }, func() { collected++ }
		r.room.next = c.next
		r.room.ask.Store(c.asked)
		p := &r.scheduler.pacer
		if c.reviewed {
			p.mu.Lock()
		}
		r.room.lookAlone(time.Second, p)
		require.Equal(t, c.looked, collected == 1, name)
		require.Equal(t, c.looked, r.room.seen.Live == 5, name)
		require.Equal(t, c.asked && !c.looked, r.room.ask.Load(), name)
		require.Equal(t, !c.reviewed, p.mu.TryLock(), "%s: it is left as it was", name)
	}
}

// Where the heap was not read before the first item, none of the items that have begun by then counts as ended: they
// would make a call look small. Then what the sample allocated is what a call may hold.
func TestItemsBeforeTheFirstHeapDoNotCount(t *testing.T) {
	for name, inBlock := range map[string]bool{"between blocks": false, "in a block": true} {
		r := wired(Config{MemoryLimit: MinMemoryLimit}, 1000)
		r.start = clock.Now() + time.Hour // a block is too young to show anything
		sample := sampling.Sample{Items: 8, ItemNanos: 1, AllocKnown: true, AllocBytes: MinMemoryLimit / 4}
		r.room.measure(&before{span: span{Lo: 5, Hi: 8}, inBlock: inBlock}, &r.planner, &sample)
		require.True(t, r.room.binds, name)
		require.InDelta(t, MinMemoryLimit/4, sample.HeldBytes, 0, name)
		require.InDelta(t, MinMemoryLimit/4, r.room.held(), 0, name)
		require.Equal(t, 3, r.room.calls(1, 1000), name)
	}
}

// What a call holds is told only where memory binds.
func TestWhatACallHoldsIsToldIfMemoryBinds(t *testing.T) {
	r := wired(Config{}, 1000)
	sample := sampling.Sample{ItemNanos: 1, AllocKnown: true, AllocBytes: 1}
	r.room.measure(&before{span: span{Hi: 8}}, &r.planner, &sample)
	require.False(t, r.room.binds)
	require.Zero(t, sample.HeldBytes)
	r.room.unit = 7
	require.Zero(t, r.room.held())
	r.room.binds = true
	require.InDelta(t, 7, r.room.held(), 0)
}

// From a certain age the block that the caller is running counts as one call, or as the items of a batch.
func TestABlockCountsFromAnAge(t *testing.T) {
	for name, c := range map[string]struct {
		age     time.Duration
		batches *batching
		units   int
	}{
		"too young":          {firstAge - 1, nil, 0},
		"old enough":         {firstAge, nil, 1},
		"a batch":            {firstAge, &batching{}, 5},
		"a batch, too young": {firstAge - 1, &batching{}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := wired(Config{MemoryLimit: MinMemoryLimit}, 1000)
			r.batches = c.batches
			r.start = clock.Now() - c.age
			r.room.measure(&before{span: span{Lo: 3, Hi: 8}, inBlock: true}, &r.planner, new(sampling.Sample))
			require.Equal(t, c.units, r.room.units, name)
		})
	}
}

// A collection that is due is forced once.
func TestForcedOnce(t *testing.T) {
	n := 0
	r := wired(Config{}, 9)
	r.room.collect, r.room.heap = func() { n++ }, func() sampling.Heap { return sampling.Heap{} }
	require.False(t, r.room.forced())
	r.room.collectable = true
	require.True(t, r.room.forced())
	require.False(t, r.room.forced())
	require.Equal(t, 1, n)
}

// What a call is assumed to hold, before any has shown it, is what earlier runs know, or else what the sample did.
func TestWhatACallHoldsAtFirst(t *testing.T) {
	for name, c := range map[string]struct {
		sample  sampling.Sample
		learned *learned
		want    float64
	}{
		"nothing is known":         {sampling.Sample{AllocBytes: 7}, nil, 0},
		"what it allocated":        {sampling.Sample{AllocBytes: 7, AllocKnown: true}, nil, 7},
		"what it held":             {sampling.Sample{HeldBytes: 5, AllocBytes: 7, AllocKnown: true}, nil, 5},
		"what an earlier one held": {sampling.Sample{HeldBytes: 5}, &learned{sample: sampling.Sample{HeldBytes: 3}}, 3},
	} {
		r := wired(Config{learned: c.learned}, 9)
		r.room.begin(&r.planner, sampling.Heap{Live: 1}, 1, c.sample)
		require.InDelta(t, c.want, r.room.prior, 0, name)
	}
}
