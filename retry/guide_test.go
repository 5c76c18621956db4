package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// The code of docs/retry.md.
func TestGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, shops := t.Context(), []string{"a", "b"}
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
		errSoldOut := errors.New("sold out")
		calls := 0
		price := func(context.Context, string) (int, error) { return 7, nil }
		fetch := func(context.Context, string) (int, error) {
			calls++
			if calls == 1 {
				return 0, errors.New("just now")
			}
			return 7, nil
		}

		retrier := retry.MustNew(retry.Policy{MaxRetries: 5, AttemptTimeout: 10 * time.Second})
		prices, err := amorsize.ExecuteContext(ctx, fetch, shops, amorsize.WithPolicies(retrier, limiter))
		require.NoError(t, err)
		require.Equal(t, []int{7, 7}, prices)
		require.Equal(t, 3, calls)

		retrier = retry.MustNew(retry.Policy{RetryIf: func(err error) bool {
			return !errors.Is(err, errSoldOut) // would be sold out again
		}})
		fetch = func(ctx context.Context, shop string) (int, error) {
			if shop == "" {
				return 0, retry.Permanent(errors.New("no shop")) // no other attempt helps
			}
			return price(ctx, shop)
		}
		_, err = amorsize.ExecuteContext(ctx, fetch, []string{""}, amorsize.WithPolicies(retrier))
		require.EqualError(t, err, "item 0: no shop")
		require.ErrorIs(t, retrier.Do(ctx, func(context.Context) error { return errSoldOut }), errSoldOut)

		budget := retry.MustNewBudget(retry.BudgetPolicy{})
		retrier = retry.MustNew(retry.Policy{MaxRetries: 5, Budget: budget})

		_, err = retry.Call(ctx, retrier, func(ctx context.Context) (int, error) { return 0, errSoldOut })
		fmt.Println(errors.Is(err, retry.ErrExhausted), errors.Is(err, errSoldOut)) // true true
		require.ErrorIs(t, err, retry.ErrExhausted)
		require.ErrorIs(t, err, errSoldOut)
		require.Less(t, budget.Left(), float64(retry.DefaultBudgetMost))
	})
}
