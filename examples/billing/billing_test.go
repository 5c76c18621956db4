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

// The service refuses more than 25 calls a second, and is down from the fifth minute to the tenth.
func TestNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		usual := amorsizetest.Conditions{Slots: 8, Latency: amorsizetest.Lognormal(200*time.Millisecond, 0.5), Rate: 25, RetryAfter: true}
		down := usual
		down.Outage = amorsizetest.Refusing
		service := amorsizetest.New(usual, 1)
		service.At(5*time.Minute, down)
		service.At(10*time.Minute, usual)

		customers := make([]int, 24_000) // 20 minutes at 20 a second
		charge := func(ctx context.Context, _ int) error { return service.Call(ctx) }
		require.NoError(t, billing.Run(t.Context(), charge, customers)) // everybody was charged

		night := service.Timeline()
		assert.Zero(t, refused(night, amorsizetest.Throttled), "never faster than the service allows")
		assert.Less(t, refused(night, amorsizetest.Unavailable), 200, "and not banging at its door while it is down")
		assert.InDelta(t, 25, night.Until.Minutes(), 1)
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
