package amorsize_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
)

// waiting takes so long, or until its context ends.
func waiting(d time.Duration) func(context.Context, int) (int, error) {
	return func(ctx context.Context, i int) (int, error) {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(d):
			return i, nil
		}
	}
}

// Whatever a cancelled stream has taken from its input is told: the input may be a
// queue or a cursor that will not give it again.
func TestStreamTellsWhatItTook(t *testing.T) {
	errWhy := errors.New("why")
	for _, opts := range [][]amorsize.Option{nil, {amorsize.WithUnordered()}, {amorsize.WithErrors(amorsize.Collect)}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, errWhy)
			defer cancel()
			taken, notRun, told := 0, 0, map[int]bool{}
			var last amorsize.Result[int, int]
			for r := range amorsize.Stream(ctx, waiting(20*time.Millisecond), func(yield func(int) bool) {
				for i := 0; ; i++ {
					taken++
					if !yield(i) {
						return
					}
				}
			}, append(opts, amorsize.WithMaxWorkers(8))...) {
				if last = r; r.Index < 0 {
					continue
				}
				require.False(t, told[r.Index])
				told[r.Index] = true
				require.Equal(t, r.Index, r.Item)
				if errors.Is(r.Err, amorsize.ErrNotRun) {
					notRun++
					item, _ := errors.AsType[*amorsize.ItemError](r.Err)
					assert.Zero(t, item.Attempts)
					assert.Equal(t, r.Index, item.Index)
				}
				if r.Err != nil {
					require.ErrorIs(t, r.Err, context.DeadlineExceeded)
					require.ErrorIs(t, r.Err, errWhy)
				}
			}
			assert.Len(t, told, taken)
			assert.Equal(t, -1, last.Index)
			_, isCanceled := errors.AsType[*amorsize.CanceledError](last.Err)
			assert.True(t, isCanceled)
			assert.Positive(t, notRun)
			// For each of 8 workers: an item that it has claimed, and two that have arrived.
			assert.LessOrEqual(t, notRun, 3*8, "a small multiple of the calls in flight")
		})
	}
}

// A stream whose input waits can't be interrupted, but one of a channel can.
func TestStreamOfChannelEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		items := make(chan int)
		go func() { items <- 1 }()
		start, n := time.Now(), 0
		for r := range amorsize.Stream(ctx, waiting(time.Millisecond), amorsize.FromChannel(ctx, items)) {
			if n++; n == 2 {
				require.ErrorIs(t, r.Err, context.DeadlineExceeded)
			}
		}
		assert.Equal(t, 2, n)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestEngineStreamsSeq2(t *testing.T) {
	errInput := errors.New("input")
	engine, err := amorsize.New(waiting(0), amorsize.WithErrors(amorsize.Collect))
	require.NoError(t, err)
	var input iter.Seq2[int, error] = func(yield func(int, error) bool) {
		_ = yield(7, nil) && yield(8, nil) && yield(0, errInput)
	}
	for range 2 {
		var got []int
		var last error
		for r := range engine.StreamSeq2(t.Context(), input) {
			got, last = append(got, r.Item), r.Err
		}
		assert.Equal(t, []int{7, 8, 0}, got)
		assert.Equal(t, errInput, last)
	}
	for r := range engine.StreamSeq2(t.Context(), input, amorsize.WithWindow(-1)) {
		assert.ErrorIs(t, r.Err, amorsize.ErrConfig)
	}
	for r := range amorsize.StreamSeq2(t.Context(), waiting(0), iter.Seq2[int, error](nil)) {
		assert.ErrorIs(t, r.Err, amorsize.ErrConfig)
	}
}
