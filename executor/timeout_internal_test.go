package executor

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What the function says is told behind the bound, unless it only says that the bound was reached.
func TestTextOfATimeout(t *testing.T) {
	odd := errors.New("odd")
	for err, want := range map[error]string{
		nil:                      "the call took longer than 1s",
		context.DeadlineExceeded: "the call took longer than 1s",
		odd:                      "the call took longer than 1s: odd",
		context.Canceled:         "the call took longer than 1s: context canceled",
	} {
		e := &TimeoutError{After: time.Second, Err: err}
		require.EqualError(t, e, want)
		require.ErrorIs(t, e, context.DeadlineExceeded)
		require.NotContains(t, e.Unwrap(), error(nil))
		require.Equal(t, errors.Is(err, odd), errors.Is(e, odd))
	}
}

// Without a bound a function is itself; the shortest bound is one, too.
func TestLeastBoundOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bounded := func(ctx context.Context, _ int) (bool, error) {
			_, ok := ctx.Deadline()
			return ok, nil
		}
		for d, want := range map[time.Duration]bool{0: false, 1: true, time.Second: true} {
			got, err := within(d, bounded)(t.Context(), 0)
			require.NoError(t, err)
			require.Equal(t, want, got, d)
			require.Nil(t, within[int, int](d, nil), "no function, no bound")
		}
	})
}

// A failure is the bound's where the bound has ended the call, and nothing else has before; a call that succeeds,
// however late, has.
func TestWhatABoundEnds(t *testing.T) {
	odd := errors.New("odd")
	sleeps := func(d time.Duration, err error) func(context.Context, int) (int, error) {
		return func(context.Context, int) (int, error) { time.Sleep(d); return 7, err }
	}
	cause := func(ctx context.Context, _ int) (int, error) {
		<-ctx.Done()
		return 7, fmt.Errorf("ended: %w", context.Cause(ctx))
	}
	for name, c := range map[string]struct {
		fn      func(context.Context, int) (int, error)
		parent  time.Duration // when the caller's context ends
		timeout bool
		text    string
	}{
		"it fails in time":         {sleeps(time.Second, odd), time.Hour, false, "odd"},
		"it fails late":            {sleeps(3*time.Second, odd), time.Hour, true, "the call took longer than 2s: odd"},
		"it succeeds late":         {sleeps(3*time.Second, nil), time.Hour, false, ""},
		"it says why itself":       {cause, time.Hour, true, "ended: the call took longer than 2s"},
		"it fails behind the run":  {sleeps(3*time.Second, odd), time.Second, false, "odd"},
		"it says that the run has": {cause, time.Second, false, "ended: the run is over"},
	} {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithTimeoutCause(t.Context(), c.parent, errors.New("the run is over"))
			defer cancel()
			result, err := within(2*time.Second, c.fn)(parent, 0)
			require.Equal(t, 7, result, name)
			_, timeout := errors.AsType[*TimeoutError](err)
			require.Equal(t, c.timeout, timeout, name)
			if c.text == "" {
				require.NoError(t, err, name)
			} else {
				require.EqualError(t, err, c.text, name)
			}
		})
	}
}

// The context of a call ends with the call: nothing that waits for it is left behind.
func TestContextOfABoundedCallEnds(t *testing.T) {
	var kept context.Context
	_, err := within(time.Hour, func(ctx context.Context, _ int) (int, error) {
		kept = ctx
		return 0, ctx.Err()
	})(t.Context(), 0)
	require.NoError(t, err)
	require.ErrorIs(t, kept.Err(), context.Canceled)
}
