package concurrency

import (
	"time"

	"github.com/amorsize/amorsize/invalid"
)

// The defaults of a [Policy].
const (
	DefaultMin     = 1
	DefaultMax     = 1 << 14
	DefaultInitial = 16
)

// OnLimit says what happens to a call when the limit is reached.
type OnLimit int

const (
	// Wait makes it wait for its turn, first come, first served.
	Wait OnLimit = iota
	// Reject fails it at once, with a [*FullError].
	Reject
)

// Policy are the settings of a [Limiter]. The zero value begins with 16 calls in flight,
// finds the right number from there, and makes further calls wait.
type Policy struct {
	// Name is the name of the limiter in events and metrics; "concurrency" if it is
	// empty.
	Name string
	// Min and Max bound the limit, 1 ≤ Min ≤ Max; 0 is [DefaultMin] and [DefaultMax].
	// The same number for both is a fixed limit.
	Min, Max int
	// Initial is the first limit, from Min to Max; 0 is [DefaultInitial], or the nearest
	// of the bounds.
	Initial int
	// OnLimit is [Wait] or [Reject].
	OnLimit OnLimit
	// MaxWait bounds how long a call waits; 0 is no bound. A call that has waited that
	// long fails with a [*FullError].
	MaxWait time.Duration
	// MaxWaiting bounds how many calls wait; 0 is no bound. One more fails at once with a
	// [*FullError]. A server should set this or MaxWait: a queue that only grows makes
	// every answer late.
	MaxWaiting int
	// IsOverload reports whether an error means that the service was overloaded: it
	// refused the call or left it unanswered. That lowers the limit. nil means the errors
	// listed in the package documentation; a panic in it counts as false. It isn't called
	// for refusals of policies, nor for [context.Canceled].
	IsOverload func(error) bool
	// OnChange is called when the limit has changed. It is called outside any lock, by
	// the goroutine whose call made the change, and may call the limiter. A panic in it
	// has no effect: the first is logged by slog.Default, and Stats.Panics counts them,
	// also those of IsOverload.
	OnChange func(Change)
}

// Change is a change of the limit.
type Change struct {
	From, To int
	Reason   string // for people; empty for the ordinary steps that follow the service
}

func bad(field string, value any, want string) error {
	return &InvalidError{Package: "concurrency", Field: field, Value: value, Range: want}
}

// validate returns p with the defaults filled in.
func (p Policy) validate() (Policy, error) {
	if p.Min < 0 {
		return p, bad("Min", p.Min, "at least 1, or 0 for the default")
	}
	if p.Min == 0 {
		p.Min = DefaultMin
	}
	if p.Max == 0 {
		p.Max = max(p.Min, DefaultMax)
	}
	if p.Max < p.Min {
		return p, bad("Max", p.Max, "at least Min, or 0 for the default")
	}
	if p.Initial == 0 {
		p.Initial = min(max(p.Min, DefaultInitial), p.Max)
	}
	if p.Initial < p.Min || p.Initial > p.Max {
		return p, bad("Initial", p.Initial, "from Min to Max, or 0 for the default")
	}
	if p.OnLimit != Wait && p.OnLimit != Reject {
		return p, bad("OnLimit", int(p.OnLimit), "Wait or Reject")
	}
	if err := invalid.Duration("concurrency", "MaxWait", p.MaxWait); err != nil {
		return p, err
	}
	if p.MaxWaiting < 0 {
		return p, bad("MaxWaiting", p.MaxWaiting, "at least 1, or 0 for no bound")
	}
	return p, nil
}
