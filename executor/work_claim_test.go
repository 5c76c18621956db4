package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/sampling"
)

// recording is a size of claims that writes down what it is told.
type recording struct {
	claims
	items int
	took  time.Duration
}

func (r *recording) Record(items int, took time.Duration) { r.items, r.took = items, took }

// working is a run of three items whose claims are of one, and a worker in its crew.
func working(cfg Config, fn func(i int) (int, error)) (*run, *worker, *recording) {
	r := wired(cfg, 3)
	c, size := &calls[int, int]{items: []int{0, 1, 2}, out: make([]int, 3)}, &recording{claims: 1}
	c.fn.Plain = fn
	w := &worker{runner: c, call: newCallContext(r.ctx, r.cfg)}
	w.tally = new(tally)
	r.runner, r.scheduler.sizer = c, size
	r.crew.enter(w)
	r.crew.limit.Store(1)
	r.scheduler.pacer.at.Store(int64(never))
	r.scheduler.epoch.needed.Store(int64(never))
	return r, w, size
}

// Nothing is claimed by who is not in the crew, nor when the run is over.
func TestWhoClaims(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *run, w *worker)
		want   bool
	}{
		"a worker":          {func(*run, *worker) {}, true},
		"not in the crew":   {func(_ *run, w *worker) { w.working = false }, false},
		"the run is over":   {func(r *run, _ *worker) { r.over.Store(true) }, false},
		"one of too many":   {func(r *run, _ *worker) { r.crew.limit.Store(0) }, false},
		"a worker too many": {func(r *run, w *worker) { r.crew.limit.Store(0); w.watch(r.sharing.tracker, r.ctx) }, false},
	} {
		r, w, _ := working(Config{}, func(i int) (int, error) { return i, nil })
		taken := 0
		r.of(ending{source.NewSlice(0, 3), func() { taken++ }})
		c.change(r, w)
		_, ok := r.claim(w, 0)
		require.Equal(t, c.want, ok, name)
		require.Equal(t, c.want, taken == 1, name)
		require.Nil(t, w.tracker, "%s: who leaves is watched no more", name)
	}
}

// A claim counts what its items took: neither the wait for them, nor what policies have held back calls before it.
func TestTimeOfAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w, size := working(Config{}, func(i int) (int, error) { time.Sleep(time.Second); return i, nil })
		r.of(slow{ending{source.NewSlice(0, 3), func() { time.Sleep(time.Minute) }}})
		w.heldBack, w.keeping = time.Hour, time.Hour
		end, more := r.claim(w, clock.Now())
		require.True(t, more)
		require.Equal(t, clock.Now(), end)
		require.Equal(t, time.Second, w.busy)
		require.EqualValues(t, time.Second, w.epoch.busy.Load())
		require.Equal(t, recording{1, 1, time.Second}, *size)
		require.EqualValues(t, 1, r.room.ended.Load())
		require.Equal(t, time.Second, w.tally.latency.Max())
	})
}

// How long calls were held back within the function is none of their time.
func TestHeldBackIsNotLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w *worker
		r, w, _ := working(Config{}, func(i int) (int, error) {
			hold := waiting.BeginWith(w.call, waiting.Line{})
			time.Sleep(time.Minute)
			hold.End()
			time.Sleep(time.Second)
			return i, nil
		})
		_, more := r.claim(w, clock.Now())
		require.True(t, more)
		require.Equal(t, 61*time.Second, w.busy)
		require.EqualValues(t, time.Second, w.epoch.busy.Load())
		require.Equal(t, time.Second, w.tally.latency.Max())
	})
}

// A claim of which nothing was run is told to nobody.
func TestClaimOfNothingIsNotTold(t *testing.T) {
	for items, told := range map[int]int{0: 0, 1: 1, 2: 1} {
		r, w, size := working(Config{}, nil)
		r.events = newEvents(&Config{Observers: watching}, 9, 0)
		r.finishClaim(w, clock.Now()-time.Second, items)
		require.Equal(t, told, r.events.backlog.len())
		require.Equal(t, items, size.items)
		require.EqualValues(t, items, r.room.ended.Load())
		require.Equal(t, 1, w.chunks)
	}
}

// The heap without calls is looked at, where that is asked for, before a claim of who works alone.
func TestWhoLooksAtTheHeap(t *testing.T) {
	for workers, looks := range map[int64]int{1: 1, 2: 0, 3: 0} {
		r, w, _ := working(Config{}, func(i int) (int, error) { return i, nil })
		looked := 0
		r.room.collect, r.room.heap = func() {}, func() sampling.Heap { looked++; return sampling.Heap{} }
		r.room.ask.Store(true)
		r.crew.running.Store(workers)
		r.crew.limit.Store(3)
		_, more := r.claim(w, clock.Now())
		require.True(t, more)
		require.Equal(t, looks, looked, workers)
	}
}

// Who waits for a turn when the run ends hands back what it has claimed.
func TestTurnThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ends := range []bool{false, true} {
			r, w, _ := working(Config{Session: new(Session)}, func(i int) (int, error) { return i, nil })
			r.sharing.shares, r.sharing.tracker = true, opened()
			r.sharing.tracker.Turns.Allow(1)
			age := r.sharing.tracker.Turns.Force()
			r.scheduler.mode.Store(modeWaiting)
			time.AfterFunc(flight.Stalled/2, func() {
				if ends {
					r.ctx.end(context.Canceled)
				} else {
					r.sharing.tracker.Turns.Give(age)
				}
			})
			_, more := r.claim(w, clock.Now())
			require.Equal(t, !ends, more)
			require.Equal(t, map[bool]int{true: 3, false: 2}[ends], r.source.Left())
		}
	})
}

