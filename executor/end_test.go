package executor

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/clock"
)

// slowShorten is a runner whose claim is shortened just as the item that it is stuck in ends,
// by somebody who then takes long to hand back what that was.
type slowShorten struct {
	*streaming[int, int]
	end     *atomic.Int64 // of the claim under way
	release func()
}

func (s slowShorten) fork() runner { return slowShorten{newStreaming(s.stream), s.end, s.release} }

func (s slowShorten) run(ctx context.Context, w *worker, claim span) error {
	s.end.Store(int64(claim.Hi))
	return s.streaming.run(ctx, w, claim)
}

func (s slowShorten) shorten() span {
	rest := s.streaming.shorten()
	if rest.Len() > 0 {
		s.release()
		for range 100_000 {
			runtime.Gosched()
		}
	}
	return rest
}

// What a review takes from a claim is run, also if its worker, the last one, finds nothing
// else meanwhile.
func TestShortenedClaimIsRun(t *testing.T) {
	const total, stuckAt = 20000, 19000
	stuck := make(chan struct{})
	var is, once atomic.Bool
	var ran, end atomic.Int64
	fn := Func[int, int]{Plain: func(i int) (int, error) {
		ran.Add(1)
		// Not the last item of its claim: of that, nothing could be taken, and it would be stuck for ever.
		if i >= stuckAt && end.Load() > int64(i)+1 && is.CompareAndSwap(false, true) {
			<-stuck
		}
		return i, nil
	}}
	numbers := func(yield func(int) bool) {
		for i := range total {
			if !yield(i) {
				return
			}
		}
	}
	s := newStream(t.Context(), fn, numbers, Config{Workers: 1, Window: 1 << 15, ReadAhead: true})
	s.produce()
	executeArrivals(s.ctx, slowShorten{newStreaming(s), &end, func() {
		if once.CompareAndSwap(false, true) {
			close(stuck)
		}
	}}, s.arrivals, s.cfg, &s.err)
	require.True(t, once.Load())
	require.NoError(t, s.err)
	require.EqualValues(t, total, ran.Load(), "rest: %v", s.arrivals.Rest())
}

// A stream that has been halted stays so when the item of its first goroutine, which goes
// on after failures, calls Goexit.
func TestGoexitAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		panicked, exited := make(chan struct{}), make(chan struct{})
		fn := Func[int, int]{Plain: func(i int) (int, error) {
			switch i {
			case 0: // the first goroutine's
				<-panicked
				time.Sleep(20 * time.Millisecond)
				defer close(exited)
				runtime.Goexit()
			case 1:
				time.Sleep(10 * time.Millisecond) // 2 has begun
				defer close(panicked)
				panic(boom)
			default:
				<-exited
				time.Sleep(50 * time.Millisecond)
			}
			return i, nil
		}}
		items := func(yield func(int) bool) {
			for i := range 1000 {
				if !yield(i) {
					return
				}
			}
		}
		defer func() {
			e, ok := recover().(*PanicError)
			require.True(t, ok)
			require.ErrorIs(t, e, boom)
		}()
		for range Stream(t.Context(), fn, items, Config{Errors: Collect, MinWorkers: 3, ChunkSize: 1}) {
		}
	})
}

// A Goexit in the first item takes as long as it does, whether helpers have joined by then or not.
func TestBusyAfterAGoexit(t *testing.T) {
	for _, takes := range []time.Duration{alarmAfter / 10, alarmAfter, 10 * alarmAfter} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Second)
			var r Report
			fn := Func[int, int]{Plain: func(i int) (int, error) {
				time.Sleep(takes)
				if i == 1 {
					runtime.Goexit()
				}
				return i, nil
			}}
			n := 0
			for range Stream(t.Context(), fn, slices.Values([]int{1, 2, 3}), Config{Errors: Collect, Report: &r}) {
				n++
			}
			require.Equal(t, 3, n)
			require.Equal(t, 3*takes, r.Busy)

			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = Run(t.Context(), fn, []int{1}, Config{Report: &r})
			}()
			<-ended
			require.ErrorIs(t, r.Err, ErrGoexit)
			require.Equal(t, takes, r.Busy, "of the caller's own goroutine")
		})
	}
}

// goexits is a policy that ends the goroutine of the first call, before it is made. All items are in one line.
type goexits struct {
	inLine
	first *bool
}

func (g goexits) Do(ctx context.Context, call func(context.Context) error) error {
	if *g.first {
		*g.first = false
		runtime.Goexit()
	}
	return call(ctx)
}

