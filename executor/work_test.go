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
