package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// ending is a source whose run ends as an item is taken.
type ending struct {
	*source.Slice
	end func()
}

func (e ending) Take(size, workers int) (s source.Span, waited, ok bool) {
	s, waited, ok = e.Slice.Take(size, workers)
	e.end()
	return s, waited, ok
}

// What is handed back when a run is over is run by nobody: the call may have been made.
func TestClaimOfARunThatEnds(t *testing.T) {
	r := wired(Config{}, 3)
	ran := 0
	c := &calls[int, int]{items: make([]int, 3), out: make([]int, 3)}
	c.fn.Plain = func(int) (int, error) { ran++; return 0, nil }
	w := &worker{runner: c}
	r.runner, r.scheduler.sizer = c, sizing.Fixed(1)
	r.crew.enter(w)
	r.crew.limit.Store(1)
	r.of(ending{source.NewSlice(0, 3), func() { r.over.Store(true) }})
	_, ok := r.claim(w, 0)
	require.False(t, ok)
	require.Zero(t, ran)
	require.Equal(t, 3, r.source.Left())
}

// Once a claim has ended, no attempt of it is in flight, and the tracker was told of those that were made.
func TestAttemptsOfAClaim(t *testing.T) {
	odd := errors.New("odd")
	fails := func(i int) error {
		if i == 1 {
			return odd
		}
		return nil
	}
	for name, c := range map[string]struct {
		policies []Policy
		fn       func(i int) error
		times    int64 // calls whose time is known
	}{
		"all succeed":         {nil, func(int) error { return nil }, 3},
		"one fails":           {nil, fails, 2},
		"all, policed":        {[]Policy{passing{}}, func(int) error { return nil }, 3},
		"one fails, policed":  {[]Policy{passing{}}, fails, 2},
		"one panics, policed": {[]Policy{passing{}}, func(i int) error { return []error{nil}[i] }, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := wired(Config{}, 3)
			of := calls[int, int]{items: []int{0, 1, 2}, out: make([]int, 3)}
			tracker := opened()
			of.fn.Plain = func(i int) (int, error) {
				require.Equal(t, 1, tracker.InFlight(), name)
				time.Sleep(time.Second)
				return i, c.fn(i)
			}
			if r.runner = &of; c.policies != nil {
				r.runner = newGuarded(of, c.policies)
			}
			w := &worker{runner: r.runner, call: newCallContext(r.ctx, r.cfg)}
			w.tally = new(tally)
			w.watch(tracker, r.ctx)
			_ = r.runClaim(w, span{Hi: 3}, clock.Now())
			require.Zero(t, tracker.InFlight(), name)
			latency := w.tally.snapshot().Latency
			require.Equal(t, c.times, latency.Count(), name)
			require.InEpsilon(t, time.Second, latency.Max(), 0.01, name)
		})
	}
}

// What policies hold back the calls of a claim is added up, also if it is run in parts; where the attempts are watched,
// only what is within the function counts.
func TestHeldBackOfAClaim(t *testing.T) {
	holds := func(ctx context.Context) {
		hold := waiting.Begin(ctx, waiting.Line{})
		time.Sleep(time.Second)
		hold.End()
	}
	around := policy(func(ctx context.Context, call func(context.Context) error) error {
		holds(ctx)
		return call(ctx)
	})
	for name, c := range map[string]struct {
		policies        []Policy
		within, watched bool
		want            time.Duration
	}{
		"within":                      {nil, true, false, 6 * time.Second},
		"within, watched":             {nil, true, true, 6 * time.Second},
		"around":                      {[]Policy{around}, false, false, 6 * time.Second},
		"around, watched":             {[]Policy{around}, false, true, 0},
		"around and within, watched":  {[]Policy{around}, true, true, 6 * time.Second},
		"around and within":           {[]Policy{around}, true, false, 12 * time.Second},
		"nothing holds, but a policy": {[]Policy{passing{}}, false, false, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := wired(Config{}, 3)
			of := calls[int, int]{items: []int{0, 1, 2}, out: make([]int, 3)}
			of.fn.Context = func(ctx context.Context, i int) (int, error) {
				if c.within {
					holds(ctx)
				}
				return i, nil
			}
			if r.runner = &of; c.policies != nil {
				r.runner = newGuarded(of, c.policies)
			}
			w := &worker{runner: r.runner, call: newCallContext(r.ctx, r.cfg)}
			w.tally = new(tally)
			if c.watched {
				tracker := opened()
				w.watch(tracker, r.ctx)
				w.call.watch(tracker, &w.attempt, &r.scheduler.pacer)
			}
			for range 2 {
				require.NoError(t, r.runClaim(w, span{Hi: 3}, clock.Now()))
			}
			require.Equal(t, c.want, w.heldBack, name)
		})
	}
}

