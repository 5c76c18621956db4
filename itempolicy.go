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
	// KeyedCostPolicy is one for each key, such as [ratelimit.Keyed].
	KeyedCostPolicy[K comparable] = executor.KeyedCostPolicy[K]
)

// ByKey returns a policy, for [WithPolicies], that guards each call by that of its item's
// key: a limiter or a breaker for each host, tenant, API key. It stands among other policies
// in any order.
//
//	amorsize.WithPolicies(retrier, amorsize.ByKey(breakers, hostOf), amorsize.ByKey(limiters, hostOf))
//
// keyOf is called several times for an item, by several goroutines at once: it must be fast,
// and always say the same.
//
// Items are then not run in their order, though their results still are: those of a key that
// would wait are parked, and take neither a worker nor the place of others; those of other
// keys run meanwhile. So a list that is sorted by host takes no longer than one that is
// shuffled, and a host that is down holds up nobody else's items. Of each key at most one item
// occupies a worker while it waits; items between two attempts of theirs do not count.
//
// A breaker that is to wait (circuitbreaker.Wait) parks the items of its key until it is
// half-open. One that rejects, or would wait for longer than its MaxWait, refuses them. For
// [ExecuteBatches], T is the slice that a call is given, and nothing is parked.
//
// It costs some 2 µs an item, each of which is claimed by itself, and no allocation. If T is
// not the type of the run's items, the run returns a [*ConfigError].
func ByKey[T any, K comparable](policy KeyedPolicy[K], keyOf func(item T) K) Policy {
	return executor.ByKey(policy, keyOf)
}

// Cost returns a policy, for [WithPolicies], for calls that take an amount each, of which
// only an estimate is known before: the tokens of a model. estimate says how much a call
// will take, at least 0; used, which is given what the call returned, how much it took, and
// below 0 if that isn't known: the estimate stands then, as it does if the call panics. A
// nil used says that it is exact.
//
//	amorsize.WithPolicies(retrier, requestsPerMinute, amorsize.Cost(tokensPerMinute, estimate, used))
//
// Within the retrier each attempt pays for itself, outside of it an item pays once. It costs
// some 0.5 µs an attempt.
func Cost[T, R any](policy CostPolicy, estimate func(item T) float64, used func(result R, err error) float64) Policy {
	return executor.Cost(policy, estimate, used)
}

// CostByKey is [Cost] with an amount for each key, as by [ByKey]: the tokens per minute of
// each tenant.
func CostByKey[T, R any, K comparable](policy KeyedCostPolicy[K], keyOf func(item T) K, estimate func(item T) float64, used func(result R, err error) float64) Policy {
	return executor.CostByKey(policy, keyOf, estimate, used)
}
