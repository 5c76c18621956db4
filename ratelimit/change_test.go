package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A change that can't be made changes nothing: neither what is there nor the rate.
func TestChangeThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 10_000})
		require.NoError(t, l.Debit(20_000))
		require.ErrorContains(t, l.SetRate(MinRate), "BurstSize = 10000: must be 1 to 9223 at 1e-06 per second")
		require.NoError(t, l.SetBurst(1))
		require.EqualValues(t, -10_000, l.AvailableTokens())
		require.ErrorContains(t, l.SetRate(MinRate), "rate = 1e-06: must be one at which the debt can be paid in 292 years")
		require.NoError(t, l.SetRate(1e-3))
		require.ErrorIs(t, l.SetBurst(0), ErrInvalid)
		require.EqualValues(t, 1, l.Burst())
	})
}

// What is there is rounded to the next 2^-20 of a tick, and never up.
func TestTokensOfAnotherRateAreRoundedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1e9 / 3.0, BurstSize: 1})
		require.True(t, l.TryAcquire())
		time.Sleep(2 * time.Nanosecond)
		require.NoError(t, l.SetRate(1e9)) // with two thirds of a token there
		require.Equal(t, origin.plus(uint128{lo: 2<<fineBits + 349_526}), l.tat)
	})
}

// The tokens at the end of a pause stay, beside those that somebody waits for.
func TestChangeInAPauseForLessThanAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
		l.PauseFor(time.Second)
		require.Equal(t, time.Second, served(t, l, 0.25, 1, func() { require.NoError(t, l.SetRate(2)) }))
		require.EqualValues(t, 0.75, l.AvailableTokens())
	})
}

// A pause of no time is none, and the shortest is one.
func TestShortestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
		l.PauseFor(0)
		require.EqualValues(t, 5, l.AvailableTokens())
		l.PauseFor(1)
		require.EqualValues(t, 1, l.AvailableTokens())
		require.False(t, l.TryAcquire())
		time.Sleep(time.Nanosecond)
		require.True(t, l.TryAcquire())
	})
}

// One that ends no later than another changes nothing, not even what came back since.
func TestPauseWithinAnother(t *testing.T) {
	for _, second := range []time.Duration{time.Second, time.Second - 1} {
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
			l.PauseFor(time.Second)
			require.NoError(t, l.Return(3))
			l.PauseFor(second)
			require.EqualValues(t, 4, l.AvailableTokens())
		})
	}
}

// A limiter is as good as new if it is full and not in a pause, from the first instant on.
func TestIdle(t *testing.T) {
	for how, c := range map[string]struct {
		use  func(*Limiter)
		busy time.Duration
	}{
		"new":      {func(*Limiter) {}, 0},
		"used":     {func(l *Limiter) { l.TryAcquire() }, time.Second},
		"a little": {func(l *Limiter) { l.TryAcquireN(0.125) }, 125 * time.Millisecond},
		"paused":   {func(l *Limiter) { l.PauseFor(time.Minute) }, time.Minute},
		"owing":    {func(l *Limiter) { _ = l.Debit(5) }, 5 * time.Second},
		"line":     {func(l *Limiter) { l.TryAcquire(); _, _ = l.Reserve(7) }, 8 * time.Second},
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
				c.use(l)
				require.Equal(t, c.busy == 0, l.idle())
				time.Sleep(c.busy - 1)
				require.Equal(t, c.busy == 0, l.idle())
				time.Sleep(time.Nanosecond)
				require.True(t, l.idle())
			})
		})
	}
}
