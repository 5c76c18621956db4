package policies

import (
	"time"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
)

// ByKey are the policies that each key of the items has for itself. A nil policy was not requested.
type ByKey struct {
	Limiters *ratelimit.Keyed[string]
	Tokens   *ratelimit.Keyed[string]
	Breakers *circuitbreaker.Keyed[string]
}

// tokens makes the limit on the cost of calls.
func (s *Set) tokens(o Options) error {
	rate, err := parseRate("rate-tokens", o.RateTokens)
	switch {
	case err != nil:
		return err
	case rate.Auto:
		return bad("rate-tokens", o.RateTokens, wantRate)
	case rate == (Rate{}):
		return nil
	}
	p := ratelimit.Policy{
		Name:              "--rate",
		RequestsPerSecond: rate.PerSecond,
		OnWait:            func(wait time.Duration) { s.Waited.Add(int64(wait)) },
	}
	if s.ByKey != nil {
		s.ByKey.Tokens, err = ratelimit.NewKeyed[string](p, 0)
		return err
	}
	s.Tokens, err = ratelimit.New(p)
	return err
}

// Costs reports whether the cost of calls matters.
func (s *Set) Costs() bool { return s.Tokens != nil || s.ByKey != nil && s.ByKey.Tokens != nil }
