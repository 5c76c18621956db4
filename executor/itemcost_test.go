package executor

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// free is a policy for costs, in each of its forms.
type free struct{}

func (free) DoCost(ctx context.Context, _ float64, call func(context.Context) (float64, error)) error {
	_, err := call(ctx)
	return err
}

// freeByKey is one for keys.
type freeByKey struct{}

func (freeByKey) Do(ctx context.Context, _ int, call func(context.Context) error) error {
	return call(ctx)
}

func (freeByKey) DoCost(ctx context.Context, _ int, _ float64, call func(context.Context) (float64, error)) error {
	_, err := call(ctx)
	return err
}

// metered is a policy for costs that declares its rate.
type metered struct {
	free
	limiter
}

// The mean cost of a call is known after eight of them, and says how long a number of calls takes at least.
func TestSpending(t *testing.T) {
	b := budget{spent: new(spending), rate: 10, burst: 20}
	for range callsToTell - 1 {
		b.spent.add(5)
	}
	require.Zero(t, b.spent.mean(), "too few calls tell nothing")
	require.Zero(t, b.took(100))
	b.spent.add(13)
	require.InDelta(t, 6, b.spent.mean(), 1e-9)
	require.Equal(t, 58*time.Second, b.took(100), "600 for 100 calls, 20 of them at once, 10 a second")
	require.Zero(t, b.took(3))
	require.Greater(t, budget{spent: b.spent, rate: 1e-300}.took(1), 100*365*24*time.Hour)
	require.Less(t, budget{spent: b.spent, rate: 1e-300}.took(1), time.Duration(math.MaxInt64))
}

// A policy that lacks a part is not valid; one that is says what items and results it is for.
func TestValidItemPolicies(t *testing.T) {
	key := func(int) int { return 1 }
	estimate := func(int) float64 { return 1 }
	used := func(string, error) float64 { return 1 }
	for name, c := range map[string]struct {
		policy Policy
		valid  bool
		about  string
	}{
		"by key":                   {ByKey(freeByKey{}, key), true, "int"},
		"by key, no policy":        {ByKey[int, int](nil, key), false, "int"},
		"by key, no key":           {ByKey[int, int](freeByKey{}, nil), false, "int"},
		"cost":                     {Cost(free{}, estimate, used), true, "int with results of string"},
		"cost, no policy":          {Cost(nil, estimate, used), false, "int with results of string"},
		"cost, no estimate":        {Cost[int](free{}, nil, used), false, "int with results of string"},
		"cost by key":              {CostByKey(freeByKey{}, key, estimate, used), true, "int with results of string"},
		"cost by key, no policy":   {CostByKey[int, string, int](nil, key, estimate, used), false, "int with results of string"},
		"cost by key, no key":      {CostByKey[int, string, int](freeByKey{}, nil, estimate, used), false, "int with results of string"},
		"cost by key, no estimate": {CostByKey[int, string, int](freeByKey{}, key, nil, used), false, "int with results of string"},
	} {
		told, ok := c.policy.(interface {
			valid() bool
			about() string
		})
		require.True(t, ok, name)
		require.Equal(t, c.valid, told.valid(), name)
		require.Equal(t, c.about, told.about(), name)
	}
}

// Where a policy declares its rate, that is a limit on costs; a rate of 0 is none.
func TestBudgetOfACost(t *testing.T) {
	budgetOf := func(p CostPolicy) (budget, bool) {
		policy, ok := Cost(p, func(int) float64 { return 1 }, func(int, error) float64 { return 1 }).(interface{ Budget() (budget, bool) })
		require.True(t, ok)
		return policy.Budget()
	}
	_, ok := budgetOf(free{})
	require.False(t, ok)
	_, ok = budgetOf(metered{})
	require.False(t, ok)
	b, ok := budgetOf(metered{limiter: limiter{rate: 3, burst: 7}})
	require.True(t, ok)
	require.Equal(t, []float64{3, 7}, []float64{b.rate, b.burst})
}
