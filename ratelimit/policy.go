package ratelimit

import (
	"fmt"
	"math"
	"time"

	"github.com/amorsize/amorsize/invalid"
)

// The defaults of a [Policy].
const (
	DefaultRate     = 10 // per second, the initial rate with Adapt
	DefaultMaxPause = 5 * time.Minute
)

// OnLimit says what happens to a call for which no token is available.
type OnLimit int

const (
	// Wait makes it wait for its turn.
	Wait OnLimit = iota
	// Reject fails it at once, with an [*ExceededError].
	Reject
)

// Policy are the settings of a [Limiter]: a rate at least, or Adapt.
type Policy struct {
	// Name is the name of the limiter in events and metrics; "ratelimit" if it is empty.
	Name string
	// RequestsPerSecond is how many tokens come per second, [MinRate] to [MaxRate]. There is
	// no default: a computed rate that is 0 by mistake must be an error. With Adapt it is the
	// initial rate, and 0 is [DefaultRate]. It is converted to the simplest fraction within
	// one part in 10^10, so that 0.1 is exactly one in ten seconds.
	RequestsPerSecond float64
	// BurstSize is the size of the bucket, which is full at first: that many calls may start
	// at once. At least 1; 0 is the rate per second, rounded half up and at least 1, or 1 if
	// Adapt is set. A service that allows 10 per second may not allow 10 in one millisecond:
	// set 1 for an even pace.
	BurstSize int
	// OnLimit is [Wait] or [Reject].
	OnLimit OnLimit
	// OnWaiting is called once for each call that has to wait, before the wait, with its
	// expected length: calls ahead may give up, and a pause or another rate may come. Under
	// several limits each gives its own expected wait. OnPause is called when a pause begins
	// or becomes longer, with its length from now on. Both are called like OnWait.
	OnWaiting func(wait time.Duration)
	OnPause   func(pause time.Duration)
	// OnWait is called once for each call that had to wait, after the wait, with its length;
	// also if the call then got no token. It is called outside any lock, by the goroutine
	// that waited. A panic in it changes nothing; see [Limiter.CallbackPanics].
	OnWait func(wait time.Duration)
	// IgnoreFeedback makes Do and Feedback ignore errors. Otherwise an error that has a
	// method RetryAfter() time.Duration pauses the limiter for that time: one answer of 429
	// pauses every caller, not only the one that got it.
	IgnoreFeedback bool
	// MaxPause bounds a pause that an error asks for; 0 is [DefaultMaxPause].
	MaxPause time.Duration
	// Adapt, if not nil, makes the limiter find the rate that the service accepts.
	Adapt *Adapt
}

func bad(field string, value any, want string) error {
	return &InvalidError{Package: "ratelimit", Field: field, Value: value, Range: want}
}

// validate returns p with the defaults filled in.
func (p Policy) validate() (Policy, error) {
	if p.RequestsPerSecond == 0 && p.Adapt != nil {
		p.RequestsPerSecond = DefaultRate
	}
	if err := validRate("RequestsPerSecond", p.RequestsPerSecond); err != nil {
		return p, err
	}
	switch {
	case p.BurstSize < 0:
		return p, bad("BurstSize", p.BurstSize, "at least 1, or 0 for the default")
	case p.OnLimit != Wait && p.OnLimit != Reject:
		return p, bad("OnLimit", int(p.OnLimit), "Wait or Reject")
	}
	if err := invalid.Duration("ratelimit", "MaxPause", p.MaxPause); err != nil {
		return p, err
	}
	if p.MaxPause == 0 {
		p.MaxPause = DefaultMaxPause
	}
	if p.Adapt != nil {
		adapt, err := p.Adapt.validate(p.RequestsPerSecond)
		if err != nil {
			return p, err
		}
		p.Adapt = &adapt
	}
	return p, nil
}

// burst is the size of the bucket. It need not fit in an int: if that has 32 bits, a default
// can be larger.
func (p Policy) burst() int64 {
	switch {
	case p.BurstSize > 0:
		return int64(p.BurstSize)
	case p.Adapt != nil:
		return 1
	}
	return int64(max(1, math.Round(p.RequestsPerSecond)))
}

func validRate(field string, perSecond float64) error {
	if !(perSecond >= MinRate && perSecond <= MaxRate) { // NaN is neither
		return bad(field, perSecond, fmt.Sprintf("%g to %g per second", MinRate, MaxRate))
	}
	return nil
}

// validBurst refuses a bucket that would take centuries to fill.
func validBurst(burst int64, r rate) error {
	fill := uint128{lo: uint64(burst)}.times(r.token).over(r.ticks)
	if burst >= 1 && fill < math.MaxInt64 {
		return nil
	}
	longest := uint128{lo: math.MaxInt64 - 1}.times(r.ticks)
	most := longest.plus(uint128{lo: 1}).over(r.token) - 1 // rounded down
	return bad("BurstSize", burst, fmt.Sprintf("1 to %d at %g per second, which fill in 292 years", most, r.perSecond()))
}
