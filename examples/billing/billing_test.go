package billing_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/examples/billing"
)

// The service refuses more than 25 calls a second, and is down for an hour from the fifth minute on.
func TestNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		usual := amorsizetest.Conditions{Slots: 8, Latency: amorsizetest.Lognormal(200*time.Millisecond, 0.5), Rate: 25, RetryAfter: true}
		down := usual
		down.Outage = amorsizetest.Refusing
		service := amorsizetest.New(usual, 1)
		service.At(5*time.Minute, down)
		service.At(65*time.Minute, usual)

		customers := make([]int, 24_000) // 20 minutes at 20 a second
		customers[7] = 7                 // whose bank declines
		charge := func(ctx context.Context, customer int) error {
			if err := service.Call(ctx); err != nil || customer != 7 {
				return err
			}
			return billing.ErrDeclined
		}
		err := billing.Run(t.Context(), charge, customers)
		require.ErrorIs(t, err, billing.ErrDeclined)
		require.ErrorContains(t, err, "1 failed: item 7:", "everybody else was charged")

		night := service.Timeline()
		assert.Zero(t, refused(night, amorsizetest.Throttled), "never faster than the service allows")
		assert.Less(t, refused(night, amorsizetest.Unavailable), 500, "and not banging at its door while it is down")
		assert.InDelta(t, 80, night.Until.Minutes(), 1)
	})
}

// refused is how many calls the service refused for a reason.
func refused(t amorsizetest.Timeline, why amorsizetest.Reason) (n int) {
	for _, call := range t.Ended {
		if err, ok := errors.AsType[*amorsizetest.RefusedError](call.Err); ok && err.Reason == why {
			n++
		}
	}
	return n
}
