package executor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of the policies, the lowest rate counts, with its burst; what is declared for amounts is kept for itself, since a call's
// amount is not known.
func TestRatesOfPolicies(t *testing.T) {
	estimate := func(int) float64 { return 1 }
	cfg := Config{Policies: []Policy{
		passing{}, Cost[int, int](free{}, estimate, nil), limiter{rate: 0, burst: 1}, limiter{rate: 5, burst: 2},
		Cost[int, int](metered{limiter: limiter{rate: 3, burst: 7}}, estimate, nil), limiter{rate: 4, burst: 3}, limiter{rate: 4, burst: 9},
		Cost[int, int](metered{limiter: limiter{burst: 7}}, estimate, nil),
	}}
	cfg.askRate()
	require.InDelta(t, 4, cfg.rate, 0)
	require.InDelta(t, 3, cfg.burst, 0)
	require.Len(t, cfg.budgets, 1)
	require.InDelta(t, 3, cfg.budgets[0].rate, 0)
	require.InDelta(t, 7, cfg.budgets[0].burst, 0)

	none := Config{Policies: []Policy{passing{}}}
	none.askRate()
	require.Zero(t, none.rate)
	require.Empty(t, none.budgets)
}

// What is nil, or a nil pointer, is missing, and so is a nil context.
func TestMissing(t *testing.T) {
	var nobody *memoryKeeper
	require.True(t, missing(nil))
	require.True(t, missing(nobody))
	require.False(t, missing(&memoryKeeper{}))
	require.False(t, missing(passing{}))
	require.ErrorIs(t, (&Config{}).check(nil), ErrConfig) //nolint:staticcheck // that is what is refused
	require.NoError(t, (&Config{}).check(context.Background()))
}