// A worker whose call had a turn gives it back behind the claim.
func TestTurnOfAClaim(t *testing.T) {
	for _, shares := range []bool{false, true} {
		r := wired(Config{}, 1)
		r.sharing.shares = shares
		c := &calls[int, int]{items: make([]int, 1), out: make([]int, 1)}
		w := &worker{runner: c, call: newCallContext(&runContext{Context: t.Context()}, &Config{})}
		turns := &r.sharing.tracker.Turns
		c.fn.Plain = func(int) (int, error) { w.call.forcesTurn(turns); return 0, nil }
		r.runner, r.scheduler.sizer = c, sizing.Fixed(1)
		r.crew.enter(w)
		r.crew.limit.Store(1)
		_, more := r.claim(w, 0)
		require.True(t, more)
		turns.Allow(0)
		require.Equal(t, !shares, turns.Over())
	}
}

// slow is a source that a worker waits for.
type slow struct{ ending }

func (s slow) Take(size, workers int) (span source.Span, waited, ok bool) {
	span, _, ok = s.ending.Take(size, workers)
	return span, true, ok
}

// A worker that has waited for an item while the limit fell hands it back and leaves; else it runs the item at once.
func TestLimitThatFallsDuringAWait(t *testing.T) {
	for limit, c := range map[int64]struct {
		ran, left, workers int
	}{2: {1, 2, 2}, 1: {0, 3, 1}} {
		r := wired(Config{}, 3)
		ran := 0
		fn := &calls[int, int]{items: make([]int, 3), out: make([]int, 3)}
		fn.fn.Plain = func(int) (int, error) { ran++; return 0, nil }
		r.of(slow{ending{source.NewSlice(0, 3), func() { r.crew.limit.Store(limit) }}})
		r.scheduler.sizer = sizing.Fixed(1)
		r.caller = &worker{runner: fn}
		w := &worker{runner: fn}
		r.crew.limit.Store(2)
		r.crew.start(r.caller, true)
		r.crew.comeBack(w)
		now, more := r.claim(w, 0)
		require.True(t, more)
		require.Equal(t, c.ran, ran, limit)
		require.Equal(t, c.left, r.source.Left(), limit)
		if limit == 1 {
			_, more = r.claim(w, now)
			require.False(t, more, "it leaves")
		}
		require.EqualValues(t, c.workers, r.crew.running.Load(), limit)
	}
}

// breaking is a source that panics.
type breaking struct{ *source.Slice }

func (breaking) Take(int, int) (source.Span, bool, bool) { panic("the source broke") }

// A panic in a helper that is not an item's ends the run, and is kept with no item.
func TestPanicBesideTheItems(t *testing.T) {
	r := wired(Config{}, 9)
	r.of(breaking{source.NewSlice(0, 9)})
	r.scheduler.sizer = claims(1)
	w := &worker{}
	w.working = true
	r.work(w)
	require.NotNil(t, r.outcome.panicked)
	require.Equal(t, "the source broke", r.outcome.panicked.Value)
	require.Equal(t, -1, r.outcome.panicked.Index)
	require.True(t, r.over.Load())
}

// claims is a size of claims.
type claims int

func (c claims) Size(float64, int, int) int { return int(c) }
func (claims) Record(int, time.Duration)    {}
func (claims) Late() time.Duration          { return 0 }

// Memory bounds the size of batches that is searched, not one that is given, nor what is claimed of items.
func TestClaimSize(t *testing.T) {
	for name, c := range map[string]struct {
		batches *batching
		size    int
		want    int
	}{
		"items":                {nil, 0, 40},
		"items, a size":        {nil, 40, 40},
		"batches":              {&batching{}, 0, 3},
		"batches, of one size": {&batching{}, 40, 40},
	} {
		r := wired(Config{ChunkSize: c.size}, 1000)
		r.batches = c.batches
		r.scheduler.sizer = claims(40)
		r.room.allowed.Store(6) // units in flight
		require.Equal(t, c.want, r.claimSize(&worker{}, 2), name)
	}
}
