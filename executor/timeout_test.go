package executor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// twice is a policy that tries a second time.
type twice struct{}

func (twice) Do(ctx context.Context, call func(context.Context) error) error {
	if err := call(ctx); err == nil {
		return nil
	}
	return call(ctx)
}

// Every seventh call takes long: it is ended in time, by a context that says why,
// and is an item's failure like any other. So it is with policies and batches.
func TestItemTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		if f.name == "plain" {
			return
		}
		const bound = 50 * time.Millisecond
		var report executor.Report
		out, err := f.run(t.Context(), func(ctx context.Context, i int) (int, error) {
			began, took := time.Now(), 10*time.Millisecond
			if i%7 == 3 {
				took = time.Hour
			}
			select {
			case <-time.After(took):
				return i + 1, nil
			case <-ctx.Done():
				require.LessOrEqual(t, time.Since(began), bound)
				cause, ok := errors.AsType[*executor.TimeoutError](context.Cause(ctx))
				require.True(t, ok)
				require.Equal(t, bound, cause.After)
				if i%2 == 0 {
					return 0, errOdd // not every library passes on why
				}
				return 0, ctx.Err()
			}
		}, sequence(200), executor.Config{ItemTimeout: bound, ChunkSize: 1, Errors: executor.Collect, Report: &report})
		all, ok := errors.AsType[*executor.Errors](err)
		require.True(t, ok, "%v", err)
		require.Len(t, all.Unwrap(), 29)
		for _, err := range all.Unwrap() {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			timeout, ok := errors.AsType[*executor.TimeoutError](err)
			require.True(t, ok)
			require.True(t, timeout.Timeout())
			require.ErrorContains(t, err, "the call took longer than 50ms")
		}
		require.ErrorIs(t, err, errOdd)
		for i, v := range out {
			require.Equal(t, i%7 != 3, report.Valid(i))
			require.Equal(t, i%7 != 3, v == i+1)
		}
		require.Less(t, report.Elapsed, time.Minute)
	})
}

// The bound is on one attempt, not on the item; and a run that ends is not a timeout.
func TestItemTimeoutIsOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound = 50 * time.Millisecond
		start, calls := time.Now(), 0
		out, err := executor.Run(t.Context(), executor.Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
			deadline, ok := ctx.Deadline()
			require.True(t, ok)
			require.Equal(t, bound, time.Until(deadline))
			if calls++; calls == 1 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			time.Sleep(bound - 1)
			return 7, nil
		}}, sequence(1), executor.Config{ItemTimeout: bound, Policies: []executor.Policy{twice{}}})
		require.NoError(t, err)
		require.Equal(t, []int{7}, out)
		require.Equal(t, 2*bound-1, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), bound/2)
		defer cancel()
		_, err = executor.Run(ctx, executor.Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}}, sequence(5), executor.Config{ItemTimeout: bound})
		_, ok := errors.AsType[*executor.CanceledError](err)
		require.True(t, ok, "%v", err)
		_, timeout := errors.AsType[*executor.TimeoutError](err)
		require.False(t, timeout)
	})
}

// A function without a context can't be told to stop.
func TestItemTimeoutNeedsAContext(t *testing.T) {
	plain := executor.Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
	cfg := executor.Config{ItemTimeout: time.Second}
	var invalid *executor.ConfigError
	_, err := executor.Run(t.Context(), plain, sequence(3), cfg)
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "ItemTimeout", invalid.Field)
	_, err = executor.Measure(t.Context(), plain, sequence(3), cfg)
	require.ErrorAs(t, err, &invalid)
	for r := range executor.Stream(t.Context(), plain, slices.Values(sequence(3)), cfg) {
		require.ErrorAs(t, r.Err, &invalid)
	}
	require.Error(t, (&executor.Config{ItemTimeout: -1}).Validate())
}

// A stream bounds its calls, too.
func TestItemTimeoutOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := 0
		fn := executor.Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
			if i%10 == 0 {
				<-ctx.Done()
				return 0, context.Cause(ctx)
			}
			return i, nil
		}}
		for r := range executor.Stream(t.Context(), fn, slices.Values(sequence(100)), executor.Config{ItemTimeout: time.Second, Errors: executor.Collect}) {
			if r.Err != nil {
				failed++
				require.ErrorIs(t, r.Err, context.DeadlineExceeded)
				require.Equal(t, time.Second, r.Duration)
			}
		}
		require.Equal(t, 10, failed)
	})
}
