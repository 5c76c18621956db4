package executor

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// bothForms are both forms of a function.
func bothForms(fn func(int) (int, error)) map[string]Func[int, int] {
	return map[string]Func[int, int]{
		"plain":     {Plain: fn},
		"a context": {Context: func(_ context.Context, i int) (int, error) { return fn(i) }},
	}
}

// A worker that nothing else would tell looks before each item whether the caller's context has ended.
func TestCallsUntilTheContextEnds(t *testing.T) {
	done := make(chan struct{})
	for name, fn := range bothForms(func(i int) (int, error) {
		if i == 12 {
			close(done)
		}
		return 2 * i, nil
	}) {
		done = make(chan struct{})
		c := &calls[int, int]{fn: fn, items: []int{10, 11, 12, 13, 14}, out: make([]int, 5)}
		w := &worker{done: done}
		require.NoError(t, c.run(t.Context(), w, span{Lo: 1, Hi: 5}), name)
		require.Equal(t, 3, w.at, name)
		require.True(t, w.returned, name)
		require.Equal(t, []int{0, 22, 24, 0, 0}, c.out, name)
		require.NoError(t, c.run(t.Context(), w, span{Lo: 3, Hi: 5}), name)
		require.Equal(t, 3, w.at, "%s: no further one is begun", name)
		require.Equal(t, []int{0, 22, 24, 0, 0}, c.out, name)
	}
}

// A worker stops at a signal, and at the item that fails.
func TestCallsStop(t *testing.T) {
	odd := errors.New("odd")
	w := &worker{}
	for name, fn := range bothForms(func(i int) (int, error) {
		switch i {
		case 12:
			w.signal.Store(split)
		case 14:
			return 7, odd
		}
		return 2 * i, nil
	}) {
		w.signal.Store(goOn)
		c := &calls[int, int]{fn: fn, items: []int{10, 11, 12, 13, 14, 15}, out: make([]int, 6)}
		require.NoError(t, c.run(t.Context(), w, span{Lo: 1, Hi: 6}), name)
		require.Equal(t, 3, w.at, name)
		require.Equal(t, []int{0, 22, 24, 0, 0, 0}, c.out, name)
		w.signal.Store(goOn)
		require.ErrorIs(t, c.run(t.Context(), w, span{Lo: 3, Hi: 6}), odd, name)
		require.Equal(t, 4, w.at, name)
		require.Equal(t, []int{0, 22, 24, 26, 0, 0}, c.out, "%s: what comes with an error is not taken", name)
		require.Equal(t, span{Lo: 4, Hi: 5}, c.failed(w.at, span{Lo: 3, Hi: 6}), name)
		require.NoError(t, c.run(t.Context(), w, span{Lo: 5, Hi: 6}), name)
		require.Equal(t, 6, w.at, name)
		require.Equal(t, []int{0, 22, 24, 26, 0, 30}, c.out, name)
	}
}
