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

// settled is a policy for costs that records the key, the estimate and the actual cost of each call.
type settled struct{ calls *[][]float64 }

func (s settled) DoCost(ctx context.Context, estimated float64, call func(context.Context) (float64, error)) error {
	actual, err := call(ctx)
	*s.calls = append(*s.calls, []float64{estimated, actual})
	return err
}

// settledByKey is one for keys.
type settledByKey struct{ settled }

func (s settledByKey) DoCost(ctx context.Context, key int, estimated float64, call func(context.Context) (float64, error)) error {
	actual, err := call(ctx)
	*s.calls = append(*s.calls, []float64{float64(key), estimated, actual})
	return err
}

// ran runs items through a policy, one after the other, of which those below 0 fail.
func ran(t *testing.T, items []int, policy Policy) (out []int) {
	t.Helper()
	out, err := Run(t.Context(), Func[int, int]{Plain: func(i int) (int, error) {
		if i < 0 {
			return 0, errKept
		}
		return 10 * i, nil
	}}, items, Config{Workers: 1, Errors: Collect, Policies: []Policy{policy}})
	if err != nil {
		require.ErrorIs(t, err, errKept)
	}
	return out
}

// A policy for costs gets the estimate before a call, and what its result or its error says that it cost after it.
func TestACallIsSettledWithWhatItCost(t *testing.T) {
	estimate := func(i int) float64 { return float64(100 + i) }
	used := func(result int, err error) float64 {
		if err != nil {
			return 0.5
		}
		return float64(result)
	}
	var calls [][]float64
	require.Equal(t, []int{0, 20, 0, 30}, ran(t, []int{0, 2, -1, 3}, Cost(settled{&calls}, estimate, used)))
	require.Equal(t, [][]float64{{100, 0}, {102, 20}, {99, 0.5}, {103, 30}}, calls)
	calls = nil
	ran(t, []int{0, 2, -1, 3}, CostByKey(settledByKey{settled{&calls}}, func(i int) int { return i % 2 }, estimate, used))
	require.Equal(t, [][]float64{{0, 100, 0}, {0, 102, 20}, {-1, 99, 0.5}, {1, 103, 30}}, calls)
	calls = nil
	ran(t, []int{2, -1}, Cost[int, int](settled{&calls}, estimate, nil))
	require.Equal(t, []float64{102, 99}, []float64{calls[0][0], calls[1][0]})
	require.Negative(t, calls[0][1], "not known: the estimate is exact")
	require.Negative(t, calls[1][1])
}

// The mean cost counts what calls have cost, with nothing as well, and the estimate where that is not known.
func TestWhatCallsHaveCostIsCounted(t *testing.T) {
	estimate := func(i int) float64 { return float64(i) }
	for name, c := range map[string]struct {
		used func(int, error) float64
		want float64
	}{
		"known": {func(result int, _ error) float64 { return float64(result) / 100 }, 0.1 + 0.2 + 0.3},
		"none":  {func(int, error) float64 { return 0 }, 0}, "half of one": {func(int, error) float64 { return 0.5 }, 1.5},
		"not known": {func(int, error) float64 { return -0.5 }, 1 + 2 + 3}, "the estimate": {nil, 1 + 2 + 3},
	} {
		policy, ok := Cost(metered{limiter: limiter{rate: 3, burst: 7}}, estimate, c.used).(*cost[int, int])
		require.True(t, ok)
		ran(t, []int{1, 2, 3}, policy)
		require.Equal(t, 3, policy.spent.calls, name)
		require.InDelta(t, c.want, policy.spent.amount, 1e-12, name)
	}
}

// A rate may be less than one a second.
func TestBudgetOfALowRate(t *testing.T) {
	policy, ok := Cost[int, int](metered{limiter: limiter{rate: 0.5, burst: 2}}, func(int) float64 { return 1 }, nil).(*cost[int, int])
	require.True(t, ok)
	b, ok := policy.Budget()
	require.True(t, ok)
	require.Equal(t, budget{spent: policy.spent, rate: 0.5, burst: 2}, b)
}

// queues tells how long a call for a key waits, for an amount or for a place.
type queues struct{ freeByKey }

func (queues) WouldWait(key int) time.Duration { return time.Duration(key) * time.Second }

func (queues) WouldTake(key int, n float64) (time.Duration, error) {
	if n > 100 {
		return 0, errKept
	}
	return time.Duration(key)*time.Minute + time.Duration(n), nil
}

// An item waits as long as the policy of its key tells; where that tells nothing, or fails, it does not wait.
func TestWaitOfAKey(t *testing.T) {
	key, estimate := func(i int) int { return i / 10 }, func(i int) float64 { return float64(i) }
	for _, c := range []struct {
		policy Policy
		item   int
		want   time.Duration
	}{
		{ByKey(queues{}, key), 30, 3 * time.Second}, {ByKey(queues{}, key), 9, 0}, {ByKey(freeByKey{}, key), 30, 0},
		{CostByKey[int, int](queues{}, key, estimate, nil), 31, 3*time.Minute + 31},
		{CostByKey[int, int](queues{}, key, estimate, nil), 101, 0}, {CostByKey[int, int](freeByKey{}, key, estimate, nil), 31, 0},
	} {
		of, ok := c.policy.(lined[int])
		require.True(t, ok)
		require.Equal(t, c.want, of.Wait(&c.item), c)
	}
}
