package concurrency

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type retryAfterError struct{}

func (retryAfterError) Error() string             { return "come back later" }
func (retryAfterError) RetryAfter() time.Duration { return time.Second }

// What an error says of how much the service takes.
func TestJudge(t *testing.T) {
	l := MustNew(Policy{})
	for _, c := range []struct {
		err  error
		want outcome
	}{
		{nil, answered},
		{errOther, unknown},
		{statusError(404), unknown},
		{statusError(500), unknown},
		{statusError(502), lost},
		{statusError(503), lost},
		{statusError(504), lost},
		{statusError(429), throttled},
		{retryAfterError{}, throttled},
		{context.DeadlineExceeded, late},
		{fmt.Errorf("call: %w", context.DeadlineExceeded), late},
		{context.Canceled, unknown},
		{&FullError{}, unknown}, // of another limiter, within the call
		{fmt.Errorf("%w: %w", statusError(503), context.Canceled), unknown},
	} {
		require.Equal(t, c.want, l.judge(c.err), "%v", c.err)
	}

	own := MustNew(Policy{IsOverload: func(err error) bool { return errors.Is(err, errOther) }})
	require.Equal(t, lost, own.judge(errOther))
	require.Equal(t, unknown, own.judge(statusError(503)))
	require.Equal(t, unknown, own.judge(&FullError{}))

	sick := MustNew(Policy{IsOverload: func(error) bool { panic("no") }})
	require.Equal(t, unknown, sick.judge(statusError(503)))
	require.EqualValues(t, 1, sick.Stats().Panics)
}

// Each is told to the law as what it is.
func TestOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := dialled(Policy{}, 10)
		take := func(took time.Duration, err error) {
			p, ok := l.TryAcquire()
			require.True(t, ok)
			time.Sleep(took)
			p.Done(err)
		}
		take(ms, nil)
		take(ms, errOther)
		take(ms, statusError(503))
		take(ms, statusError(503))
		take(ms, statusError(429))
		require.Equal(t, []int{1, 3, 1}, []int{d.done, d.lost, d.refused})

		take(ms, context.DeadlineExceeded)
		require.Equal(t, 4, d.lost, "nobody knows yet what a call takes")
		d.due, d.latency = true, 20*ms
		take(ms, nil)
		take(19*ms, context.DeadlineExceeded)
		require.Equal(t, 4, d.lost, "it was not given the time that a call takes")
		take(20*ms, context.DeadlineExceeded)
		require.Equal(t, 5, d.lost)
	})
}

// A review is told of what is in flight, and whether there are more than may be.
func TestReviews(t *testing.T) {
	l, d := dialled(Policy{}, 3)
	var permits []Permit
	for range 3 {
		p, ok := l.TryAcquire()
		require.True(t, ok)
		permits = append(permits, p)
	}
	require.True(t, d.conditions.Open)
	d.due = true
	permits[0].Done(nil)
	require.True(t, d.conditions.Saturated, "nobody wants more")
	permits[0], _ = l.TryAcquire()
	_, ok := l.TryAcquire()
	require.False(t, ok)
	permits[0].Done(nil)
	require.False(t, d.conditions.Saturated)
	permits[0], _ = l.TryAcquire()
	d.limit = 1
	permits[0].Done(nil)
	require.Equal(t, 2, d.open)
	require.True(t, d.conditions.Saturated)
	permits[2].Done(nil)
	require.Equal(t, 1, d.open)
	permits[1].Done(nil)
}