// Once attempts are watched, a call that is held back is known not to be in flight.
func TestHoldsAreWatched(t *testing.T) {
	r, w, _ := working(Config{}, nil)
	r.sharing.tracker = opened()
	r.watchAttempts(w)
	w.enterAttempt(0, 1, 1)
	require.Equal(t, 1, r.sharing.tracker.InFlight())
	hold := waiting.BeginWith(w.call, waiting.Line{})
	require.Zero(t, r.sharing.tracker.InFlight())
	require.Len(t, r.scheduler.pacer.stirred, 1, "another may take its place")
	hold.End()
	require.Equal(t, 1, r.sharing.tracker.InFlight())
	r.sharing.tracker = opened()
	r.watchAttempts(w)
	require.Same(t, w.tracker, w.call.tracker, "it is watched already")
}

// A helper that ends is watched no more, and has given back its turn.
func TestHelperEnds(t *testing.T) {
	r, w, _ := working(Config{}, func(i int) (int, error) { return i, nil })
	r.sharing.tracker, r.sharing.shares = opened(), true
	r.of(source.NewSlice(3, 3))
	r.watchAttempts(w)
	w.call.forcesTurn(&r.sharing.tracker.Turns)
	r.work(w)
	require.Nil(t, w.tracker)
	require.False(t, w.call.hasTurn())
	require.False(t, r.over.Load())
}

// Where the share of a core that calls take is wanted, one of the workers measures it.
func TestShareIsMeasured(t *testing.T) {
	if _, known := sampling.CurrentThread().CPU(); !known {
		t.Skip("the CPU time of a thread is not known here")
	}
	synctest.Test(t, func(t *testing.T) {
		r, w, _ := working(Config{}, func(i int) (int, error) { time.Sleep(shareTime); return i, nil })
		r.scheduler.share.wanted.Store(true)
		r.claimAll(w)
		require.False(t, r.scheduler.share.wanted.Load())
		_, known := r.scheduler.share.get()
		require.True(t, known)
		require.Zero(t, r.source.Left())
	})
}

// scripted is a runner whose claims end as it is told, one after the other.
type scripted struct {
	runner
	steps []func(w *worker) error
}

func (s *scripted) run(_ context.Context, w *worker, _ span) error {
	step := s.steps[0]
	s.steps, w.returned = s.steps[1:], true
	return step(w)
}

// Where failures are collected, the rest of a claim is run behind one, up to where it was shortened to meanwhile.
func TestRestOfAClaim(t *testing.T) {
	odd := errors.New("odd")
	r, w, _ := working(Config{Errors: Collect}, nil)
	r.outcome.mode = Collect
	s := &scripted{runner: w.runner, steps: []func(w *worker) error{
		func(w *worker) error { w.at = 4; return odd },
		func(w *worker) error { w.at, w.to = 7, 7; return nil },
	}}
	w.runner = s
	require.Equal(t, 5, r.followUp(w, span{Lo: 2, Hi: 9}, r.runClaim(w, span{Lo: 2, Hi: 9}, 0)))
	require.Empty(t, s.steps)
	require.False(t, r.over.Load(), "it was shortened, not halted")
	require.Len(t, r.outcome.failed, 1)
	require.Equal(t, span{Lo: 4, Hi: 5}, r.outcome.failed[0].span)
}

// What becomes of the rest of a claim that was not completed: it is run on where failures are collected and the run is
// not over, and else handed back.
func TestClaimIsNotCompleted(t *testing.T) {
	odd := errors.New("odd")
	for name, c := range map[string]struct {
		mode     ErrorMode
		over     bool
		signal   uint32
		err      error
		lost     span
		more     bool
		ends     bool
		returned int
	}{
		"a failure":                  {FailFast, false, goOn, odd, span{Lo: 5, Hi: 6}, false, true, 3},
		"a failure, collected":       {Collect, false, goOn, odd, span{Lo: 5, Hi: 6}, true, false, 0},
		"at the end, collected":      {Collect, true, goOn, odd, span{Lo: 5, Hi: 6}, false, true, 3},
		"the caller's context ended": {Collect, false, goOn, nil, span{Lo: 5, Hi: 5}, false, true, 4},
		"it is to be split":          {FailFast, false, split, nil, span{Lo: 5, Hi: 5}, false, false, 4},
		"it is halted":               {FailFast, false, halt, nil, span{Lo: 5, Hi: 5}, false, false, 4},
		"parts have failed":          {Collect, false, goOn, errParts, span{Lo: 5, Hi: 5}, true, false, 0},
		"an outcome can't be kept":   {FailFast, false, goOn, errUnkept, span{Lo: 5, Hi: 5}, false, false, 4},
	} {
		r, w, _ := working(Config{Errors: c.mode}, nil)
		r.outcome.mode = c.mode
		r.of(source.NewSlice(9, 9))
		w.at, w.returned = 5, true
		w.signal.Store(c.signal)
		r.over.Store(c.over)
		lost, more := r.settle(w, span{Lo: 2, Hi: 9}, c.err)
		require.Equal(t, c.lost, lost, name)
		require.Equal(t, c.more, more, name)
		require.Equal(t, c.ends, r.over.Load(), name)
		require.Equal(t, c.returned, r.source.Left(), name)
		require.NotEqualValues(t, split, w.signal.Load(), "%s: it has been", name)
	}
}
