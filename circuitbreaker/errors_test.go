package circuitbreaker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/internal/answer"
)

// What the error of a refused call says, with and without what it waited for in vain.
func TestOpenError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, WhenOpen: circuitbreaker.Wait, MaxWait: time.Second})
		fail(t, b, 1)
		err := b.Do(t.Context(), returns(nil))
		require.EqualError(t, err, "circuitbreaker: open since 2000-01-01T00:00:00Z: retry after 1m0s")
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		after, refused := answer.Refused(err)
		require.True(t, refused)
		require.Equal(t, time.Minute, after)

		b = circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, WhenOpen: circuitbreaker.Wait})
		fail(t, b, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = b.Do(ctx, returns(nil))
		require.EqualError(t, err, "circuitbreaker: open since 2000-01-01T00:00:00Z: retry after 1m0s: context deadline exceeded")
	})
}

// A context that has ended already is told with its cause, if that is another error.
func TestEndedContext(t *testing.T) {
	b := circuitbreaker.MustNew(circuitbreaker.Policy{})
	never := func(context.Context) error { panic("not called") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.EqualError(t, b.Do(ctx, never), "context canceled")
	_, err := b.Allow(ctx)
	require.EqualError(t, err, "context canceled")
	caused, end := context.WithCancelCause(t.Context())
	end(errors.New("shut down"))
	require.EqualError(t, b.Do(caused, never), "context canceled: shut down")
}

// The mark of a call that an inner policy did not make is taken off.
func TestMarkComesOff(t *testing.T) {
	b := circuitbreaker.MustNew(circuitbreaker.Policy{})
	require.Equal(t, refused(3), b.Do(t.Context(), returns(answer.Unmade(refused(3)))))
}
