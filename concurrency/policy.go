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

// OnLimit says what becomes of a call when as many are in flight as may be.
type OnLimit int

const (
	// Wait has it wait its turn, first come, first served.
	Wait OnLimit = iota
	// Reject fails it at once, with a [*FullError].
	Reject
)

// Policy are the settings of a [Limiter]. The zero value begins with 16 calls in
// flight, finds the number that is right from there, and has those beyond it wait.
type Policy struct {
	// Name is what events and metrics call the limiter; "concurrency" if it is empty.
	Name string
	// Min and Max bound the limit, 1 ≤ Min ≤ Max; 0 is [DefaultMin] and [DefaultMax].
	// The same number for both is a fixed limit.
	Min, Max int
	// Initial is the limit to begin with, from Min to Max; 0 is [DefaultInitial], or
	// what of the bounds is nearest.
	Initial int
	// OnLimit is [Wait] or [Reject].
	OnLimit OnLimit
	// MaxWait bounds how long a call waits; 0 does not. One that has waited so long in
	// vain fails with a [*FullError].
	MaxWait time.Duration
	// MaxWaiting bounds how many calls wait; 0 does not. One more fails at once with a
	// [*FullError]. A server should set it, or MaxWait: a line that only grows makes
	// every answer late.
	MaxWaiting int
	// IsOverload reports whether an error says that the service had no room for the
	// call: it refused it or left it unanswered. That lowers the limit. nil takes those
	// listed in the package documentation; a panic in it is no overload. It isn't asked
	// of errors by which a policy refused a call, nor of [context.Canceled].
	IsOverload func(error) bool
	// OnChange is called when the limit has changed. It is called outside any lock, by
	// the goroutine whose call made the change, and may call the limiter. A panic in it
	// changes nothing: the first is logged by slog.Default, and Stats.Panics counts them,
	// as those of IsOverload.
	OnChange func(Change)
}

// Change is one of the limit.
type Change struct {
	From, To int
	Reason   string // for a person; empty for the steps by which it follows the service
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
