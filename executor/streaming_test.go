package executor

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// claimed is the runner of one worker of a stream whose items, 0 to n-1, have all arrived.
func claimed(t *testing.T, n int, fn Func[int, int], cfg Config) *streaming[int, int] {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	cfg.Window, cfg.ReadAhead = n+1, true
	s := newStream(t.Context(), fn, slices.Values(items), cfg)
	s.produce()
	return newStreaming(s)
}

// durations are those of the results that have been handed over.
func (r *streaming[T, R]) durations() (all []time.Duration) {
	for _, result := range r.results {
		all = append(all, result.Duration)
	}
	return all
}

// Items of a claim are timed one by one, unless they are known to be cheap and nothing is around their calls:
// then each has an equal share.
func TestItemsAreTimed(t *testing.T) {
	own, shares := []time.Duration{1e6, 2e6, 3e6}, []time.Duration{2e6, 2e6, 2e6}
	fn := Func[int, int]{Plain: func(i int) (int, error) {
		time.Sleep(time.Duration(1+i) * time.Millisecond)
		return i, nil
	}}
	kept := fn
	kept.Keeper = &memoryKeeper{}
	for name, c := range map[string]struct {
		fn    Func[int, int]
		cfg   Config
		nanos float64 // of an item, as far as known
		want  []time.Duration
	}{
		"only cheap ones are claimed together": {fn, Config{}, 0, shares},
		"cheap":                                {fn, Config{}, float64(timedFrom) - 1, shares},
		"not cheap":                            {fn, Config{}, float64(timedFrom), own},
		"of a size, nothing known":             {fn, Config{ChunkSize: 3}, 0, own},
		"of a size, cheap":                     {fn, Config{ChunkSize: 3}, 1, shares},
		"of a size, not cheap":                 {fn, Config{ChunkSize: 3}, float64(timedFrom), own},
		"cheap, with a policy":                 {fn, Config{Policies: []Policy{passing{}}}, 1, own},
		"cheap, with a keeper":                 {kept, Config{}, 1, own},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, w := claimed(t, 3, c.fn, c.cfg), &worker{}
			w.itemNanos = c.nanos
			require.NoError(t, r.run(t.Context(), w, span{Hi: 3}), name)
			require.Equal(t, c.want, r.durations(), name)
		})
	}
}

// A claim whose item is stuck is shortened: what is done is handed over, the rest is for others. The items that are
// done have taken what is expected of one, at most an equal share of the time.
func TestShortenedClaim(t *testing.T) {
	for name, c := range map[string]struct {
		stuck int // the item
		after time.Duration
		rest  span
		want  []time.Duration
	}{
		"the first":             {0, time.Second, span{Lo: 1, Hi: 4}, nil},
		"one between":           {2, time.Second, span{Lo: 3, Hi: 4}, []time.Duration{1000, 1000}},
		"that has just begun":   {2, 1000, span{Lo: 3, Hi: 4}, []time.Duration{500, 500}},
		"the last: none behind": {3, time.Second, span{Lo: 4, Hi: 4}, []time.Duration{1000, 1000, 1000}},
	} {
		synctest.Test(t, func(t *testing.T) {
			free := make(chan struct{})
			r, w := claimed(t, 4, Func[int, int]{Plain: func(i int) (int, error) {
				if i == c.stuck {
					<-free
				}
				return i, nil
			}}, Config{}), &worker{}
			w.itemNanos = 1000
			done := make(chan error)
			go func() { done <- r.run(t.Context(), w, span{Hi: 4}) }()
			synctest.Wait()
			time.Sleep(c.after)
			require.Equal(t, c.rest, r.shorten(), name)
			require.Equal(t, c.want, r.durations(), name)
			require.Zero(t, r.shorten().Len(), "%s: it has none left", name)
			close(free)
			require.NoError(t, <-done)
			require.Equal(t, c.rest.Lo, w.to, name)
			require.Equal(t, c.rest.Lo, len(r.results), name)
			require.Equal(t, span{}, r.shorten(), "%s: it has ended", name)
		})
	}
}

// A claim whose worker has moved on while it was to be shortened keeps its items.
func TestClaimIsNotCutBehindItsWorker(t *testing.T) {
	r := claimed(t, 9, Func[int, int]{}, Config{})
	r.begin(&worker{}, span{Lo: 0, Hi: 9})
	require.True(t, r.reaches(4))
	require.True(t, r.reaches(5))
	require.False(t, r.cut(4, 9))
	require.True(t, r.reaches(6))
	require.True(t, r.cut(6, 9))
	require.False(t, r.reaches(7))
}

