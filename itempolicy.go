package amorsize

import "github.com/amorsize/amorsize/executor"

// Policies that look at the item whose call they guard.
type (
	// KeyedPolicy is a policy for each key, such as [ratelimit.Keyed], [circuitbreaker.Keyed]
	// and [concurrency.Keyed]. See [executor.KeyedPolicy].
	KeyedPolicy[K comparable] = executor.KeyedPolicy[K]
	// CostPolicy is a policy for calls that take an amount each, such as
	// [ratelimit.Limiter]. See [executor.CostPolicy].
	CostPolicy = executor.CostPolicy
	// KeyedCostPolicy is a CostPolicy for each key, such as [ratelimit.Keyed].
	KeyedCostPolicy[K comparable] = executor.KeyedCostPolicy[K]
)

// ByKey returns a policy, for [WithPolicies], that guards each call by the policy of its
// item's key: a limiter or a breaker for each host, tenant or API key. It can be combined with
// other policies in any order.
//
//	amorsize.WithPolicies(retrier, amorsize.ByKey(breakers, hostOf), amorsize.ByKey(limiters, hostOf))
//
// keyOf is called several times for an item, by several goroutines at once: it must be fast,
// and always return the same key for an item.
//
// Items are then not run in their order, though results still come in order. Items whose key
// would have to wait are parked: they take no worker and delay no others, and items of other
// keys run meanwhile. So a list that is sorted by host takes no longer than a shuffled one,
// and a host that is down does not delay the items of other hosts. For each key at most one
// item occupies a worker while it waits, not counting items that wait between two attempts.
//
// A breaker configured to wait (circuitbreaker.Wait) parks the items of its key until it is
// half-open. A breaker that rejects, or would wait for longer than its MaxWait, fails them.
// For [ExecuteBatches], T is the slice that a call is given, and nothing is parked.
//
// It costs some 2 µs per item, because each item is claimed singly, and no allocation. If T is
// not the type of the run's items, the run returns a [*ConfigError].
func ByKey[T any, K comparable](policy KeyedPolicy[K], keyOf func(item T) K) Policy {
	return executor.ByKey(policy, keyOf)
}

// Cost returns a policy, for [WithPolicies], for calls that each take an amount that is only
// estimated beforehand, such as the tokens of a model. estimate returns how much a call will
// take, at least 0. used is called with what the call returned and returns how much it took,
// or a value below 0 if that isn't known: then the estimate stands, as it does if the call
// panics. A nil used means that the estimate is exact.
//
//	amorsize.WithPolicies(retrier, requestsPerMinute, amorsize.Cost(tokensPerMinute, estimate, used))
//
// Inside the retrier each attempt is charged; outside of it an item is charged once. The
// policy costs some 0.5 µs per attempt.
func Cost[T, R any](policy CostPolicy, estimate func(item T) float64, used func(result R, err error) float64) Policy {
	return executor.Cost(policy, estimate, used)
}

// CostByKey is [Cost] with a limiter for each key, as in [ByKey]: for example the tokens per
// minute of each tenant.
func CostByKey[T, R any, K comparable](policy KeyedCostPolicy[K], keyOf func(item T) K, estimate func(item T) float64, used func(result R, err error) float64) Policy {
	return executor.CostByKey(policy, keyOf, estimate, used)
}
