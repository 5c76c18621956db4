package executor

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/clock"
)

// A claim of several items makes the run be reviewed soon, since one of them may be slow: a claim of one does not.
func TestWhichClaimsHurry(t *testing.T) {
	for claim, tokens := range map[span]int{{Lo: 0, Hi: 1}: 0, {Lo: 5, Hi: 6}: 0, {Lo: 5, Hi: 7}: 1, {Lo: 0, Hi: 9}: 1} {
		r := claimed(t, 9, Func[int, int]{}, Config{})
		w := &worker{pacer: &pacer{stirred: make(chan struct{}, 1)}}
		w.pacer.resting.Store(true)
		r.begin(w, claim)
		require.Len(t, w.pacer.stirred, tokens, claim)
	}
}

// A claim needs no more room for results than the largest one before it.
func TestRoomForResultsIsUsedAgain(t *testing.T) {
	r := claimed(t, 9, Func[int, int]{}, Config{})
	r.begin(&worker{}, span{Lo: 0, Hi: 4})
	first := &r.mine[0]
	for _, claim := range []span{{Lo: 4, Hi: 8}, {Lo: 8, Hi: 9}, {Lo: 2, Hi: 6}} {
		r.begin(&worker{}, claim)
		require.Same(t, first, &r.mine[0], claim)
		require.Len(t, r.mine, 4)
	}
	r.begin(&worker{}, span{Lo: 0, Hi: 5})
	require.Len(t, r.mine, 5)
}

// A claim that has just been begun, behind another one, keeps its first item when it is shortened.
func TestClaimIsShortenedAtOnce(t *testing.T) {
	r, w := claimed(t, 9, Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}, Config{}), &worker{}
	require.NoError(t, r.run(t.Context(), w, span{Lo: 0, Hi: 3}))
	require.Len(t, r.results, 3)
	r.begin(w, span{Lo: 5, Hi: 9})
	require.Equal(t, span{Lo: 6, Hi: 9}, r.shorten())
	require.Len(t, r.results, 3, "nothing of it is done")
	require.True(t, r.reaches(5))
	require.False(t, r.reaches(6))
	w.at = 6
	r.finish(w, span{Lo: 5, Hi: 9})
	require.Equal(t, 6, w.to)
	require.Equal(t, []span{{Lo: 0, Hi: 3}, {Lo: 5, Hi: 6}}, r.ranges)
}

// A claim has ended with its last item, though that one failed: nothing is in flight any more.
func TestLastItemOfAClaimFails(t *testing.T) {
	for _, mode := range []ErrorMode{Collect, FailFast} {
		for failing := range 4 { // 3: none
			r, w := claimed(t, 3, Func[int, int]{Plain: func(i int) (int, error) {
				if i == failing {
					return 0, errors.New("odd")
				}
				return i, nil
			}}, Config{Errors: mode}), &worker{}
			tracker := opened()
			w.watch(tracker, t.Context())
			_ = r.run(t.Context(), w, span{Lo: 0, Hi: 3})
			require.Zero(t, tracker.InFlight(), failing)
			w.forget()
		}
	}
}

// What a shortened claim hands over is what is done, wherever in the stream the claim is, and how ever short.
func TestShortenedClaimInTheMiddle(t *testing.T) {
	for name, c := range map[string]struct {
		claim  span
		stuck  int
		rest   span
		ranges []span
	}{
		"the first":       {span{Lo: 4, Hi: 8}, 4, span{Lo: 5, Hi: 8}, nil},
		"the third":       {span{Lo: 4, Hi: 8}, 6, span{Lo: 7, Hi: 8}, []span{{Lo: 4, Hi: 6}}},
		"the last":        {span{Lo: 4, Hi: 8}, 7, span{Lo: 8, Hi: 8}, []span{{Lo: 4, Hi: 7}}},
		"the first of 2":  {span{Lo: 4, Hi: 6}, 4, span{Lo: 5, Hi: 6}, nil},
		"the second of 2": {span{Lo: 4, Hi: 6}, 5, span{Lo: 6, Hi: 6}, []span{{Lo: 4, Hi: 5}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			free := make(chan struct{})
			r, w := claimed(t, 9, Func[int, int]{Plain: func(i int) (int, error) {
				if i == c.stuck {
					<-free
				}
				return i, nil
			}}, Config{}), &worker{}
			w.itemNanos = 1
			done := make(chan error)
			go func() { done <- r.run(t.Context(), w, c.claim) }()
			synctest.Wait()
			time.Sleep(time.Second)
			require.Equal(t, c.rest, r.shorten(), name)
			require.Equal(t, c.ranges, r.ranges, name)
			for _, took := range r.durations() {
				require.EqualValues(t, 1, took, name)
			}
			close(free)
			require.NoError(t, <-done)
			require.Equal(t, c.rest.Lo, w.to, name)
			require.Len(t, r.results, c.rest.Lo-c.claim.Lo, name)
		})
	}
}

// In order, items that have been run leave their places, and what was in them is not kept, nor is a result kept twice.
func TestItemsThatWereRunAreForgotten(t *testing.T) {
	items := []*int{new(int), new(int), new(int)}
	s := newStream(t.Context(), Func[*int, *int]{Plain: func(i *int) (*int, error) { return i, nil }}, slices.Values(items), Config{Window: 4, ReadAhead: true})
	s.produce()
	r := newStreaming(s)
	require.NoError(t, r.run(t.Context(), &worker{}, span{Lo: 0, Hi: 2}))
	require.Equal(t, []*int{nil, nil, items[2]}, []*int{*s.ring.at(0), *s.ring.at(1), *s.ring.at(2)})
	require.Same(t, items[1], s.results[1].Value)
	require.Equal(t, make([]Result[*int, *int], 2), r.mine)
}

