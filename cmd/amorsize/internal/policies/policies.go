package policies

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// Options are the flags as they were written. The zero value is no policy.
type Options struct {
	Rate          string
	RateTokens    string // limit on the cost of calls
	Keyed         bool   // the rates hold, and breakers open, for each key of the items
	Burst         int
	Retries       int
	Backoff       string // "" is 200ms..30s
	RetryOn       string // "" is every failure except a command that can't be started
	ThrottleOn    string // "" is exit 75, EX_TEMPFAIL of sysexits.h
	FatalOn       string
	RetryAfter    string
	RetryBudget   string
	Timeout       string
	Breaker       string
	BreakerWait   time.Duration // how long it stays open; 0 is 5 s
	BreakerGiveUp time.Duration // how long an item waits at most; 0 is 10 min
	// HTTP is set if the calls are requests: then it is known what their failures mean.
	HTTP bool
}

// Set are the policies of one run, and what they have done.
type Set struct {
	Limiter *ratelimit.Limiter
	Breaker *circuitbreaker.Breaker
	Timeout Timeout

	policies []executor.Policy
	// BreakerPolicy is set instead of Breaker if the calls are requests: each host
	// has a breaker of its own.
	BreakerPolicy *circuitbreaker.Policy
	// ByKey is set instead of those if the policies are for each key.
	ByKey *ByKey
	// Tokens limits the cost of calls, unless that is for each key; nil is no limit.
	Tokens   *ratelimit.Limiter
	http     bool
	Again    func(Seen) bool // which failures are worth a retry unless the caller says; nil is the usual
	adapts   bool
	retryOn  Spec
	throttle Spec
	fatal    Spec
	after    *RetryAfter

	Retried, Throttled atomic.Int64     // attempts
	Opening            func(why string) // called when the breaker opens for the first time
	Opened             atomic.Int64     // times the breaker did
	Waited             atomic.Int64     // nanoseconds, for the rate
	openSince          atomic.Int64     // 0 while the breaker is closed
	openFor            atomic.Int64     // nanoseconds, of ended times
	why                atomic.Pointer[string]
}

// New makes the policies of the options.
func New(o Options) (*Set, error) {
	s := &Set{http: o.HTTP}
	if o.Keyed {
		s.ByKey = &ByKey{}
	}
	var err error
	if s.Timeout, err = ParseTimeout(o.Timeout); err != nil {
		return nil, err
	}
	if err = s.specs(o); err != nil {
		return nil, err
	}
	rate, err := ParseRate(o.Rate)
	if err != nil {
		return nil, err
	}
	if err := s.retrier(o, rate); err != nil {
		return nil, err
	}
	if err := s.breaker(o); err != nil {
		return nil, err
	}
	if err := s.tokens(o); err != nil || rate == (Rate{}) {
		return s, err
	}
	return s, s.limiter(o, rate)
}

// Adapts reports whether the rate is to be found.
func (s *Set) Adapts() bool { return s.adapts }

// Policies returns them, outermost first.
func (s *Set) Policies() []executor.Policy { return s.policies }

func (s *Set) specs(o Options) (err error) {
	if o.ThrottleOn == "" && !o.HTTP {
		o.ThrottleOn = "exit:75"
	}
	if s.retryOn, err = ParseSpec("retry-on", o.RetryOn); err != nil {
		return err
	}
	if s.throttle, err = ParseSpec("throttle-on", o.ThrottleOn); err != nil {
		return err
	}
	if s.fatal, err = ParseSpec("fatal-on", o.FatalOn); err != nil {
		return err
	}
	s.after, err = ParseRetryAfter(o.RetryAfter)
	return err
}

// throttledRetries is how often a refused call is retried if no number of retries is given and the rate is to be
// found: refusals are how it is found.
const throttledRetries = 20

// mostRetries is the caller's number, or the default if there is none.
func mostRetries(retries int, rate Rate) int {
	switch {
	case retries > 0:
		return retries
	case rate.Auto:
		return throttledRetries
	}
	return retry.NoRetries
}

func (s *Set) retrier(o Options, rate Rate) error {
	retries := o.Retries
	if retries < 0 {
		return bad("retries", strconv.Itoa(retries), "0 or more")
	}
	p := retry.Policy{
		Name:       "--retries",
		MaxRetries: mostRetries(retries, rate),
		RetryIf: func(err error) bool {
			f, ok := AsFailure(err)
			return ok && f.Retry && (retries > 0 || IsThrottled(err))
		},
		OnRetry: func(err error, _ int, _ time.Duration) { s.Retried.Add(1) },
	}
	if o.Backoff == "" {
		o.Backoff = "200ms..30s"
	}
	var err error
	if p.InitialDelay, p.MaxDelay, err = ParseBackoff(o.Backoff); err != nil {
		return err
	}
	if p.Budget, err = retryBudget(o.RetryBudget); err != nil {
		return err
	}
	r, err := retry.New(p)
	if err == nil && p.MaxRetries != retry.NoRetries {
		s.policies = append(s.policies, r)
	}
	return err
}

// retryBudget is the budget of a flag, nil if it is not given.
func retryBudget(text string) (*retry.Budget, error) {
	if text == "" {
		return nil, nil
	}
	share, err := ParseShare("retry-budget", text)
	if err != nil {
		return nil, err
	}
	return retry.MustNewBudget(retry.BudgetPolicy{Ratio: share}), nil
}

func (s *Set) limiter(o Options, rate Rate) error {
	p := ratelimit.Policy{
		Name:              "--rate",
		RequestsPerSecond: rate.PerSecond, BurstSize: o.Burst,
		OnWait: func(wait time.Duration) { s.Waited.Add(int64(wait)) },
	}
	if o.Burst == 0 {
		p.BurstSize = 1 // an even pace: a service that allows 50 per second may not allow 50 at once
	}
	if s.adapts = rate.Auto; rate.Auto {
		p.RequestsPerSecond = 20
		p.Adapt = &ratelimit.Adapt{Throttled: IsThrottled, Decrease: 0.85}
	}
	var err error
	if s.ByKey != nil {
		s.ByKey.Limiters, err = ratelimit.NewKeyed[string](p, 0)
		return err
	}
	if s.Limiter, err = ratelimit.New(p); err == nil && !s.http { // otherwise the transport has it
		s.policies = append(s.policies, s.Limiter)
	}
	return err
}

// Judge returns the error of an attempt as a *Failure or *Throttled.
func (s *Set) Judge(seen Seen) error {
	f := Failure{Err: seen.Err, Fatal: s.fatal.Matches(seen)}
	var refusal interface{ RetryAfter() time.Duration }
	after, asked := s.after.Find(seen)
	switch {
	case errors.As(seen.Err, &refusal):
		after, asked = refusal.RetryAfter(), true
	case s.throttle.Matches(seen):
		asked = true
	}
	if s.retryOn.Empty() {
		again := s.Again
		if again == nil {
			again = retryable
		}
		f.Retry = asked || again(seen)
	} else {
		f.Retry = asked || s.retryOn.Matches(seen)
	}
	f.Retry = f.Retry && !f.Fatal && !answer.Permanent(seen.Err)
	if asked && !f.Fatal {
		s.Throttled.Add(1)
		return &Throttled{f, after}
	}
	return &f
}

var spawnFailed, _ = ParseSpec("", "spawn,exit:126-127")

// retryable says which failures are worth a retry unless the caller does: all except a command that can't be
// started.
func retryable(seen Seen) bool { return !spawnFailed.Matches(seen) }
