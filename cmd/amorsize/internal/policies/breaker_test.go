package policies_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/transport"
)

// answering is a call with that outcome.
func answering(outcome error) func(context.Context) error {
	return func(context.Context) error { return outcome }
}

// That the breaker opens is told once in a run, with what it opened of, however often it does.
func TestOpeningIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := policies.New(policies.Options{Breaker: "1", BreakerWait: time.Second})
		require.NoError(t, err)
		var told []string
		s.Opening = func(why string) { told = append(told, why) }
		for _, down := range []string{"first", "second"} {
			calls := 0
			require.NoError(t, do(t.Context(), s, func() error {
				if calls++; calls == 1 {
					return errors.New(down)
				}
				return nil
			}))
		}
		require.Equal(t, []string{"first"}, told)
		require.EqualValues(t, 2, s.Opened.Load())
		require.Equal(t, 2*time.Second, s.Paused())
	})
}

// Unless told otherwise, items wait ten minutes for a service.
func TestGiveUpByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := policies.New(policies.Options{Retries: 1, Breaker: "1"})
		require.NoError(t, err)
		began := time.Now()
		require.ErrorIs(t, do(t.Context(), s, func() error { return exit(1) }), policies.ErrGaveUp)
		require.InDelta(t, 10*60, time.Since(began).Seconds(), 10, "it is asked every five seconds")
	})
}

// Which answers to requests are failures of the host, the transport's errors say themselves.
func TestBreakerOfAHost(t *testing.T) {
	s, err := policies.New(policies.Options{Breaker: "1", HTTP: true})
	require.NoError(t, err)
	b, err := circuitbreaker.New(*s.BreakerPolicy)
	require.NoError(t, err)
	for _, c := range []struct {
		status int
		want   circuitbreaker.State
	}{{404, circuitbreaker.Closed}, {500, circuitbreaker.Open}} {
		require.Error(t, b.Do(t.Context(), answering(&transport.StatusError{Code: c.status})))
		require.Equal(t, c.want, b.State(), c.status)
	}
}

// A rate that is to be found goes down when the service refuses calls.
func TestRateFollowsRefusals(t *testing.T) {
	for name, o := range map[string]policies.Options{"commands": {Rate: "auto"}, "requests": {Rate: "auto", HTTP: true, ThrottleOn: "exit:75"}} {
		synctest.Test(t, func(t *testing.T) {
			s, err := policies.New(o)
			require.NoError(t, err)
			refused := s.Judge(policies.Seen{Err: exit(75)})
			require.ErrorIs(t, s.Limiter.Do(t.Context(), answering(refused)), refused)
			require.InDelta(t, 0.85*20, s.Limiter.Rate(), 1e-9, name)
		})
	}
}

// A refusal that says no number asks for no time: the usual delays hold.
func TestRefusalWithoutANumber(t *testing.T) {
	text := func(s string) func() []byte { return func() []byte { return []byte(s) } }
	for name, c := range map[string]struct {
		flag string
		out  func() []byte
	}{
		"nothing is looked for":  {"", text("5s")},
		"there is no output":     {`out:/(\S+)s/`, nil},
		"the output has none":    {`out:/(\S+)s/`, text("later")},
		"it is not a time":       {`out:/(\S+)s/`, text("-1s")},
		"it is not of that kind": {`err:/(\S+)s/`, text("5s")},
	} {
		s, err := policies.New(policies.Options{RetryAfter: c.flag})
		require.NoError(t, err)
		var refused *policies.Throttled
		require.ErrorAs(t, s.Judge(policies.Seen{Err: exit(75), Out: c.out}), &refused, name)
		require.Zero(t, refused.RetryAfter(), name)
	}
}
