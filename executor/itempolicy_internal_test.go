package executor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// keysSeen is a policy for keys that records the key of each call.
type keysSeen struct{ keys *[]string }

func (k keysSeen) Do(ctx context.Context, key string, call func(context.Context) error) error {
	*k.keys = append(*k.keys, key)
	return call(ctx)
}

// Each call is guarded by the policy of its own item's key, whatever other policies there are.
func TestEachCallIsGuardedByItsKey(t *testing.T) {
	var first, second []string
	policies := []Policy{
		ByKey(keysSeen{&first}, func(s string) string { return s[:1] }), passing{}, ByKey(keysSeen{&second}, func(s string) string { return s[1:] }),
	}
	out, err := Run(t.Context(), Func[string, int]{Plain: func(s string) (int, error) { return len(s), nil }},
		[]string{"ab", "acd", "be", "bf"}, Config{Workers: 1, Policies: policies})
	require.NoError(t, err)
	require.Equal(t, []int{2, 3, 2, 2}, out)
	require.Equal(t, []string{"a", "a", "b", "b"}, first)
	require.Equal(t, []string{"b", "cd", "e", "f"}, second)
}

// A policy for items guards no calls by itself.
func TestAPolicyForItemsIsUsedByARun(t *testing.T) {
	policy := ByKey(keysSeen{}, func(s string) string { return s })
	err := policy.Do(t.Context(), func(context.Context) error { t.Error("it was called"); return nil })
	require.ErrorIs(t, err, ErrConfig)
	require.ErrorContains(t, err, "Policies")
}

// Policies that are for other items or results, or lack a part, are refused with their place.
func TestPoliciesForOtherItems(t *testing.T) {
	key := func(s string) string { return s }
	lacks := ByKey[string, string](keysSeen{}, nil)
	estimate := func(string) float64 { return 1 }
	for name, c := range map[string]struct {
		policy Policy
		says   string
	}{
		"a key of other items": {ByKey(keysSeen{}, key), "one for items of string"},
		"a cost of others":     {Cost[string, int](free{}, estimate, nil), "one for items of string with results of int"},
		"other results":        {Cost[int, string](free{}, func(int) float64 { return 1 }, nil), "one for items of int with results of string"},
		"lacks a part":         {lacks, "one that lacks a part"},
	} {
		err := checkItemPolicies[int, int]([]Policy{passing{}, c.policy})
		require.ErrorContains(t, err, "Policies[1]", name)
		require.ErrorContains(t, err, c.says, name)
	}
	require.NoError(t, checkItemPolicies[string, int]([]Policy{passing{}, ByKey(keysSeen{}, key), Cost[string, int](free{}, estimate, nil)}))
	require.NoError(t, checkItemPolicies[int, int](nil))
	err := checkItemPolicies[int, bool]([]Policy{ByKey(keysSeen{}, key)})
	require.ErrorContains(t, err, "for items of int with results of bool")
}

// Items of the same key are in the same line, by whatever policy, and other keys have lines of their own.
func TestItemsOfAKeyAreInOneLine(t *testing.T) {
	key := func(i int) int { return i % 10 }
	for _, policy := range []Policy{ByKey(freeByKey{}, key), CostByKey[int, int](freeByKey{}, key, func(int) float64 { return 1 }, nil)} {
		of, ok := policy.(lined[int])
		require.True(t, ok)
		lines := map[uint64]int{}
		for i := range 100 {
			lines[of.Line(&i)]++
		}
		require.Len(t, lines, 10)
		for _, items := range lines {
			require.Equal(t, 10, items)
		}
	}
}
