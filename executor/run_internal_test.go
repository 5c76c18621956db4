package executor

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/sampling"
)

// wired is a run of so many items that has not begun: its parts are there, and know each
// other.
func wired(cfg Config, total int) *run {
	r := &run{job: job{
		cfg: &cfg, parent: context.Background(), ctx: &runContext{Context: context.Background()},
		over: new(atomic.Bool), runner: &calls[int, int]{}, total: total,
	}}
	r.source = source.NewSlice(0, total)
	r.wire()
	r.sharing.tracker = new(flight.Tracker)
	return r
}

// of has r take its items from elsewhere.
func (r *run) of(s source.Source) {
	_, r.arrives = s.(*source.Arrivals)
	r.source, r.crew.source, r.sharing.source, r.scheduler.source = s, s, s, s
}

// A run that is made by its solo is wired as well.
func TestWire(t *testing.T) {
	r := wired(Config{Errors: Collect}, 7)
	require.Same(t, &r.job, r.planner.job)
	require.Same(t, &r.job, r.sharing.job)
	require.Same(t, &r.job, r.scheduler.job)
	require.Same(t, &r.crew, r.scheduler.crew)
	require.Equal(t, Collect, r.outcome.mode)
	require.Equal(t, 7, r.source.Left())
	r.outcome.halt()
	require.True(t, r.over.Load())
	require.True(t, r.crew.stopped)
}

// The first review comes after a while, whatever is known of the calls.
func TestEngage(t *testing.T) {
	for _, cfg := range []Config{{}, {Workers: 2}} {
		r := wired(cfg, 100)
		r.scheduler.engage(time.Second, false)
		require.EqualValues(t, time.Second+reviewEvery, r.scheduler.pacer.at.Load())
	}
}

// A number of workers that is given is kept, whatever the calls are.
func TestFixedNumber(t *testing.T) {
	for workers, mode := range map[int]int32{0: modeWaiting, 1: modeComputing, 2: modeComputing} {
		r := wired(Config{Workers: workers}, 1000)
		r.planner.begin(waitingSample, 0)
		r.planner.plan.Workload = sampling.IOBound
		r.scheduler.begin(time.Second)
		require.Equal(t, mode, r.scheduler.mode.Load(), workers)
	}
}

// With many workers reviews are rarer; those that listen are told the state of the run at each.
func TestReviewsOfManyWorkers(t *testing.T) {
	for workers, every := range map[int64]time.Duration{1: 1, 1023: 1, 1024: 2, 2047: 2, 2048: 3} {
		r := wired(Config{}, 100)
		r.crew.running.Store(workers)
		r.crew.limit.Store(7)
		r.start = 300 * time.Millisecond
		r.events = newEvents(&Config{Progress: func(Progress) {}}, 100, 0)
		r.scheduler.events = r.events
		r.over.Store(true)
		r.scheduler.look(time.Second)
		require.Equal(t, time.Second+every*reviewEvery, time.Duration(r.scheduler.pacer.at.Load()), workers)
		require.Equal(t, 700*time.Millisecond, r.events.news.moment.At)
		require.Equal(t, 7, r.events.news.moment.Limit)
		require.EqualValues(t, workers, r.events.news.moment.InFlight)
	}
}

// stopper is what is told that a run has ended.
type stopper func()

func (s stopper) stop() { s() }

// A run is not over for its caller before what halts it, the end of the caller's context, has done so.
func TestHaltIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		r := wired(Config{}, 100)
		r.parent = parent
		r.watch()
		halts := make(chan struct{})
		r.outcome.stop = stopper(func() { <-halts })
		cancel()
		synctest.Wait()
		var over atomic.Bool
		go func() { r.unwatch(); over.Store(true) }()
		synctest.Wait()
		require.True(t, r.over.Load())
		require.False(t, over.Load(), "it is being halted")
		close(halts)
		synctest.Wait()
		require.True(t, over.Load())
	})
}

// What the loop is given, the stream does not keep.
func TestDeliveryKeepsNothing(t *testing.T) {
	results := []Result[int, *int]{{Value: new(int)}, {Value: new(int)}}
	var got []*int
	d := delivery[int, *int]{step: 10, yield: func(r Result[int, *int]) bool { got = append(got, r.Value); return true }}
	require.True(t, d.passAll(results))
	require.Equal(t, []Result[int, *int]{{}, {}}, results)
	require.Len(t, got, 2)
	require.NotContains(t, got, (*int)(nil))
}

// leaves is a runner that leaves a part of its claim to others.
type leaves struct {
	runner
	rest span
}

func (l leaves) shorten() span { return l.rest }

// A claim is shortened at once where its runner can, and else by the worker itself.
func TestShorten(t *testing.T) {
	w := &worker{}
	w.runner = leaves{rest: span{Lo: 3, Hi: 5}}
	rest, shortened := w.shorten()
	require.True(t, shortened)
	require.Equal(t, span{Lo: 3, Hi: 5}, rest)
	w.runner = leaves{rest: span{Lo: 3, Hi: 4}}
	_, shortened = w.shorten()
	require.True(t, shortened, "one is enough")
	w.runner = leaves{rest: span{Lo: 5, Hi: 5}}
	_, shortened = w.shorten()
	require.False(t, shortened, "there was nothing left")
	w.runner = &calls[int, int]{}
	_, shortened = w.shorten()
	require.True(t, shortened)
	require.EqualValues(t, split, w.signal.Load())
	_, shortened = w.shorten()
	require.False(t, shortened, "it is asked already")
}

