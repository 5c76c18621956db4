package ratelimit

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What errors say to people, and to other policies: when a call that was not made may be.
func TestErrors(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	shut, shutDown := context.WithCancelCause(t.Context())
	shutDown(errors.New("shut down"))
	for says, c := range map[string]struct {
		err     error
		is      error
		refused time.Duration
	}{
		"ratelimit: limit exceeded: retry after 2s":                           {&ExceededError{2 * time.Second}, ErrExceeded, 2 * time.Second},
		"ratelimit: the wait would exceed the deadline: 3s to wait, 1s left":  {&DeadlineError{3 * time.Second, time.Second}, context.DeadlineExceeded, 3 * time.Second},
		"ratelimit: too many keys in use: 5; retry after 4s":                  {&TooManyKeysError{5, 4 * time.Second}, ErrTooManyKeys, 4 * time.Second},
		"ratelimit: context canceled":                                         {canceled(stopped), context.Canceled, 0},
		"ratelimit: context canceled: shut down":                              {canceled(shut), context.Cause(shut), 0},
		"ratelimit: n = -1: must be above 0 and finite":                       {validCost(-1), ErrInvalid, -1},
		"ratelimit: BurstSize = -1: must be at least 1, or 0 for the default": {errorOf(New(Policy{RequestsPerSecond: 1, BurstSize: -1})), ErrInvalid, -1},
		"ratelimit: BurstSize = 9224: must be 1 to 9223 at 1e-06 per second, which fill in 292 years": {
			errorOf(New(Policy{RequestsPerSecond: MinRate, BurstSize: 9224})), ErrInvalid, -1},
		"ratelimit: BurstSize = 9223372036854775807: must be 1 to 9223372036854775806 at 1e+09 per second, which fill in 292 years": {
			validBurst(math.MaxInt64, rate{1, 1}), ErrInvalid, -1},
	} {
		require.EqualError(t, c.err, says)
		require.ErrorIs(t, c.err, c.is)
		var refused interface {
			Refused() time.Duration
			ByPolicy()
		}
		require.Equal(t, c.refused >= 0, errors.As(c.err, &refused), says)
		if refused != nil {
			require.Equal(t, c.refused, refused.Refused(), says)
		}
	}
	require.NoError(t, errorOf(New(Policy{RequestsPerSecond: MinRate, BurstSize: 9223})))
	require.NoError(t, validBurst(math.MaxInt64-1, rate{1, 1}))
}

func errorOf(_ *Limiter, err error) error { return err }
