package ratelimit

import (
	"math"
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

// A bucket that has been full for long holds no more than one that just is, and no less.
func TestChangeOfAFullBucket(t *testing.T) {
	for _, age := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
			time.Sleep(age)
			require.NoError(t, l.SetBurst(10))
			require.EqualValues(t, 5, l.AvailableTokens())
			require.NoError(t, l.SetRate(1.0/3))
			require.True(t, l.TryAcquireN(5))
			require.False(t, l.TryAcquireN(1e-6))
		})
	}
}

// Where somebody waits for the end of a pause, tokens beyond a new burst are gone, too.
func TestSmallerBurstWhereSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
		l.PauseFor(time.Second)
		require.NoError(t, l.Return(3))
		b, now := l.lock()
		waiters := make([]*waiter, 4)
		for i := range waiters {
			waiters[i] = newWaiter(amount(1))
			l.enter(b, now, waiters[i])
		}
		l.unlock(b, now)
		require.NoError(t, l.SetBurst(2))
		for _, want := range []int{0, 2, 3, 4} {
			require.Equal(t, want, granted(waiters))
			time.Sleep(time.Second)
			l.wake()
		}
	})
}

// What has come for one who wants more than can be told at the new rate is told as much
// as can be.
func TestSlowerForAVeryLargeAmount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: MaxRate, BurstSize: 1})
		r, err := l.Reserve(1e17)
		require.NoError(t, err)
		time.Sleep(100 * 24 * time.Hour)
		require.NoError(t, l.SetRate(MinRate))
		require.Equal(t, time.Duration(math.MaxInt64), r.Delay())
	})
}

// The tokens at the end of a pause stay, beside those that somebody waits for.
func TestChangeInAPauseForLessThanAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
		l.PauseFor(time.Second)
		require.Equal(t, time.Second, served(t, l, 0.25, 1, func() { require.NoError(t, l.SetRate(2)) }))
		require.EqualValues(t, 0.75, l.AvailableTokens())

		l.PauseFor(time.Second)
		require.NoError(t, l.Return(10))
		require.Equal(t, time.Second, served(t, l, 0.25, 1, func() { require.NoError(t, l.SetRate(1)) }))
		require.True(t, l.TryAcquireN(4.75))
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
