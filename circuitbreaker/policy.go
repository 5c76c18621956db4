package circuitbreaker

import (
	"fmt"
	"math"
	"time"

	"github.com/amorsize/amorsize/invalid"
)

// The defaults of a [Policy].
const (
	DefaultFailureThreshold = 5
	DefaultSuccessThreshold = 2
	DefaultOpenFor          = time.Minute
	DefaultHalfOpenProbes   = 1
	DefaultMinimumCalls     = 20
	DefaultWindow           = 10 * time.Second
)

// WhenOpen says what happens to a call that may not pass.
type WhenOpen int

const (
	// Reject fails it at once, with an [*OpenError].
	Reject WhenOpen = iota
	// Wait makes it wait for its turn, first come, first served.
	Wait
)

// Policy are the settings of a [Breaker]. The zero value opens after 5 failures in
// a row, for a minute, and closes after 2 successful probes, one at a time.
type Policy struct {
	// Name is the name of the breaker in events and metrics; "circuitbreaker" if it is
	// empty.
	Name string
	// FailureThreshold is how many failures in a row open the breaker, at least 1; 0
	// is [DefaultFailureThreshold]. They never expire: a slow outage opens it, too.
	FailureThreshold int
	// FailureRate also opens the breaker when this share of the calls within Window
	// failed, above 0 up to 1; 0 disables it.
	FailureRate float64
	// SlowCall is the least time of a call that counts as slow, and SlowCallRate the
	// share of slow calls within Window that opens the breaker, above 0 up to 1. Either
	// both are set or neither. A slow probe has failed. Waits in inner policies are part
	// of the call: with a limiter inside, allow for them.
	SlowCall     time.Duration
	SlowCallRate float64
	// MinimumCalls is how many calls there must be within Window for the rates to
	// count, at least 1; 0 is [DefaultMinimumCalls].
	MinimumCalls int
	// Window is how far back calls count for the rates, in steps of a tenth of it;
	// 0 is [DefaultWindow].
	Window time.Duration

	// OpenFor is how long the breaker stays open; 0 is [DefaultOpenFor].
	OpenFor time.Duration
	// HalfOpenProbes is how many calls may run at a time while half-open, at least
	// 1; 0 is [DefaultHalfOpenProbes].
	HalfOpenProbes int
	// SuccessThreshold is how many probes must succeed for the breaker to close, at
	// least 1; 0 is [DefaultSuccessThreshold].
	SuccessThreshold int
	// ProbeFailureRate opens the breaker again when that share of SuccessThreshold probes
	// has failed, above 0 up to 1: with 0.5 and 10, the fifth failure does, unless ten
	// have succeeded before. With 0 the first failure does.
	ProbeFailureRate float64
	// ProbeTimeout is how long a probe keeps its place; 0 is OpenFor. A later outcome
	// does not count.
	ProbeTimeout time.Duration

	// IsFailure reports whether an error is a failure of the service; with nil every
	// error is one, except those whose method Failure() bool returns false, as
	// transport.StatusError's may; a panic in IsFailure counts as true. An error that is
	// not a failure counts as a success: the service answered.
	IsFailure func(error) bool
	// IsNeutral reports whether an error says nothing about the service, and so is
	// neither a failure nor a success; nil and a panic in it count as false. It is asked
	// before IsFailure.
	IsNeutral func(error) bool
	// WhenOpen is [Reject] or [Wait].
	WhenOpen WhenOpen
	// MaxWait bounds how long a call waits; 0 is no bound.
	MaxWait time.Duration

	// OnOpen is called when the breaker opens, with the failures that made it open and
	// the error of the latest call that failed or was slow. That error is never nil, even
	// if a success completed the calls for a rate. OnHalfOpen and OnClose are called when
	// the breaker changes to those states. They are called outside any lock, by the
	// goroutine whose call made the change, and may call the breaker. A panic in them has
	// no effect: the first is logged by slog.Default, and Breaker.Panics counts them,
	// also those of IsFailure.
	OnOpen     func(failures int, last error)
	OnHalfOpen func()
	OnClose    func()
	// OnChange is also called at each of these changes, after the callbacks above.
	OnChange func(Change)
}

// Change is a change of a breaker's state.
type Change struct {
	From, To State
	Counts   Counts // at the time of the change
	Err      error  // of the latest call that failed or was slow; nil if there was none
}

// probeFailures is how many probes must fail for the breaker to open again.
func (p *Policy) probeFailures() int {
	return max(1, int(math.Ceil(p.ProbeFailureRate*float64(p.SuccessThreshold))))
}

func bad(field string, value any, want string) error {
	return &InvalidError{Package: "circuitbreaker", Field: field, Value: value, Range: want}
}

// validate returns p with the defaults filled in.
func (p Policy) validate() (Policy, error) {
	for _, n := range []struct {
		field string
		value *int
		usual int
	}{
		{"FailureThreshold", &p.FailureThreshold, DefaultFailureThreshold},
		{"SuccessThreshold", &p.SuccessThreshold, DefaultSuccessThreshold},
		{"HalfOpenProbes", &p.HalfOpenProbes, DefaultHalfOpenProbes},
		{"MinimumCalls", &p.MinimumCalls, DefaultMinimumCalls},
	} {
		if *n.value < 0 {
			return p, bad(n.field, *n.value, "at least 1, or 0 for the default")
		}
		if *n.value == 0 {
			*n.value = n.usual
		}
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		usual time.Duration
	}{
		{"OpenFor", &p.OpenFor, DefaultOpenFor},
		{"Window", &p.Window, DefaultWindow},
		{"ProbeTimeout", &p.ProbeTimeout, 0}, // see below
		{"SlowCall", &p.SlowCall, 0},
		{"MaxWait", &p.MaxWait, 0},
	} {
		if err := invalid.Duration("circuitbreaker", d.field, *d.value); err != nil {
			return p, err
		}
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if p.ProbeTimeout == 0 {
		p.ProbeTimeout = p.OpenFor
	}
	return p, p.validateRates()
}

func (p Policy) validateRates() error {
	for _, rate := range []struct {
		field string
		value float64
		zero  string
	}{{"FailureRate", p.FailureRate, "none"}, {"SlowCallRate", p.SlowCallRate, "none"}, {"ProbeFailureRate", p.ProbeFailureRate, "the first failure"}} {
		if !(rate.value >= 0 && rate.value <= 1) {
			return bad(rate.field, rate.value, "above 0 up to 1, or 0 for "+rate.zero)
		}
	}
	switch {
	case p.SlowCallRate > 0 && p.SlowCall == 0:
		return bad("SlowCall", p.SlowCall, fmt.Sprintf("above 0 where SlowCallRate is set (%g)", p.SlowCallRate))
	case p.SlowCall > 0 && p.SlowCallRate == 0:
		return bad("SlowCallRate", p.SlowCallRate, fmt.Sprintf("above 0 where SlowCall is set (%v)", p.SlowCall))
	case p.Window < windowSteps:
		return bad("Window", p.Window, fmt.Sprintf("at least %d ns", windowSteps))
	case p.WhenOpen != Reject && p.WhenOpen != Wait:
		return bad("WhenOpen", int(p.WhenOpen), "Reject or Wait")
	}
	return nil
}
