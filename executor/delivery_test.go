package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
)

// loop notes the results that a loop is given. It is left after so many, if that is not 0.
type loop struct {
	got   []Result[int, int]
	leave int
}

func (l *loop) yield(r Result[int, int]) bool {
	l.got = append(l.got, r)
	return len(l.got) != l.leave
}

// indices are those of the results.
func (l *loop) indices() (all []int) {
	for _, r := range l.got {
		all = append(all, r.Index)
	}
	return all
}

// completed has workers hand over what they have completed, span by span.
func (d *delivery[T, R]) completed(spans ...span) {
	for _, s := range spans {
		for i := s.Lo; i < s.Hi; i++ {
			d.results = append(d.results, Result[T, R]{Index: i})
		}
		d.ranges = append(d.ranges, s)
	}
}

// brokenStream is a stream of eight items that has ended early: items 0 and 1 were yielded, 2 was not run, 3, 4 and 7 are
// completed, the call for 5 was stopped, and 6 is known from an earlier run.
func brokenStream(t *testing.T, l *loop, end func(s *stream[int, int])) *delivery[int, int] {
	s := claimed(t, 8, Func[int, int]{}, Config{}).stream
	for ok := true; ok; {
		_, ok = s.arrivals.TakeAlone(8)
	}
	s.known, s.cfg.past = map[int]Result[int, int]{6: {Index: 6, Value: 66}}, new(past)
	s.arrivals.Skip(s.skip)
	d := &delivery[int, int]{stream: s, yield: l.yield, step: 100, next: 2}
	d.completed(span{Lo: 7, Hi: 8}, span{Lo: 3, Hi: 5})
	require.True(t, d.take())
	require.True(t, d.sort())
	s.arrivals.Return(span{Lo: 6, Hi: 7})
	s.arrivals.Return(span{Lo: 2, Hi: 3})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(Result[int, int]{Index: 5, Item: 5}, &ItemError{Index: 5, Attempts: 1, Err: context.Canceled})
	end(s)
	return d
}

// What has not been yielded when a stream ends comes in order: what is completed, and why the rest is not; then why the
// stream ended. A failure stands alone behind what is completed, and a panic has no result.
func TestHowAStreamEnds(t *testing.T) {
	odd, even := errors.New("odd"), errors.New("even")
	for name, c := range map[string]struct {
		end  func(s *stream[int, int])
		want []int
	}{
		"an error of the run":  {func(s *stream[int, int]) { s.err = odd }, []int{2, 3, 4, 5, 6, 7, -1}},
		"and one of the input": {func(s *stream[int, int]) { s.err, s.inputErr = odd, even }, []int{2, 3, 4, 5, 6, 7, -1, -1}},
		"a failure":            {func(s *stream[int, int]) { s.failure = &Result[int, int]{Index: 5, Err: odd} }, []int{3, 4, 7, 5}},
		"a panic":              {func(s *stream[int, int]) { s.panicked = new(PanicError); s.inputErr = even }, []int{3, 4, 7}},
	} {
		l := new(loop)
		brokenStream(t, l, c.end).ending()
		require.Equal(t, c.want, l.indices(), name)
		for leave := range len(c.want) {
			l := &loop{leave: leave + 1}
			brokenStream(t, l, c.end).ending()
			require.Equal(t, c.want[:leave+1], l.indices(), "%s: a loop that was left gets no more", name)
		}
	}
}

// An item that was not completed tells its own error, and why the stream ended.
func TestWhyItemsAreNotCompleted(t *testing.T) {
	odd, l := errors.New("odd"), new(loop)
	brokenStream(t, l, func(s *stream[int, int]) { s.err = odd }).ending()
	require.Len(t, l.got, 7)
	notRun, stopped, known := l.got[0], l.got[3], l.got[4]
	require.ErrorIs(t, stopped.Err, context.Canceled)
	require.ErrorIs(t, stopped.Err, odd)
	require.EqualError(t, stopped.Err, "item 5: context canceled: odd")
	require.ErrorIs(t, notRun.Err, ErrNotRun)
	require.ErrorIs(t, notRun.Err, odd)
	require.Equal(t, 2, notRun.Item)
	require.Equal(t, Result[int, int]{Index: 6, Value: 66}, known)
	require.Equal(t, Result[int, int]{Index: -1, Err: odd}, l.got[6])
}

// What is not next is parked until it is, and the buffer that it came in keeps nothing of it.
func TestResultsArePutInOrder(t *testing.T) {
	l := new(loop)
	d := &delivery[int, int]{stream: &stream[int, int]{window: 16}, yield: l.yield, step: 100}
	d.completed(span{Lo: 4, Hi: 6}, span{Lo: 2, Hi: 4}, span{Lo: 7, Hi: 8})
	require.True(t, d.take())
	require.True(t, d.sort())
	require.Empty(t, l.got)
	require.Equal(t, 3, d.apart)
	require.Equal(t, make([]Result[int, int], 5), d.batch)
	d.completed(span{Lo: 0, Hi: 2})
	require.True(t, d.take())
	require.True(t, d.sort())
	require.Equal(t, []int{0, 1, 2, 3, 4, 5}, l.indices())
	require.Equal(t, 1, d.apart)
	require.True(t, d.behind(7))
	require.Len(t, l.got, 6, "that one is not before itself")
	require.True(t, d.behind(8))
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 7}, l.indices())
	require.Zero(t, d.apart)
}

// A producer that waits for room hears of all there is as soon as the loop has nothing to do.
func TestAWaitingLoopTellsOfAllRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stream[int, int]{arrivals: source.NewArrivals(4, true)}
		d := delivery[int, int]{stream: s, yield: new(loop).yield, step: 100}
		s.arrivals.Arrive(4)
		for ok := true; ok; {
			_, ok = s.arrivals.TakeAlone(4)
		}
		room := 0
		go func() { room = s.arrivals.AwaitRoom(4, func(limit int) int { return limit }, nil) }()
		require.True(t, d.pass(&Result[int, int]{}))
		synctest.Wait()
		require.Zero(t, room, "that is not worth a word")
		require.False(t, d.take())
		synctest.Wait()
		require.Equal(t, 5, room)
	})
}
