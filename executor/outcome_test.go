package executor

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever ends a run is noted at once, and leaves the way free for what else goes wrong.
func TestOutcomesDoNotBlock(t *testing.T) {
	odd, late := errors.New("odd"), errors.New("late")
	for name, end := range map[string]func(o *outcome){
		"a failure":        func(o *outcome) { o.fail(odd, span{Lo: 1, Hi: 2}) },
		"a panic":          func(o *outcome) { o.panics(&PanicError{Index: 1}, span{Lo: 1, Hi: 2}) },
		"a Goexit":         func(o *outcome) { o.exit() },
		"a keeper's error": func(o *outcome) { o.lose(odd) },
	} {
		r := wired(Config{}, 9)
		end(&r.outcome)
		require.True(t, r.outcome.mu.TryLock(), name)
		r.outcome.mu.Unlock()
		require.True(t, r.over.Load(), name)
		require.Error(t, r.ctx.Err(), name)
		r.outcome.lose(late)
		err := r.outcome.err(t.Context(), true)
		require.Equal(t, name != "a keeper's error", errors.Is(err, late), "%s: of a keeper's errors the first counts", name)
	}
}

// Of several panics the one of the lowest item is raised, and of that the first; one that is not an item's only if
// there is no other.
func TestPanicThatIsRaised(t *testing.T) {
	at := func(i int) *PanicError { return &PanicError{Index: i} }
	for _, c := range []struct {
		e, other *PanicError
		first    bool
	}{
		{at(0), nil, true}, {at(-1), nil, true},
		{at(3), at(4), true}, {at(3), at(3), false}, {at(3), at(2), false},
		{at(0), at(1), true}, {at(1), at(0), false}, {at(0), at(0), false},
		{at(3), at(-1), true}, {at(0), at(-1), true}, {at(-1), at(3), false}, {at(-1), at(0), false}, {at(-1), at(-1), false},
	} {
		require.Equal(t, c.first, c.e.before(c.other), "%v, %v", c.e, c.other)
	}
}

// placed is an outcome of which the tally counts, and whose items have other numbers for the caller.
func placed() *outcome {
	r := wired(Config{Errors: Collect, tally: new(tally), past: &past{numbers: []int{0, 4, 5, 6, 9}}}, 5)
	return &r.outcome
}

// Items that failed are counted while the run goes on, and are told of by the caller's numbers. A panic that is no
// item's is not counted, and keeps its place.
func TestLostItemsAreCountedAndPlaced(t *testing.T) {
	item, batch, panicked := &ItemError{Index: 1}, &BatchError{Index: 1, Size: 3}, &PanicError{Index: 1}
	for name, c := range map[string]struct {
		end   func(o *outcome)
		lost  int
		index func(o *outcome) int
		want  int
	}{
		"an item":           {func(o *outcome) { o.fail(item, span{Lo: 1, Hi: 2}) }, 1, func(*outcome) int { return item.Index }, 4},
		"a batch":           {func(o *outcome) { o.fail(batch, span{Lo: 1, Hi: 4}) }, 3, func(*outcome) int { return batch.Index }, 4},
		"a result":          {func(o *outcome) { o.fail(nil, span{Lo: 1, Hi: 2}) }, 0, func(*outcome) int { return 0 }, 0},
		"a panic":           {func(o *outcome) { o.panics(panicked, span{Lo: 1, Hi: 2}) }, 1, func(*outcome) int { return panicked.Index }, 4},
		"a batch's panic":   {func(o *outcome) { o.panics(nil, span{Lo: 2, Hi: 4}) }, 2, func(o *outcome) int { return o.panicked.Index }, 5},
		"a panic, nobody's": {func(o *outcome) { o.panics(nil, span{Lo: 3, Hi: 3}) }, 0, func(o *outcome) int { return o.panicked.Index }, 3},
	} {
		o := placed()
		c.end(o)
		require.Equal(t, c.lost, o.tally.failures(), name)
		require.Equal(t, c.want, c.index(o), name)
	}
}

// Code beside the items that panics ends the run, which raises that as no item's panic.
func TestPanicsBesideAWorkerAreCaught(t *testing.T) {
	o := placed()
	func() { defer o.catch() }()
	require.Nil(t, o.panicked)
	require.False(t, o.over.Load())
	func() {
		defer o.catch()
		panic("odd")
	}()
	require.NotNil(t, o.panicked)
	require.Equal(t, []any{-1, "odd"}, []any{o.panicked.Index, o.panicked.Value})
	require.True(t, o.over.Load())
	require.Empty(t, o.failed)
	require.Zero(t, o.tally.failures())
}