// What the caller was in alone, one call that succeeded, tells what a call takes without load.
func TestTellAlone(t *testing.T) {
	for name, c := range map[string]struct {
		s        span
		err      error
		back     bool
		panicked *PanicError
		want     time.Duration
	}{
		"a call":         {span{Lo: 0, Hi: 1}, nil, true, nil, time.Second},
		"several":        {span{Lo: 0, Hi: 2}, nil, true, nil, 0},
		"it failed":      {span{Lo: 0, Hi: 1}, errors.New("failed"), true, nil, 0},
		"it panicked":    {span{Lo: 0, Hi: 1}, nil, true, &PanicError{}, 0},
		"it did not end": {span{Lo: 0, Hi: 1}, nil, false, nil, 0},
	} {
		r := wired(Config{Errors: Collect}, 10)
		r.sharing.tracker, r.caller = opened(), new(worker)
		r.caller.returned, r.caller.panicked = c.back, c.panicked
		r.tellAlone(time.Second, c.s, c.err)
		state, _, _ := r.sharing.tracker.State()
		require.Equal(t, c.want, state.Baseline, name)
	}
}

// The producer is told of room in steps.
func TestDeliveryTellsOfRoom(t *testing.T) {
	d := delivery[int, int]{
		stream: &stream[int, int]{arrivals: source.NewArrivals(8, false)}, step: 2,
		yield: func(Result[int, int]) bool { return true },
	}
	for i, told := range []int64{0, 0, 3, 3, 3, 6} {
		require.True(t, d.pass(&Result[int, int]{}))
		require.Equal(t, told, d.told, i)
	}
}

// The loop is woken once for each time that it waits.
func TestWake(t *testing.T) {
	h := handover[int, int]{ready: make(chan struct{}, 1)}
	h.wake()
	require.Empty(t, h.ready, "it does not wait")
	require.True(t, h.wait())
	h.wake()
	require.Len(t, h.ready, 1)
	<-h.ready
	h.wake()
	require.Empty(t, h.ready)
	h.results = make([]Result[int, int], 1)
	require.False(t, h.wait(), "there is something")
	h.wake()
	require.Empty(t, h.ready)
}

// Helpers that the caller demands are not among those that the process has room for, nor is the first one of a stream,
// without which nothing would be run.
func TestHireIsAdmitted(t *testing.T) {
	for name, c := range map[string]struct {
		cfg      Config
		arrives  bool
		working  int
		admitted bool
	}{
		"nothing demanded":    {Config{}, false, 1, true},
		"with none working":   {Config{}, false, 0, true},
		"one":                 {Config{Workers: 1}, false, 0, false},
		"a number":            {Config{Workers: 5}, false, 9, false},
		"a least number":      {Config{MinWorkers: 3}, false, 2, false},
		"more than the least": {Config{MinWorkers: 3}, false, 3, true},
		"a stream's first":    {Config{}, true, 0, false},
		"its second":          {Config{}, true, 1, true},
	} {
		r := wired(c.cfg, 9)
		r.arrives = c.arrives
		r.scheduler.mode.Store(modeWaiting)
		_, before := Helpers()
		w := r.hire(c.working)
		require.Equal(t, c.admitted, w.admitted != nil, name)
		_, now := Helpers()
		if c.admitted {
			require.Equal(t, before+1, now, name)
			w.admitted.Add(-1)
		} else {
			require.Equal(t, before, now, name)
		}
	}
}

// A panic of the user's code is recorded, and its claim has returned; a Goexit is known by that it has not.
func TestGuard(t *testing.T) {
	guarded := func(fn func()) *worker {
		w := &worker{}
		w.at = 3
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer w.guard()
			fn()
			w.returned = true
		}()
		<-ended
		return w
	}
	w := guarded(func() { panic("odd") })
	require.True(t, w.returned)
	require.Equal(t, []any{3, "odd"}, []any{w.panicked.Index, w.panicked.Value})
	require.Contains(t, string(w.panicked.Stack), "TestGuard", "where it was")
	require.ErrorIs(t, w.ended(), w.panicked)
	w = guarded(runtime.Goexit)
	require.False(t, w.returned)
	require.Nil(t, w.panicked)
	require.ErrorIs(t, w.ended(), ErrGoexit)
	w = guarded(func() {})
	require.True(t, w.returned)
	require.Nil(t, w.panicked)
	require.NoError(t, w.ended())
}

// A helper is for calls that wait once they are known to, and for batches from the start unless the caller says
// that they compute.
func TestHiresWaiting(t *testing.T) {
	for _, c := range []struct {
		mode        int32
		computeOnly bool
		want        bool
	}{
		{modeWaiting, false, true}, {modeWaiting, true, true}, {modeSettling, false, true}, {modeSettling, true, false},
		{modeComputing, false, false}, {modeComputing, true, false},
	} {
		r := wired(Config{ComputeOnly: c.computeOnly}, 9)
		r.scheduler.mode.Store(c.mode)
		require.Equal(t, c.want, r.scheduler.hiresWaiting(), c)
	}
}

// A helper has a context for its calls where they get one, or where runs share a limit: it holds the turns.
func TestHire(t *testing.T) {
	hired := func(cfg Config, fn Func[int, int]) *worker {
		r := wired(cfg, 9)
		r.runner = &calls[int, int]{fn: fn}
		return r.hire(0)
	}
	plain := Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
	require.Nil(t, hired(Config{Workers: 2}, plain).call)
	require.NotNil(t, hired(Config{Workers: 2, Session: new(Session)}, plain).call)
	require.NotNil(t, hired(Config{Workers: 2}, Func[int, int]{Context: func(_ context.Context, i int) (int, error) { return i, nil }}).call)
}