// An item whose goroutine has ended lets the next one of its line go.
func TestLineAfterAGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		one := inLine{line: func(int) uint64 { return 1 }, wait: func(int) time.Duration { return 0 }}
		fn := Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
		var failed []int
		n := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for r := range Stream(ctx, fn, slices.Values([]int{0, 1, 2, 3}), Config{Errors: Collect, Workers: 1, Policies: []Policy{goexits{one, &first}}}) {
			if n++; r.Err != nil {
				require.ErrorIs(t, r.Err, ErrGoexit)
				failed = append(failed, r.Index)
			}
		}
		require.Equal(t, 4, n)
		require.Equal(t, []int{0}, failed)
	})
}

// A claim that a Goexit ends has run its items up to that one; the rest goes back.
func TestGoexitInAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wired(Config{Errors: Collect, Progress: func(Progress) {}}, 9)
		r.events = newEvents(r.cfg, 9, clock.Now())
		w := &worker{runner: &calls[int, int]{}}
		w.tally = new(tally)
		w.claimed, w.at, w.to = span{Lo: 3, Hi: 6}, 4, 6
		r.source.Take(9, 1)
		w.began.Store(int64(clock.Now()))
		time.Sleep(2 * time.Second)
		r.goexit(w)
		require.Equal(t, 2, w.items)
		require.Equal(t, 2*time.Second, w.busy)
		require.Equal(t, 1, r.source.Left())
		require.EqualValues(t, 2, r.events.completed.Load())
		require.EqualValues(t, 2, w.tally.latency.Count())
		require.Equal(t, 4, r.outcome.failed[0].Lo)
	})
}

// Who has left takes no turn; one that was forced while another was waited for is given back.
func TestTurnsOfThoseWhoLeave(t *testing.T) {
	c := newCallContext(&runContext{Context: t.Context()}, &Config{})
	all := new(flight.Turns)
	none := func() bool { all.Allow(0); return !all.Over() }
	c.part()
	c.forcesTurn(all)
	require.True(t, none())
	all.Allow(2)
	age, _, ok := all.Take(nil, time.Hour)
	require.True(t, ok)
	c.takesTurn(all, age) // it has come back
	c.endsTurn()
	all.Give(age)
	require.True(t, none())
	c.forcesTurn(all)
	all.Allow(2)
	age, _, ok = all.Take(nil, time.Hour)
	require.True(t, ok)
	c.takesTurn(all, age)
	_, age = c.endsTurn()
	all.Give(age)
	require.True(t, none())
}

// A caller that comes back is watched again.
func TestComeBackIsWatched(t *testing.T) {
	r := wired(Config{Session: new(Session)}, 9)
	r.sharing.join()
	r.sharing.allow(4, 4)
	r.sharing.tracker.Enlist(&r.sharing, clock.Now())
	r.sharing.tracker.Open(clock.Now(), 4, 0, 0, false)
	r.scheduler.mode.Store(modeWaiting)
	w := &worker{call: newCallContext(r.ctx, r.cfg)}
	for range 2 {
		r.crew.comeBack(w)
		_, ok := r.beginWaiting(w, clock.Now())
		require.True(t, ok)
		require.True(t, w.watching.Load())
		w.enterAttempt(clock.Now(), 1, 1)
		r.sharing.part(w) // as after a Goexit
		require.Zero(t, r.sharing.tracker.InFlight())
		require.False(t, w.watching.Load())
		r.crew.mu.Lock()
		r.crew.exit(w)
		r.crew.mu.Unlock()
	}
}

// A Goexit in the loop of a stream, or of the caller outside of an item, ends the contexts of the calls under way.
func TestGoexitEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		fn := Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
			if i == 0 {
				return 0, nil
			}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return 0, ctx.Err()
		}}
		go func() {
			for range Stream(t.Context(), fn, slices.Values([]int{0, 1}), Config{Workers: 2}) {
				time.Sleep(time.Second) // the next call has begun
				runtime.Goexit()
			}
		}()
		require.Error(t, <-ended)
	})
}

// A Goexit of the caller ends the run, also in an item whose failure would not: nobody is left to wait for the others.
func TestGoexitOfTheCaller(t *testing.T) {
	for _, c := range []struct {
		size     int64
		returned bool
		failed   int
	}{{0, true, 0}, {1, false, 1}, {1, true, 0}, {0, false, 0}} {
		r := wired(Config{Errors: Collect}, 9)
		r.caller = &worker{runner: r.runner, claimed: span{Hi: 1}}
		r.caller.returned, r.caller.tally = c.returned, new(tally)
		r.caller.size.Store(c.size)
		r.cfg.tally = r.caller.tally
		require.ErrorIs(t, r.abandon(nil), ErrGoexit)
		require.Len(t, r.outcome.failed, c.failed, "%+v: within an item", c)
		require.True(t, r.over.Load())
		require.True(t, r.crew.stopped)
		require.ErrorIs(t, context.Cause(r.ctx), ErrGoexit)
	}
}
