package retry

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// The defaults of a [BudgetPolicy].
const (
	DefaultBudgetRatio     = 0.1
	DefaultBudgetPerSecond = 1
	DefaultBudgetMost      = 100
)

// BudgetPolicy are the settings of a [Budget].
type BudgetPolicy struct {
	// Ratio is how many retries each success allows; 0 is [DefaultBudgetRatio].
	Ratio float64
	// PerSecond is how many retries are allowed per second regardless of successes; 0 is
	// [DefaultBudgetPerSecond].
	PerSecond float64
	// Most is how many retries can be saved up, which is also the initial number, at
	// least 1; 0 is [DefaultBudgetMost].
	Most float64
}

// Budget limits the retries of all calls that share it to a fraction of the successes
// plus a few per second (Google SRE Book, "Handling Overload"): when a service is down,
// retries add no more load than that. It is safe for concurrent use.
type Budget struct {
	p BudgetPolicy

	mu   sync.Mutex
	left float64
	at   time.Duration // when left was computed
}

// NewBudget returns a full budget, or an [*InvalidError].
func NewBudget(p BudgetPolicy) (*Budget, error) {
	for _, v := range []struct {
		field string
		value *float64
		usual float64
		least float64
	}{
		{"Ratio", &p.Ratio, DefaultBudgetRatio, 0},
		{"PerSecond", &p.PerSecond, DefaultBudgetPerSecond, 0},
		{"Most", &p.Most, DefaultBudgetMost, 1},
	} {
		if *v.value == 0 {
			*v.value = v.usual
		}
		if !(*v.value >= v.least) || math.IsInf(*v.value, 1) {
			return nil, bad("BudgetPolicy."+v.field, *v.value, fmt.Sprintf("at least %g and finite, or 0 for the default", v.least))
		}
	}
	return &Budget{p: p, left: p.Most, at: clock.Now()}, nil
}

// MustNewBudget is [NewBudget] for settings that are known to be valid; it panics if not.
func MustNewBudget(p BudgetPolicy) *Budget {
	b, err := NewBudget(p)
	if err != nil {
		panic(err)
	}
	return b
}

// Left returns how many retries are allowed now.
func (b *Budget) Left() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	return b.left
}

func (b *Budget) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+b.p.Ratio, b.p.Most)
}

// take takes one retry if there is one.
func (b *Budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func (b *Budget) refill() {
	now := clock.Now()
	b.left = min(b.left+max(0, (now-b.at).Seconds())*b.p.PerSecond, b.p.Most)
	b.at = now
}
