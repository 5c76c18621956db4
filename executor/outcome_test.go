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