// Of the calls of a claim those count as successful that returned, and no error.
func TestSuccessfulCallsOfAClaim(t *testing.T) {
	odd := errors.New("odd")
	for name, c := range map[string]struct {
		mode  ErrorMode
		fails func(i int) error
		want  int
	}{
		"all":               {FailFast, func(int) error { return nil }, 3},
		"none":              {Collect, func(int) error { return odd }, 0},
		"but one":           {Collect, func(i int) error { return []error{nil, odd, nil}[i] }, 2},
		"the first ends it": {FailFast, func(int) error { return odd }, 0},
		"the third ends it": {FailFast, func(i int) error { return []error{nil, nil, odd}[i] }, 2},
		"the first panics":  {Collect, func(int) error { panic(odd) }, 0},
		"the second panics": {Collect, func(i int) error {
			if i == 1 {
				panic(odd)
			}
			return nil
		}, 1},
	} {
		r, w := claimed(t, 3, Func[int, int]{Plain: func(i int) (int, error) { return i, c.fails(i) }}, Config{Errors: c.mode}), &worker{}
		w.tally = new(tally)
		_ = r.run(t.Context(), w, span{Hi: 3})
		require.Equal(t, c.want, w.called, name)
	}
	r, w := claimed(t, 3, Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}, Config{}), &worker{}
	w.signal.Store(halt)
	require.NoError(t, r.run(t.Context(), w, span{Hi: 3}))
	require.Zero(t, w.called)
}

// Each cheap item of a claim is in flight while its call runs, also behind one that failed.
func TestCheapItemsAreInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := opened()
		var inFlight []int
		r, w := claimed(t, 3, Func[int, int]{Plain: func(i int) (int, error) {
			inFlight = append(inFlight, tracker.InFlight())
			time.Sleep(time.Millisecond)
			if i == 1 {
				return 0, errors.New("odd")
			}
			return i, nil
		}}, Config{Errors: Collect}), &worker{}
		w.tally = new(tally)
		w.watch(tracker, t.Context())
		require.NoError(t, r.run(t.Context(), w, span{Hi: 3}))
		require.Equal(t, []int{1, 1, 1}, inFlight)
		require.Zero(t, tracker.InFlight())
		require.EqualValues(t, 3, w.tally.latency.Count())
	})
}

// Out of order, an item leaves its place as soon as it is begun, or is known: the input goes on, though the loop has
// not come back for its result.
func TestPlacesOfAStream(t *testing.T) {
	for name, leave := range map[string]func(r *streaming[int, int], i int){
		"begun": func(r *streaming[int, int], i int) { r.begin(&worker{}, span{Lo: i, Hi: i + 1}); r.open(i) },
		"known": func(r *streaming[int, int], i int) { r.pass(span{Lo: i, Hi: i + 1}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			taken := 0
			s := newStream(t.Context(), Func[int, int]{}, func(yield func(int) bool) {
				for ; yield(taken); taken++ {
				}
			}, Config{Unordered: true, Window: 8, ReadAhead: true})
			defer s.stop(nil)
			go s.produce()
			synctest.Wait()
			require.Equal(t, 7, taken, name)
			for range 8 {
				s.arrivals.Take(1, 1)
			}
			s.arrivals.Yielded(4) // others, which have been run out of their order
			s.arrivals.MakeRoom()
			synctest.Wait()
			require.Equal(t, 7, taken, "%s: their block has no place", name)
			r := newStreaming(s)
			leave(r, 0)
			synctest.Wait()
			require.Equal(t, 7, taken, name)
			leave(r, 1)
			synctest.Wait()
			require.Equal(t, 9, taken, name)
		})
	}
}

// In order, items that are known leave their places, and what was in them is not kept.
func TestKnownItemsAreForgotten(t *testing.T) {
	items := []*int{new(int), new(int), new(int)}
	s := newStream(t.Context(), Func[*int, int]{}, slices.Values(items), Config{Window: 4, ReadAhead: true})
	s.produce()
	require.Same(t, items[1], *s.ring.at(1))
	s.pass(span{Lo: 0, Hi: 2})
	require.Equal(t, []*int{nil, nil, items[2]}, []*int{*s.ring.at(0), *s.ring.at(1), *s.ring.at(2)})
	require.Equal(t, []span{{Lo: 0, Hi: 2}}, s.ranges)
}

// Where a claim is of one item, its time is its own.
func TestClaimOfOneItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := claimed(t, 2, Func[int, int]{Plain: func(i int) (int, error) { time.Sleep(time.Second); return i, nil }}, Config{}), &worker{}
		require.NoError(t, r.run(t.Context(), w, span{Lo: 1, Hi: 2}))
		require.Equal(t, []time.Duration{time.Second}, r.durations())
		require.Equal(t, 2, w.at)
		require.Zero(t, clock.Now()-r.since-time.Second)
		w.signal.Store(halt)
		require.NoError(t, r.run(t.Context(), w, span{Lo: 0, Hi: 1}))
		require.Zero(t, w.at, "it is not begun")
		require.Len(t, r.results, 1)
	})
}
