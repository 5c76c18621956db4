package executor

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a keeper knows of an item is its result. A known failure is one where failures are collected; else the item is
// run again. What a keeper can't tell ends the stream.
func TestWhatAKeeperKnows(t *testing.T) {
	failed := &ItemError{Index: 3, Attempts: 2, Err: errKept}
	for name, c := range map[string]struct {
		mode  ErrorMode
		known map[int]Outcome[int]
		asked error
		want  map[int]Result[int, int]
	}{
		"nothing":              {FailFast, nil, nil, map[int]Result[int, int]{}},
		"a value":              {FailFast, map[int]Outcome[int]{30: {Value: 7}}, nil, map[int]Result[int, int]{3: {Index: 3, Item: 30, Value: 7}}},
		"a value, collected":   {Collect, map[int]Outcome[int]{30: {Value: 7}}, nil, map[int]Result[int, int]{3: {Index: 3, Item: 30, Value: 7}}},
		"a failure":            {FailFast, map[int]Outcome[int]{30: {Value: 7, Attempts: 2, Err: errKept}}, nil, map[int]Result[int, int]{}},
		"a failure, collected": {Collect, map[int]Outcome[int]{30: {Value: 7, Attempts: 2, Err: errKept}}, nil, map[int]Result[int, int]{3: {Index: 3, Item: 30, Err: failed}}},
		"it can't tell":        {Collect, map[int]Outcome[int]{30: {Value: 7}}, errKept, map[int]Result[int, int]{}},
	} {
		s := newStream(t.Context(), Func[int, int]{Keeper: &memoryKeeper{known: c.known, asked: c.asked}}, nil, Config{Errors: c.mode})
		require.Equal(t, c.asked, s.recall(3, 30), name)
		require.Equal(t, c.want, s.known, name)
		require.True(t, s.mu.TryLock(), name)
	}
}

// Known items at the beginning of a claim are handed over, and forgotten; those behind them that are not known are run;
// what is behind the next known one is another claim's.
func TestKnownItemsAreSkipped(t *testing.T) {
	for name, c := range map[string]struct {
		known []int
		run   span
		left  int // known items that are still to come
	}{
		"none":             {nil, span{Lo: 2, Hi: 6}, 0},
		"the first":        {[]int{2}, span{Lo: 3, Hi: 6}, 0},
		"two":              {[]int{2, 3}, span{Lo: 4, Hi: 6}, 0},
		"one between":      {[]int{4}, span{Lo: 2, Hi: 4}, 1},
		"the first, third": {[]int{2, 4}, span{Lo: 3, Hi: 4}, 1},
		"the last":         {[]int{5}, span{Lo: 2, Hi: 5}, 1},
		"all, and others":  {[]int{1, 2, 3, 4, 5, 6}, span{Lo: 6, Hi: 6}, 2},
	} {
		items := make([]int, 9)
		s := newStream(t.Context(), Func[int, int]{Keeper: &memoryKeeper{}}, slices.Values(items), Config{Window: 16, ReadAhead: true})
		s.produce()
		for _, i := range c.known {
			s.known[i] = Result[int, int]{Index: i, Value: 10 * i}
		}
		s.wait() // the loop does
		require.Equal(t, c.run, s.skip(span{Lo: 2, Hi: 6}), name)
		passed := c.run.Lo - 2
		require.Len(t, s.known, c.left, name)
		require.Len(t, s.results, passed, name)
		for i, r := range s.results {
			require.Equal(t, Result[int, int]{Index: 2 + i, Value: 10 * (2 + i)}, r, name)
		}
		require.Len(t, s.ranges, min(1, passed), name)
		require.Len(t, s.ready, min(1, passed), "%s: the loop is woken for something", name)
		require.EqualValues(t, passed, s.cfg.past.known.Load(), name)
	}
}

// Out of order, what was in the place of a known item is not kept, nor in that of one that is begun.
func TestItemsOutOfOrderAreForgotten(t *testing.T) {
	items := []*int{new(int), new(int), new(int)}
	s := newStream(t.Context(), Func[*int, int]{}, slices.Values(items), Config{Window: 16, ReadAhead: true, Unordered: true})
	s.produce()
	s.pass(span{Lo: 0, Hi: 1})
	r := newStreaming(s)
	r.begin(&worker{}, span{Lo: 1, Hi: 2})
	r.open(1)
	require.Same(t, items[1], r.cell.Item)
	require.Equal(t, []*int{nil, nil, items[2]}, []*int{*s.ring.at(0), *s.ring.at(1), *s.ring.at(2)})
	require.Empty(t, s.ranges)
}

// A keeper is told what an item came to: a value, or a failure and no value.
func TestOutcomeOfAnItemIsKept(t *testing.T) {
	for _, err := range []error{nil, errKept} {
		m := &memoryKeeper{}
		r, w := claimed(t, 3, Func[int, int]{}, Config{}), &worker{}
		r.kept.keeper = m
		r.begin(w, span{Lo: 1, Hi: 2})
		r.open(1)
		r.cell.Value, r.cell.Duration, w.attempts = 7, time.Second, 2
		r.keep(1, err)
		want := Outcome[int]{Value: 7, Attempts: 2, Took: time.Second}
		if err != nil {
			want.Value, want.Err = 0, err
		}
		require.Equal(t, map[int]Outcome[int]{1: want}, m.kept)
	}
}
