package executor

import (
	"context"
	"math"
	"sync"
	"time"
)

// Policies for calls that each cost an amount.

// priced has the functions that say what a call costs.
type priced[T, R any] struct {
	estimate func(T) float64
	used     func(R, error) float64
}

type cost[T, R any] struct {
	unbound
	policy CostPolicy
	priced[T, R]
	spent *spending
}

// spending is what calls have cost so far, in all runs that use the policy.
type spending struct {
	mu     sync.Mutex
	calls  int
	amount float64
}

func (s *spending) add(amount float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.amount += amount
}

// callsToTell is how many calls are needed to know the mean cost.
const callsToTell = 8

// mean returns the mean cost of a call, 0 as long as too few calls have been made.
func (s *spending) mean() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls < callsToTell {
		return 0
	}
	return s.amount / float64(s.calls)
}

// budget is a limit on the rate of amounts.
type budget struct {
	spent       *spending
	rate, burst float64 // amount per second, and at once
}

// took returns the least time for a number of calls, 0 if that isn't known.
func (b budget) took(calls int) time.Duration {
	took := max(0, float64(calls)*b.spent.mean()-b.burst) / b.rate * float64(time.Second)
	return time.Duration(min(took, math.MaxInt64/2))
}

// Budget returns the limit of the policy, if it declares its rate.
func (p *cost[T, R]) Budget() (b budget, ok bool) {
	told, ok := p.policy.(paced)
	if !ok || told.Rate() <= 0 {
		return b, false
	}
	return budget{p.spent, told.Rate(), float64(told.Burst())}, true
}

func (p *cost[T, R]) valid() bool   { return !missing(p.policy) && p.estimate != nil }
func (p *cost[T, R]) about() string { return typeName[T]() + " with results of " + typeName[R]() }

// Bind implements guardsCall.
func (p *cost[T, R]) Bind(current func() (*T, *R)) Policy {
	b := &boundCost[T, R]{priced: p.priced, current: current, spent: p.spent}
	b.do = func(ctx context.Context, _ *T, estimated float64) error {
		return p.policy.DoCost(ctx, estimated, b.attempt)
	}
	return b.made()
}

type costByKey[T, R any, K comparable] struct {
	policy KeyedCostPolicy[K]
	keyed[T, K]
	priced[T, R]
}

func (p *costByKey[T, R, K]) valid() bool {
	return !missing(p.policy) && p.keyOf != nil && p.estimate != nil
}

func (p *costByKey[T, R, K]) about() string {
	return typeName[T]() + " with results of " + typeName[R]()
}

// Wait implements lined.
func (p *costByKey[T, R, K]) Wait(item *T) time.Duration {
	tells, ok := p.policy.(interface {
		WouldTake(K, float64) (time.Duration, error)
	})
	if !ok {
		return 0
	}
	wait, _ := tells.WouldTake(p.keyOf(*item), p.estimate(*item)) // the call will return the error
	return wait
}

// Bind implements guardsCall.
func (p *costByKey[T, R, K]) Bind(current func() (*T, *R)) Policy {
	b := &boundCost[T, R]{priced: p.priced, current: current}
	b.do = func(ctx context.Context, item *T, estimated float64) error {
		return p.policy.DoCost(ctx, p.keyOf(*item), estimated, b.attempt)
	}
	return b.made()
}

// boundCost is a cost bound to a worker. It makes one call at a time.
type boundCost[T, R any] struct {
	priced[T, R]
	current func() (*T, *R)
	spent   *spending // nil if not needed
	do      func(ctx context.Context, item *T, estimated float64) error
	attempt func(context.Context) (float64, error)
	call    func(context.Context) error // the call in progress
}

// made returns b with its one closure, which all attempts use.
func (b *boundCost[T, R]) made() *boundCost[T, R] {
	b.attempt = func(ctx context.Context) (actual float64, err error) {
		err = b.call(ctx)
		actual = b.cost(err)
		if b.spent != nil {
			if actual >= 0 {
				b.spent.add(actual)
			} else {
				item, _ := b.current()
				b.spent.add(b.estimate(*item))
			}
		}
		return actual, err
	}
	return b
}

// cost returns what a call that returned err has cost.
func (b *boundCost[T, R]) cost(err error) float64 {
	if b.used == nil {
		return -1
	}
	_, result := b.current()
	return b.used(*result, err)
}

// Do implements [Policy].
func (b *boundCost[T, R]) Do(ctx context.Context, call func(context.Context) error) error {
	item, _ := b.current()
	b.call = call
	return b.do(ctx, item, b.estimate(*item))
}
