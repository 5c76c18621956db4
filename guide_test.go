package amorsize_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// The code of docs/model-apis.md.
func TestGuideOfModels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, prompts := t.Context(), make([]prompt, 100)
		for i := range prompts {
			prompts[i].words = 50 + i
		}
		ask := func(_ context.Context, p prompt) (reply, error) {
			time.Sleep(time.Second)
			return reply{p.words}, nil
		}
		tenantOf := func(p prompt) string { return "one" }
		retrier := retry.MustNew(retry.Policy{})

		requests := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 600.0 / 60})
		tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 60_000.0 / 60})
		estimate := func(p prompt) float64 { return float64(p.words) }
		used := func(r reply, _ error) float64 { return float64(r.tokens) }
		answers, err := amorsize.ExecuteContext(ctx, ask, prompts, amorsize.WithPolicies(retrier, requests, amorsize.Cost(tokens, estimate, used)))
		require.NoError(t, err)
		require.Equal(t, reply{149}, answers[99])

		tenants := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1000}, 0)
		perTenant := amorsize.CostByKey(tenants, tenantOf, estimate, used)
		_, err = amorsize.ExecuteContext(ctx, ask, prompts, amorsize.WithPolicies(perTenant))
		require.NoError(t, err)
	})
}
