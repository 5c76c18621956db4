package executor

import (
	"bytes"
	"errors"
	"runtime/pprof"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/sampling"
)

// The heap is read before the first item if memory is limited: it takes a while.
func TestHeapOfALimit(t *testing.T) {
	for limit, read := range map[uint64]bool{0: false, 1 << 30: true} {
		o := newSolo(t.Context(), &calls[int, int]{}, 9, Config{MemoryLimit: limit}, nil, nil)
		require.Equal(t, read, o.heap.Allocated > 0)
		o.release()
	}
}

// The sample tells apart what policies take, if there are some, or a keeper that knows items.
func TestSampleThroughPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want bool
	}{
		"neither": {Config{}, false}, "policies": {Config{Policies: []Policy{passing{}}}, true}, "a keeper": {Config{past: &past{}}, true},
	} {
		o := newSolo(t.Context(), &calls[int, int]{}, 9, c.cfg, nil, nil)
		require.Equal(t, c.want, o.w.policed.sampling, name)
		o.release()
	}
	o := newSolo(t.Context(), &calls[int, int]{}, 9, Config{Policies: []Policy{passing{}, limiter{rate: 5}}}, nil, nil)
	require.InDelta(t, 5, o.cfg.rate, 0, "a policy that declares its rate is asked")
	o.release()
}

// What an item takes, as the caller alone has seen it, counts neither what a policy held its call back nor what the
// keeper took. Where the time in policies is measured, that time is what is left out.
func TestSampledTime(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    Config
		policy time.Duration // measured in policies
		want   time.Duration // of an item
	}{
		"a policy within the function": {Config{}, time.Second, 10 * time.Second},
		"a policy around it":           {Config{Policies: []Policy{passing{}}}, time.Second, 12 * time.Second},
		"a keeper around it":           {Config{past: new(past)}, time.Second, 12 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &solo{soloJob: soloJob{cfg: c.cfg}}
			o.alarm = &o.quiet
			o.sampler = sampling.Start(10, 0)
			o.sampler.Precise()
			o.w.call = newCallContext(&runContext{Context: t.Context()}, &c.cfg)
			o.alarm.enter(inBlock)
			o.span, o.w.at, o.w.returned = span{Hi: 1}, 1, true
			time.Sleep(10 * time.Second)
			hold := waiting.BeginWith(o.w.call, waiting.Line{})
			time.Sleep(3 * time.Second)
			hold.End()
			o.w.policed.waited = c.policy
			time.Sleep(time.Minute)
			o.w.keeping = time.Minute
			require.True(t, o.record(nil), name)
			sample := o.sampler.Sample()
			require.Equal(t, 1, sample.Items, name)
			require.Equal(t, c.want, sample.ItemTime(), name)
			require.Zero(t, o.w.keeping, name)
		})
	}
}

// Cheap items are measured within their policies as long as the sample is taken, and no longer: that costs more than they.
func TestOnlyTheSampleIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where calls take no time
		fn := calls[int, int]{items: make([]int, 100), out: make([]int, 100)}
		fn.fn.Plain = func(i int) (int, error) { return i, nil }
		policies := []Policy{passing{}}
		o := newSolo(t.Context(), newGuarded(fn, policies), 100, Config{SampleSize: 5, MaxWorkers: 1, Policies: policies}, nil, nil)
		var err error
		defer o.close(&err)
		err = o.execute()
		require.NoError(t, err)
		require.Equal(t, 100, o.w.at)
		require.EqualValues(t, 5, o.w.policed.ownItems.Load())
	})
}

// doubles is a function of calls that need no context.
func doubles() *calls[int, int] {
	return &calls[int, int]{fn: Func[int, int]{Plain: func(i int) (int, error) { return 2 * i, nil }}, items: make([]int, 9), out: make([]int, 9)}
}

// A run of a session is counted by it, begins with what it has learned, and has a context that holds its turns.
func TestASoloOfASession(t *testing.T) {
	s := &Session{learned: &learned{sample: waitingSample}}
	o := newSolo(t.Context(), doubles(), 9, Config{Session: s}, nil, nil)
	require.Same(t, s.learned, o.cfg.learned)
	require.True(t, o.skip, "it is known to be worth several workers")
	require.NotNil(t, o.w.call)
	require.Equal(t, Stats{Runs: 1, Active: 1}, s.Stats())
	o.span.Hi = 3
	o.begun()
	o.release()
	require.Equal(t, 1, s.Stats().Active, "a run with several workers counts itself")
	other := new(Session)
	o = newSolo(t.Context(), doubles(), 9, Config{Session: other}, nil, nil)
	require.False(t, o.skip, "nothing is known yet")
	o.span.Hi = 3
	o.release()
	require.Equal(t, Stats{Runs: 1, Items: 3}, other.Stats())
	o = newSolo(t.Context(), doubles(), 9, Config{}, nil, nil)
	require.Nil(t, o.w.call)
	require.False(t, o.skip)
	o.release()
	o = newSolo(t.Context(), doubles(), 9, Config{Workers: 1}, nil, nil)
	require.True(t, o.skip, "one worker is a number of workers")
	o.release()
}

