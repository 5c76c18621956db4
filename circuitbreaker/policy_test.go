package circuitbreaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
)

// The least and the largest values that a policy may have, and those just beyond.
func TestBounds(t *testing.T) {
	for _, p := range []circuitbreaker.Policy{
		{FailureThreshold: 1, SuccessThreshold: 1, HalfOpenProbes: 1, MinimumCalls: 1},
		{FailureRate: 1, SlowCall: 1, SlowCallRate: 1, ProbeFailureRate: 1},
		{FailureRate: 0.01, SlowCall: 1, SlowCallRate: 0.01},
		{OpenFor: 1, ProbeTimeout: 1, MaxWait: 1, Window: 10},
		{WhenOpen: circuitbreaker.Wait},
	} {
		_, err := circuitbreaker.New(p)
		require.NoError(t, err, "%+v", p)
	}
	for says, p := range map[string]circuitbreaker.Policy{
		"FailureRate":      {FailureRate: 1.01},
		"ProbeFailureRate": {ProbeFailureRate: 1.01},
		"SlowCallRate":     {SlowCall: 1, SlowCallRate: 1.01},
		"WhenOpen":         {WhenOpen: -1},
	} {
		_, err := circuitbreaker.New(p)
		require.ErrorContains(t, err, says)
	}
}

// A probe keeps its place for as long as the breaker stays open, if nothing else is said.
func TestProbeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, p := range map[time.Duration]circuitbreaker.Policy{
			time.Minute:      {},
			30 * time.Second: {OpenFor: 30 * time.Second},
			2 * time.Second:  {ProbeTimeout: 2 * time.Second},
			time.Second:      {OpenFor: 30 * time.Second, ProbeTimeout: time.Second},
		} {
			b := circuitbreaker.MustNew(p)
			fail(t, b, circuitbreaker.DefaultFailureThreshold)
			time.Sleep(max(p.OpenFor, circuitbreaker.DefaultOpenFor))
			_, err := b.Allow(t.Context())
			require.NoError(t, err)
			time.Sleep(want - 1)
			require.Equal(t, 1, b.Counts().Probes)
			time.Sleep(time.Nanosecond)
			require.Zero(t, b.Counts().Probes)
		}
	})
}
