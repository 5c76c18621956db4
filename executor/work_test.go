package executor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
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