// A call of a batch is long, and there is time to measure it: the alarm is later, and a slow call does not end the sample.
func TestASoloOfBatchesIsPatient(t *testing.T) {
	for name, batches := range map[string]*batching{"items": nil, "batches": {}} {
		synctest.Test(t, func(t *testing.T) {
			o := newSolo(t.Context(), doubles(), 1000, Config{}, batches, nil)
			require.Equal(t, batches != nil, o.alarm.after == batchAlarm, name)
			time.Sleep(time.Second)
			o.sampler.Record(1)
			require.Equal(t, batches == nil, o.sampler.Done(), name)
			o.sampler.Stop()
		})
	}
}

// Who is told of a run is told how long its last block took.
func TestAWatchedSoloTimesItsLastBlock(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		took time.Duration
	}{
		"nobody": {Config{}, 0}, "a report": {Config{Report: new(Report)}, time.Second}, "progress": {Config{Progress: func(Progress) {}}, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := newSolo(t.Context(), doubles(), 9, c.cfg, nil, nil)
			time.Sleep(time.Second)
			o.sampler.Record(9)
			require.Equal(t, c.took, o.sampler.Latest(), name)
		})
	}
}

// Who waits alone for the items of a stream is woken by the end of its run.
func TestTheEndOfARunWakesWhoWaitsForItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arrivals := source.NewArrivals(9, false)
		o := newSolo(t.Context(), &calls[int, int]{}, source.Many, Config{}, nil, arrivals)
		woken := make(chan bool, 1)
		go func() { woken <- arrivals.AwaitAlone() }()
		synctest.Wait()
		require.Empty(t, woken)
		o.run.end(nil)
		require.False(t, <-woken)
	})
}

// The spare solo is for a run of items outside of a bubble.
func TestWhoTakesTheSpare(t *testing.T) {
	before := spare.Swap(nil)
	defer spare.Store(before)
	there := new(solo)
	for name, c := range map[string]struct {
		virtual, batches, taken bool
	}{"items": {false, false, true}, "batches": {false, true, false}, "items in a bubble": {true, false, false}, "batches in a bubble": {true, true, false}} {
		spare.Store(there)
		now := clock.Now()
		if c.virtual {
			synctest.Test(t, func(*testing.T) { now = clock.Now() })
		}
		require.Equal(t, c.taken, takeSpare(now, c.batches) == there, name)
		require.Equal(t, !c.taken, spare.Load() == there, name)
	}
	spare.Store(nil)
	require.NotNil(t, takeSpare(clock.Now(), false))
}

// A block of the caller's is run with the labels of the run, whatever an item before it has set.
func TestABlockHasTheLabels(t *testing.T) {
	var shown bytes.Buffer
	fn := doubles()
	fn.fn.Plain = func(int) (int, error) { return 0, pprof.Lookup("goroutine").WriteTo(&shown, 1) }
	o := newSolo(t.Context(), fn, 9, Config{}, nil, nil)
	defer o.release()
	o.cfg.labels = newLabels(t.Context(), &Config{Name: "a block of its own"})
	defer pprof.SetGoroutineLabels(t.Context())
	o.span.Hi = 1
	require.NoError(t, o.runBlock())
	require.Contains(t, shown.String(), "a block of its own")
}

// No further item is to start after a panic, nor after a failure that the caller does not collect. What policies held
// back is added up.
func TestWhatABlockLeavesBehind(t *testing.T) {
	odd := errors.New("odd")
	for name, c := range map[string]struct {
		mode     ErrorMode
		err      error
		panicked *PanicError
		over     bool
		goesOn   bool
	}{
		"success":              {FailFast, nil, nil, false, true},
		"a failure":            {FailFast, odd, nil, true, false},
		"one that is kept":     {Collect, odd, nil, false, false},
		"a panic":              {FailFast, nil, &PanicError{}, true, false},
		"a panic, in any case": {Collect, nil, &PanicError{}, true, false},
	} {
		o := newSolo(t.Context(), doubles(), 9, Config{Errors: c.mode, Policies: []Policy{passing{}}}, nil, nil)
		o.held = time.Second
		o.alarm.enter(inBlock)
		o.span, o.w.at, o.w.returned, o.w.panicked = span{Hi: 1}, 1, true, c.panicked
		o.w.policed.waited = time.Minute
		require.Equal(t, c.goesOn, o.record(c.err), name)
		require.Equal(t, c.over, o.over.Load(), name)
		require.Equal(t, !c.goesOn, o.failed, name)
		if c.goesOn {
			require.Equal(t, time.Second+time.Minute, o.held)
		}
		o.alarm.enter(over)
		o.sampler.Stop()
	}
}

// Where policies are around the calls, the present call counts from when the function was entered, without its holds.
func TestUnderWayWithinAPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &solo{soloJob: soloJob{cfg: Config{Policies: []Policy{passing{}}}}}
		o.sampler = sampling.Start(10, 1)
		o.w.call = newCallContext(&runContext{Context: t.Context()}, &o.cfg)
		time.Sleep(time.Hour)
		o.w.policed.entered.Store(int64(clock.Now()))
		o.w.policed.inside.Store(true)
		time.Sleep(time.Second)
		hold := waiting.BeginWith(o.w.call, waiting.Line{})
		time.Sleep(3 * time.Second)
		hold.End()
		require.Equal(t, time.Second, o.underWay(clock.Now()))
	})
}
