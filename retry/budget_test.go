package retry_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/retry"
)

// The least of each setting, and what stands for 0.
func TestSettingsOfABudget(t *testing.T) {
	for _, c := range []struct {
		given                  retry.BudgetPolicy
		most, success, seconds float64
	}{
		{retry.BudgetPolicy{}, 100, 0.1, 1},
		{retry.BudgetPolicy{Ratio: 0.25, PerSecond: 0.5, Most: 10}, 10, 0.25, 0.5},
		{retry.BudgetPolicy{Most: 1}, 1, 0.1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			b, err := retry.NewBudget(c.given)
			require.NoError(t, err)
			require.EqualValues(t, c.most, b.Left())
			r := retry.MustNew(retry.Policy{MaxRetries: retry.Unlimited, InitialDelay: 1, MaxDelay: 1, Jitter: retry.JitterFull, Budget: b})
			calls := 0
			require.ErrorIs(t, r.Do(t.Context(), fails(&calls, errTest)), retry.ErrBudget)
			require.EqualValues(t, c.most+1, calls, "the last one that is left is one")
			require.Zero(t, b.Left())
			require.NoError(t, r.Do(t.Context(), fails(&calls, nil)))
			require.EqualValues(t, c.success, b.Left())
			time.Sleep(time.Second)
			require.EqualValues(t, min(c.most, c.success+c.seconds), b.Left())
		})
	}
	for _, p := range []retry.BudgetPolicy{{Ratio: math.Inf(1)}, {PerSecond: math.Inf(1)}, {Most: math.Inf(1)}, {PerSecond: -1}} {
		_, err := retry.NewBudget(p)
		require.ErrorIs(t, err, retry.ErrInvalid, "%+v", p)
	}
}

// What has come since counts for whoever asks next.
func TestBudgetFillsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.MustNewBudget(retry.BudgetPolicy{PerSecond: 2, Most: 2})
		r := retry.MustNew(retry.Policy{InitialDelay: 1, Jitter: retry.JitterFull, Budget: b})
		for range 3 {
			calls := 0
			require.ErrorIs(t, r.Do(t.Context(), func(context.Context) error { calls++; return errTest }), retry.ErrBudget)
			require.Equal(t, 3, calls)
			time.Sleep(time.Second)
		}
	})
}
