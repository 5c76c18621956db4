package executor

import (
	"context"
	"fmt"
	"hash/maphash"
	"reflect"
	"time"
)

// Policies that look at the item whose call they guard: at its key, or at what its call will cost. They
// can be mixed with other policies in Config.Policies, in any order. A run binds them, once for each
// worker, to the worker's current item, so that an item costs no closure and no allocation.

// KeyedPolicy is a policy for each key: a host, a tenant, an API key. Do guards a call for the key. It may
// have a method WouldWait(K) time.Duration, which returns how long a call for a key would have to wait
// now.
type KeyedPolicy[K comparable] interface {
	Do(ctx context.Context, key K, call func(context.Context) error) error
}

// CostPolicy is a policy for calls that each take an amount that is only estimated beforehand. DoCost
// waits for the estimate, makes the call, and settles with what the call actually cost: below 0 if that
// isn't known.
type CostPolicy interface {
	DoCost(ctx context.Context, estimated float64, call func(context.Context) (actual float64, err error)) error
}

// KeyedCostPolicy is a [CostPolicy] for each key. It may have a method WouldTake(K, float64)
// (time.Duration, error), which returns how long a call for a key would have to wait for an amount.
type KeyedCostPolicy[K comparable] interface {
	DoCost(ctx context.Context, key K, estimated float64, call func(context.Context) (actual float64, err error)) error
}

// itemPolicy is a policy that a run binds to its items.
type itemPolicy interface {
	Policy
	// valid is false if a part of it is missing.
	valid() bool
	// about names the types that it is for.
	about() string
}

// guardsItem is an itemPolicy for items of a type.
type guardsItem[T any] interface {
	Bind(current func() *T) Policy
}

// guardsCall is an itemPolicy for items of a type with results of another.
type guardsCall[T, R any] interface {
	Bind(current func() (*T, *R)) Policy
}

// lined is an itemPolicy that makes items wait by their key.
type lined[T any] interface {
	Line(item *T) uint64
	Wait(item *T) time.Duration
}

// unbound is an itemPolicy outside of a run.
type unbound struct{}

// Do implements [Policy]. Only the bound policy guards calls.
func (unbound) Do(context.Context, func(context.Context) error) error {
	return &ConfigError{"Policies", "a policy for items", "used by a run, as one of its policies"}
}

// ByKey returns a policy that guards each call by the policy of its item's key. keyOf is called several
// times for an item, by several goroutines at once: it must be fast, and always return the same key for an
// item.
//
// If the policy tells how long a call would wait, items are not run in their order: items whose key would
// have to wait are parked, items of other keys run meanwhile, and no worker waits for parked ones. For a
// run of batches T is the slice that a call is given, and nothing is parked.
func ByKey[T any, K comparable](policy KeyedPolicy[K], keyOf func(T) K) Policy {
	return &byKey[T, K]{policy: policy, keyed: keyed[T, K]{keyOf: keyOf, seed: maphash.MakeSeed()}}
}

// Cost returns a policy for calls that each take an amount: estimate returns how much before the call,
// used how much it was, below 0 if that isn't known. A nil used says that the estimate is exact.
func Cost[T, R any](policy CostPolicy, estimate func(T) float64, used func(R, error) float64) Policy {
	return &cost[T, R]{policy: policy, priced: priced[T, R]{estimate, used}, spent: new(spending)}
}

// CostByKey is [Cost] with a limiter for each key, as in [ByKey].
func CostByKey[T, R any, K comparable](policy KeyedCostPolicy[K], keyOf func(T) K, estimate func(T) float64, used func(R, error) float64) Policy {
	return &costByKey[T, R, K]{
		policy: policy, keyed: keyed[T, K]{keyOf: keyOf, seed: maphash.MakeSeed()}, priced: priced[T, R]{estimate, used},
	}
}

// keyed has the function for the key of an item.
type keyed[T any, K comparable] struct {
	unbound
	keyOf func(T) K
	seed  maphash.Seed
}

// Line returns a number for the key. Two keys almost never have the same number, and then would only wait
// for each other.
func (k *keyed[T, K]) Line(item *T) uint64 { return maphash.Comparable(k.seed, k.keyOf(*item)) }

type byKey[T any, K comparable] struct {
	policy KeyedPolicy[K]
	keyed[T, K]
}

func (p *byKey[T, K]) valid() bool   { return !missing(p.policy) && p.keyOf != nil }
func (p *byKey[T, K]) about() string { return typeName[T]() }

// Wait implements lined.
func (p *byKey[T, K]) Wait(item *T) time.Duration {
	if tells, ok := p.policy.(interface{ WouldWait(K) time.Duration }); ok {
		return tells.WouldWait(p.keyOf(*item))
	}
	return 0
}

// Bind implements guardsItem.
func (p *byKey[T, K]) Bind(current func() *T) Policy { return &boundKey[T, K]{p, current} }

// boundKey is a byKey bound to a worker.
type boundKey[T any, K comparable] struct {
	*byKey[T, K]
	current func() *T
}

// Do implements [Policy].
func (b *boundKey[T, K]) Do(ctx context.Context, call func(context.Context) error) error {
	return b.policy.Do(ctx, b.keyOf(*b.current()), call)
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }

// checkItemPolicies returns an error for a policy that is for items of another type.
func checkItemPolicies[T, R any](policies []Policy) error {
	for i, policy := range policies {
		p, ok := policy.(itemPolicy)
		if !ok {
			continue
		}
		field := fmt.Sprintf("Policies[%d]", i)
		if !p.valid() {
			return &ConfigError{field, "one that lacks a part", "a policy and its functions"}
		}
		_, item := policy.(guardsItem[T])
		_, call := policy.(guardsCall[T, R])
		if !item && !call {
			return &ConfigError{field, "one for items of " + p.about(), "for items of " + typeName[T]() + " with results of " + typeName[R]()}
		}
	}
	return nil
}

// bind returns the policies, with item policies bound to the current item of a worker.
func bind[T, R any](policies []Policy, current func() (*T, *R)) []Policy {
	bound := make([]Policy, len(policies))
	for i, policy := range policies {
		switch p := policy.(type) {
		case guardsItem[T]:
			bound[i] = p.Bind(func() *T { item, _ := current(); return item })
		case guardsCall[T, R]:
			bound[i] = p.Bind(current)
		default:
			bound[i] = policy
		}
	}
	return bound
}
