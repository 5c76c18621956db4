package policies_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/ratelimit"
)

// keyed are the options of requests with a policy of each kind for each key.
var keyed = policies.Options{Rate: "10/s", RateTokens: "10/s", Breaker: "1", Keyed: true, HTTP: true}

// Several keys are in use at a time, and each has policies of its own.
func TestByKeySeparatesKeys(t *testing.T) {
	s, err := policies.New(keyed)
	require.NoError(t, err)
	require.Nil(t, s.Limiter)
	require.Nil(t, s.Tokens)
	require.Nil(t, s.BreakerPolicy)
	require.NotNil(t, s.ByKey)
	for name, k := range map[string]*ratelimit.Keyed[string]{"rate": s.ByKey.Limiters, "tokens": s.ByKey.Tokens} {
		require.NoError(t, k.Use("a", func(a *ratelimit.Limiter) error {
			return k.Use("b", func(b *ratelimit.Limiter) error {
				require.NotSame(t, a, b, name)
				return nil
			})
		}), name)
	}
	require.NoError(t, s.ByKey.Breakers.Use("a", func(a *circuitbreaker.Breaker) error {
		return s.ByKey.Breakers.Use("b", func(b *circuitbreaker.Breaker) error {
			require.NotSame(t, a, b)
			return nil
		})
	}))
}

// The limit on the cost of calls is one for all, or one for each key, as the others are.
func TestRateTokens(t *testing.T) {
	for name, c := range map[string]struct {
		options policies.Options
		all, by bool // there is a limit for all, for each key
	}{
		"none":         {policies.Options{}, false, false},
		"none, by key": {policies.Options{Keyed: true}, false, false},
		"for all":      {policies.Options{RateTokens: "50/s"}, true, false},
		"for each key": {policies.Options{RateTokens: "50/s", Keyed: true}, false, true},
	} {
		s, err := policies.New(c.options)
		require.NoError(t, err, name)
		require.Equal(t, c.all, s.Tokens != nil, name)
		require.Equal(t, c.options.Keyed, s.ByKey != nil, name)
		require.Equal(t, c.by, s.ByKey != nil && s.ByKey.Tokens != nil, name)
		require.Equal(t, c.all || c.by, s.Costs(), name)
	}
	for _, text := range []string{"50", "x/s", "auto"} {
		_, err := policies.New(policies.Options{RateTokens: text})
		require.ErrorIs(t, err, policies.ErrFlag, text)
		require.ErrorContains(t, err, "--rate-tokens ", text)
	}
}

// Waiting for room for what a call costs counts like waiting for the rate.
func TestWaitedForTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := policies.New(policies.Options{RateTokens: "10/s"})
		require.NoError(t, err)
		require.Equal(t, 10.0, s.Tokens.Rate())
		burst := s.Tokens.AvailableTokens()
		require.NoError(t, s.Tokens.AcquireN(t.Context(), burst))
		require.NoError(t, s.Tokens.AcquireN(t.Context(), 2))
		require.Equal(t, int64(200*time.Millisecond), s.Waited.Load())
	})
}

// Time in which the breakers of several keys are open counts once.
func TestPausedByKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := keyed
		o.BreakerWait = time.Second
		s, err := policies.New(o)
		require.NoError(t, err)
		down := errors.New("down")
		call := func(key string, outcome error) error {
			return s.ByKey.Breakers.Use(key, func(b *circuitbreaker.Breaker) error { return b.Do(t.Context(), answering(outcome)) })
		}
		for _, key := range []string{"a", "b"} {
			require.ErrorIs(t, call(key, down), down)
		}
		open, waiting, why := s.Open()
		require.True(t, open)
		require.Zero(t, waiting, "items of other keys take the turn")
		require.Equal(t, "down", why)
		for _, key := range []string{"a", "b"} {
			require.NoError(t, call(key, nil))
		}
		require.Equal(t, time.Second, s.Paused())
	})
}
