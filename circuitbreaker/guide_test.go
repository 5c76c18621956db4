package circuitbreaker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/retry"
)

// The code of docs/circuit-breaker.md.
func TestGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, shops := t.Context(), []string{"de/a", "ch/b"}
		errNoSuchShop := errors.New("no such shop")
		countryOf := func(shop string) string { return shop[:2] }
		back := time.Now().Add(time.Minute)
		calls := 0
		fetch := func(context.Context, string) (int, error) {
			calls++
			if time.Now().Before(back) {
				return 0, errors.New("down")
			}
			return 7, nil
		}
		retrier := retry.MustNew(retry.Policy{MaxRetries: 10, MaxDelay: time.Second})

		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{OpenFor: 30 * time.Second, WhenOpen: circuitbreaker.Wait})
		prices, err := amorsize.ExecuteContext(ctx, fetch, shops, amorsize.WithPolicies(retrier, breaker))
		require.NoError(t, err)
		require.Equal(t, []int{7, 7}, prices)
		require.Less(t, calls, 12, "while it was open, nobody called")

		breaker = circuitbreaker.MustNew(circuitbreaker.Policy{
			FailureRate: 0.5, MinimumCalls: 20, Window: 10 * time.Second, // half of at least 20 calls within 10 s
			SlowCall: 5 * time.Second, SlowCallRate: 0.8, // or 80 % take 5 s or longer
		})
		require.NoError(t, breaker.Do(ctx, func(context.Context) error { return nil }))

		breaker = circuitbreaker.MustNew(circuitbreaker.Policy{
			IsFailure: func(err error) bool { return !errors.Is(err, errNoSuchShop) },
		})
		for range 10 {
			require.ErrorIs(t, breaker.Do(ctx, func(context.Context) error { return errNoSuchShop }), errNoSuchShop)
		}
		require.Equal(t, circuitbreaker.Closed, breaker.State())

		breakers := circuitbreaker.MustNewKeyed[string](circuitbreaker.Policy{OpenFor: time.Minute}, 0) // 0: the default, up to 10 000 keys
		policies := amorsize.WithPolicies(amorsize.ByKey(breakers, countryOf))
		prices, err = amorsize.ExecuteContext(ctx, fetch, shops, policies)
		require.NoError(t, err)
		require.Equal(t, []int{7, 7}, prices)
	})
}