// Each failure of cheap items is told to the tracker with those before it, and has its own time; what was not run has
// none.
func TestTimesOfCheapItemsThatFail(t *testing.T) {
	odd := errors.New("odd")
	for name, c := range map[string]struct {
		mode  ErrorMode
		fails []int
		times int64
		most  time.Duration
	}{
		"none":                 {Collect, nil, 5, 3 * time.Millisecond},
		"one":                  {Collect, []int{1}, 5, 4 * time.Millisecond},
		"two":                  {Collect, []int{1, 3}, 5, 5 * time.Millisecond},
		"two in a row":         {Collect, []int{1, 2}, 5, 4500 * time.Microsecond},
		"the first ends it":    {FailFast, []int{0}, 1, time.Millisecond},
		"a later one ends it":  {FailFast, []int{2}, 3, 2 * time.Millisecond},
		"the first, collected": {Collect, []int{0}, 5, 3500 * time.Microsecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			tracker := opened()
			r, w := claimed(t, 5, Func[int, int]{Plain: func(i int) (int, error) {
				time.Sleep(time.Duration(1+i) * time.Millisecond)
				return i, map[bool]error{true: odd}[slices.Contains(c.fails, i)]
			}}, Config{Errors: c.mode}), &worker{}
			w.tally, w.attempts = new(tally), 7
			w.watch(tracker, t.Context())
			_ = r.run(t.Context(), w, span{Hi: 5})
			require.Equal(t, c.times, w.tally.latency.Count(), name)
			require.InEpsilon(t, c.most, w.tally.latency.Max(), 0.01, name)
			require.Zero(t, tracker.InFlight(), name)
			require.EqualValues(t, len(c.fails), w.tally.snapshot().Failed.Other, name)
			for _, result := range r.results {
				if result.Err != nil {
					require.Equal(t, &ItemError{Index: result.Index, Attempts: 1, Err: odd}, result.Err, name)
				}
			}
		})
	}
}

// Behind a failure, what is in flight is as many cheap items as are left of the claim.
func TestCheapItemsBehindAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker, w := opened(), &worker{}
		inFlight := func(items int) flight.Paused {
			var a flight.Attempt
			other := opened()
			other.Enter(&a, clock.Now(), items, float64(items))
			return other.Pause(&a, clock.Now())
		}
		var seen, want []flight.Paused
		r := claimed(t, 9, Func[int, int]{Plain: func(i int) (int, error) {
			seen, want = append(seen, tracker.Pause(&w.attempt, clock.Now())), append(want, inFlight([]int{4, 4, 2, 1}[i-4]))
			tracker.Resume(&w.attempt, clock.Now(), seen[len(seen)-1])
			return i, map[bool]error{true: errKept}[i == 5 || i == 6]
		}}, Config{Errors: Collect})
		w.watch(tracker, t.Context())
		require.NoError(t, r.run(t.Context(), w, span{Lo: 4, Hi: 8}))
		require.Equal(t, want, seen)
	})
}

// An outcome is kept, unless the run has ended and the failure may only say so; what did not return is kept as well.
func TestWhichOutcomesAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(cancel context.CancelFunc) error
		kept map[int]Outcome[int]
	}{
		"a value":              {func(context.CancelFunc) error { return nil }, map[int]Outcome[int]{1: {Value: 7, Attempts: 1}}},
		"a failure":            {func(context.CancelFunc) error { return errKept }, map[int]Outcome[int]{1: {Err: errKept, Attempts: 1}}},
		"a value at the end":   {func(cancel context.CancelFunc) error { cancel(); return nil }, map[int]Outcome[int]{1: {Value: 7, Attempts: 1}}},
		"a failure at the end": {func(cancel context.CancelFunc) error { cancel(); return errKept }, nil},
		"a goexit":             {func(context.CancelFunc) error { runtime.Goexit(); return nil }, map[int]Outcome[int]{1: {Err: ErrGoexit, Attempts: 1}}},
		"a panic":              {func(context.CancelFunc) error { panic(errKept) }, map[int]Outcome[int]{1: {Err: errKept, Attempts: 1}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			m := &memoryKeeper{}
			r, w := claimed(t, 3, Func[int, int]{Keeper: m, Plain: func(int) (int, error) { return 7, c.end(cancel) }}, Config{Errors: Collect}), &worker{}
			go func() { _ = r.run(ctx, w, span{Lo: 1, Hi: 2}) }()
			synctest.Wait()
			if of, ok := m.kept[1]; ok && w.panicked != nil {
				require.Same(t, w.panicked, of.Err, name)
				of.Err = w.panicked.Value.(error)
				m.kept[1] = of
			}
			require.Equal(t, c.kept, m.kept, name)
		})
	}
}

// Where policies are around a call, its own time is measured apart from what they made it wait.
func TestTimeInPoliciesOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		around := policy(func(ctx context.Context, call func(context.Context) error) error {
			time.Sleep(time.Minute)
			return call(ctx)
		})
		r := claimed(t, 3, Func[int, int]{Plain: func(i int) (int, error) { time.Sleep(time.Second); return i, nil }}, Config{Policies: []Policy{around}})
		w := &worker{}
		w.policed.sampling = true
		require.NoError(t, r.run(t.Context(), w, span{Lo: 0, Hi: 2}))
		require.EqualValues(t, 2, w.policed.ownItems.Load())
		require.EqualValues(t, 2*time.Second, w.policed.ownTime.Load())
		require.Equal(t, 2*time.Minute, w.policed.waited)
		require.Equal(t, []time.Duration{61 * time.Second, 61 * time.Second}, r.durations())
	})
}
