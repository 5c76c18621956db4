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
