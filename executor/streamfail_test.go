package executor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/answer"
)

// failedItem is a runner at the second of three items, whose call has been made twice.
func failedItem(t *testing.T, mode ErrorMode) (*streaming[int, int], *worker) {
	r, w := claimed(t, 3, Func[int, int]{}, Config{Errors: mode}), &worker{}
	w.runner, w.tally, w.attempts, w.at = r, new(tally), 2, 1
	r.begin(w, span{Lo: 1, Hi: 2})
	r.open(1)
	r.cell.Value = 7
	return r, w
}

// A failed item is a result where failures are collected; else it ends the stream. What only says that the run has
// ended is neither.
func TestFailureOfAnItemOfAStream(t *testing.T) {
	odd := errors.New("odd")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		mode    ErrorMode
		ctx     context.Context
		err     error
		goesOn  bool
		failed  int
		stopped int
	}{
		"collected":                       {Collect, t.Context(), odd, true, 1, 0},
		"the first ends it":               {FailFast, t.Context(), odd, false, 0, 0},
		"cut off, collected":              {Collect, ended, context.Canceled, false, 0, 1},
		"cut off":                         {FailFast, ended, context.Canceled, false, 0, 1},
		"it fails at the end, collected":  {Collect, ended, odd, true, 1, 0},
		"it says so, and nothing has":     {Collect, t.Context(), context.Canceled, true, 1, 0},
		"it says so, and nothing has yet": {FailFast, t.Context(), context.Canceled, false, 0, 0},
	} {
		r, w := failedItem(t, c.mode)
		require.Equal(t, c.goesOn, r.survives(c.ctx, w, c.err), name)
		require.Equal(t, c.failed, w.failed, name)
		require.Equal(t, c.failed, w.tally.failures(), name)
		require.Zero(t, r.cell.Value, "%s: what failed has no value", name)
		item := &ItemError{Index: 1, Attempts: 2, Err: c.err}
		if c.failed == 1 {
			require.Equal(t, item, r.cell.Err, name)
		}
		require.Len(t, r.stopped, c.stopped, name)
		if c.stopped == 1 {
			require.Equal(t, Result[int, int]{Index: 1, Item: 1, Err: item}, r.stopped[0], name)
		}
		require.True(t, r.mu.TryLock(), name)
	}
}

// A call that ends its goroutine is handed over as the result of its item where failures are collected, and else ends
// the stream.
func TestGoexitOfAnItemOfAStream(t *testing.T) {
	want := Result[int, int]{Index: 1, Item: 1, Err: &ItemError{Index: 1, Attempts: 2, Err: ErrGoexit}}
	r, w := failedItem(t, Collect)
	r.cell.Value = 0 // the call has returned nothing
	require.NoError(t, newStreaming(r.stream).fail(w, span{Lo: 1, Hi: 2}, ErrGoexit), "its own runner is asked, whoever is")
	require.Equal(t, []Result[int, int]{want}, r.results)
	require.Equal(t, []span{{Lo: 1, Hi: 2}}, r.ranges)
	require.Equal(t, []int{1, 1}, []int{w.failed, w.tally.failures()})
	require.Nil(t, r.failure)
	require.True(t, r.mu.TryLock())

	r, w = failedItem(t, FailFast)
	require.Equal(t, want.Err, r.fail(w, span{Lo: 1, Hi: 2}, ErrGoexit))
	require.Empty(t, r.results)
	require.Equal(t, &want, r.failure)
	require.Zero(t, w.failed)
	require.True(t, r.mu.TryLock())
}

// unmadeCall is the error of a call that a policy within the function refused.
type unmadeCall struct{}

func (unmadeCall) Error() string          { return "refused" }
func (unmadeCall) Refused() time.Duration { return 0 }

// The error of an item is the function's own, without the mark that a decorator of a policy has put on it, however the
// item was run: alone, or in a claim of cheap ones.
func TestErrorOfAnItemHasNoMark(t *testing.T) {
	fn := Func[int, int]{Plain: func(int) (int, error) { return 0, answer.Unmade(unmadeCall{}) }}
	for _, claim := range []span{{Lo: 0, Hi: 1}, {Lo: 0, Hi: 3}} {
		r, w := claimed(t, 3, fn, Config{Errors: Collect}), &worker{}
		w.runner, w.itemNanos = r, 1
		require.NoError(t, r.run(t.Context(), w, claim))
		require.Len(t, r.results, claim.Len())
		for _, result := range r.results {
			require.Equal(t, unmadeCall{}, errors.Unwrap(result.Err))
		}
	}
	_, err := Run(t.Context(), fn, []int{1, 2}, Config{Errors: Collect})
	var failed *ItemError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, unmadeCall{}, failed.Err)
}
