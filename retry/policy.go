package retry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/amorsize/amorsize/invalid"
)

// How often a call is retried, in Policy.MaxRetries.
const (
	Unlimited = -1
	NoRetries = math.MinInt // the call is made once
)

// The defaults of a [Policy].
const (
	DefaultMaxRetries   = 3
	DefaultInitialDelay = 100 * time.Millisecond
	DefaultMaxDelay     = time.Minute
	DefaultMultiplier   = 2
)

// Jitter says how delays are spread, so that calls that failed together don't come back
// together. Delays are first cut to MaxDelay and then spread, so they differ at the cap,
// too, and never exceed it. If a service or a policy says how long to wait, the delay is
// that plus up to a tenth, never less.
type Jitter int

const (
	// JitterEqual is the exponential delay and up to 25 % more or less.
	JitterEqual Jitter = iota
	// JitterFull is anything from 0 to the exponential delay.
	JitterFull
	// JitterDecorrelated is anything from InitialDelay to three times the previous such
	// delay; delays that the service asked for don't count, and Multiplier is not used.
	// (Both: Marc Brooker, "Exponential Backoff And Jitter", AWS 2015.)
	JitterDecorrelated
	// JitterNone is the exponential delay, or exactly what was asked for.
	JitterNone
)

const (
	equalJitter = 0.25 // the share of JitterEqual
	askedJitter = 0.1  // of a delay that was asked for
)

// maxRefusals is how often in a row a call may be refused before the retrier gives up.
// The waits grow to MaxDelay, so that takes about 90 times MaxDelay.
const maxRefusals = 100

// Policy are the settings of a [Retrier]. The zero value retries any error three
// times, after about 100, 200 and 400 ms.
type Policy struct {
	// Name is the name of the retrier in events and metrics; "retry" if it is empty.
	Name string
	// MaxRetries is how often a failed call is repeated, at least 1; 0 is
	// [DefaultMaxRetries]. Or [Unlimited], or [NoRetries].
	MaxRetries int
	// InitialDelay is the delay before the first retry; 0 is
	// [DefaultInitialDelay], or MaxDelay if that is less.
	InitialDelay time.Duration
	// MaxDelay bounds every delay, after jitter; 0 is [DefaultMaxDelay]. At least
	// InitialDelay. If a service asks for more, the retries end at once with
	// [ErrMaxDelay], since it must not be called earlier than it asked.
	MaxDelay time.Duration
	// Multiplier is the factor by which delays grow, at least 1; 0 is
	// [DefaultMultiplier].
	Multiplier float64
	// Jitter spreads the delays.
	Jitter Jitter
	// RetryIf reports whether an error is worth a retry; nil retries all. It isn't
	// asked about errors marked with [Permanent], or about calls that were refused
	// before they were made.
	RetryIf func(error) bool
	// OnRetry is called before each delay, with the error, the number of the attempt
	// that failed, from 1, and the delay. A panic in it changes nothing: the first is
	// logged by slog.Default, and Retrier.Panics counts them.
	OnRetry func(err error, attempt int, delay time.Duration)
	// AttemptTimeout ends the context of each attempt after that time; 0 means no
	// timeout. It includes waits in inner policies: a token must come, or a breaker
	// close, within it. The next attempt begins only when the call has returned, so the
	// call must obey its context.
	AttemptTimeout time.Duration
	// MaxElapsed bounds the time from the first attempt to the beginning of the last; 0
	// is no bound.
	MaxElapsed time.Duration
	// Budget, if not nil, is asked for each retry.
	Budget *Budget
}

func bad(field string, value any, want string) error {
	return &InvalidError{Package: "retry", Field: field, Value: value, Range: want}
}

// validate returns p with the defaults filled in.
func (p Policy) validate() (Policy, error) {
	if err := p.checkDurations(); err != nil {
		return p, err
	}
	p = p.withDelays()
	switch {
	case p.MaxRetries < Unlimited && p.MaxRetries != NoRetries:
		return p, bad("MaxRetries", p.MaxRetries, "at least 1, 0 for the default, Unlimited or NoRetries")
	case p.MaxDelay < p.InitialDelay:
		return p, bad("MaxDelay", p.MaxDelay, fmt.Sprintf("at least InitialDelay, %v", p.InitialDelay))
	case !(p.Multiplier >= 1) || math.IsInf(p.Multiplier, 1):
		return p, bad("Multiplier", p.Multiplier, "at least 1 and finite, or 0 for the default")
	case p.Jitter < JitterEqual || p.Jitter > JitterNone:
		return p, bad("Jitter", int(p.Jitter), "JitterEqual, JitterFull, JitterDecorrelated or JitterNone")
	}
	switch p.MaxRetries {
	case 0:
		p.MaxRetries = DefaultMaxRetries
	case Unlimited:
		p.MaxRetries = math.MaxInt
	} // NoRetries is fewer than any number of attempts
	return p, nil
}

func (p Policy) checkDurations() error {
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"InitialDelay", p.InitialDelay},
		{"MaxDelay", p.MaxDelay},
		{"AttemptTimeout", p.AttemptTimeout},
		{"MaxElapsed", p.MaxElapsed},
	} {
		if err := invalid.Duration("retry", d.field, d.value); err != nil {
			return err
		}
	}
	return nil
}

// withDelays returns p with the defaults of the settings for delays.
func (p Policy) withDelays() Policy {
	if p.MaxDelay == 0 {
		p.MaxDelay = DefaultMaxDelay
	}
	if p.InitialDelay == 0 {
		p.InitialDelay = min(DefaultInitialDelay, p.MaxDelay)
	}
	if p.Multiplier == 0 {
		p.Multiplier = DefaultMultiplier
	}
	return p
}

// delay returns how long to wait before retry n, from 1, after a delay of last. The
// arithmetic is in float64, which can't overflow.
func (p *Policy) delay(n int, last time.Duration) time.Duration {
	most := float64(p.MaxDelay)
	grown := min(float64(p.InitialDelay)*math.Pow(p.Multiplier, float64(n-1)), most)
	low, high := grown, grown
	switch p.Jitter {
	case JitterEqual:
		low, high = (1-equalJitter)*grown, (1+equalJitter)*grown
	case JitterFull:
		low = 0
	case JitterDecorrelated:
		low = float64(p.InitialDelay)
		high = max(low, 3*float64(last))
	}
	spread := low + rand.Float64()*(min(high, most)-low)
	if spread >= most { // as a float64, which may be above the largest duration
		return p.MaxDelay
	}
	return time.Duration(spread)
}

// asked returns how long to wait if at least d was asked for, at most MaxDelay.
func (p *Policy) asked(d time.Duration) time.Duration {
	if p.Jitter == JitterNone {
		return d
	}
	more := time.Duration(askedJitter * rand.Float64() * float64(d))
	return d + min(more, p.MaxDelay-d)
}

// tooLong reports whether d, which was asked for, is too long to wait: above MaxDelay, or
// the largest duration, which means never.
func (p *Policy) tooLong(d time.Duration) bool {
	return d > p.MaxDelay || d == math.MaxInt64
}
