package executor

import (
	"context"
	"fmt"
	"hash/maphash"
	"reflect"
	"time"
)

// Policies that look at the item whose call they guard: at a key that it has, at what its
// call will cost. Each stands in Config.Policies beside the others, in any order. A run
// binds them to the item that a worker has at a time, once for each worker, so that an item
// costs no closure and no allocation.

// KeyedPolicy is a policy for each key: a host, a tenant, an API key. Do guards a call for
// the key. It may tell, by a method WouldWait(K) time.Duration, how long a call for a key
// would have to wait if it came now.
type KeyedPolicy[K comparable] interface {
	Do(ctx context.Context, key K, call func(context.Context) error) error
}

// CostPolicy is a policy for calls that take an amount each, of which only an estimate is
// known before. DoCost waits for the estimate, makes the call, and settles by what the call
// turned out to cost: below 0 if that isn't known.
type CostPolicy interface {
	DoCost(ctx context.Context, estimated float64, call func(context.Context) (actual float64, err error)) error
}

// KeyedCostPolicy is a [CostPolicy] for each key. It may tell, by a method
// WouldTake(K, float64) (time.Duration, error), how long a call for a key would have to wait
// for an amount.
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

// lined is an itemPolicy that makes items wait by a key of theirs.
type lined[T any] interface {
	Line(item *T) uint64
	Wait(item *T) time.Duration
}

// unbound is what an itemPolicy is outside of a run.
type unbound struct{}

// Do implements [Policy]: it is the policy that was bound that guards calls.
func (unbound) Do(context.Context, func(context.Context) error) error {
	return &ConfigError{"Policies", "a policy for items", "used by a run, as one of its policies"}
}

// ByKey returns a policy that guards each call by that of its item's key. keyOf is called
// several times for an item, by several goroutines at once: it must be fast, and always
// say the same.
//
// Where the policy tells how long a call would wait, items are not run in their order: those
// of a key that would wait are parked, those of other keys run meanwhile, and no worker waits
// for them. For a run of batches T is the slice that a call is given, and nothing is parked.
func ByKey[T any, K comparable](policy KeyedPolicy[K], keyOf func(T) K) Policy {
	return &byKey[T, K]{policy: policy, keyed: keyed[T, K]{keyOf: keyOf, seed: maphash.MakeSeed()}}
}

// Cost returns a policy for calls that take an amount each: estimate says how much before
// the call, used how much it was, below 0 if that isn't known. A nil used says that the estimate is exact.
func Cost[T, R any](policy CostPolicy, estimate func(T) float64, used func(R, error) float64) Policy {
	return &cost[T, R]{policy: policy, priced: priced[T, R]{estimate, used}, spent: new(spending)}
}

// CostByKey is [Cost] with an amount for each key, as by [ByKey].
func CostByKey[T, R any, K comparable](policy KeyedCostPolicy[K], keyOf func(T) K, estimate func(T) float64, used func(R, error) float64) Policy {
	return &costByKey[T, R, K]{
		policy: policy, keyed: keyed[T, K]{keyOf: keyOf, seed: maphash.MakeSeed()}, priced: priced[T, R]{estimate, used},
	}
}

// keyed is what tells the key of an item.
type keyed[T any, K comparable] struct {
	unbound
	keyOf func(T) K
	seed  maphash.Seed
}

// Line returns a number for the key. That two keys have the same is next to impossible, and
// would only have them wait for each other.
func (k *keyed[T, K]) Line(item *T) uint64 { return maphash.Comparable(k.seed, k.keyOf(*item)) }

type byKey[T any, K comparable] struct {
	policy KeyedPolicy[K]
	keyed[T, K]
}

func (p *byKey[T, K]) valid() bool   { return p.policy != nil && p.keyOf != nil }
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

// boundKey is a byKey of a worker.
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

// bind returns the policies with those for items bound to the current one of a worker.
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
