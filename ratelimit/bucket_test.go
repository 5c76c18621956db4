package ratelimit

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What fits into a word: a bucket of so many ticks, and instants so long after the epoch.
func TestWhatFitsIntoAWord(t *testing.T) {
	for _, c := range []struct {
		rate    rate
		burst   int64
		depth   int64
		horizon uint64
	}{
		{rate{1, 1e9}, 5, 5e9, 1 << 62},
		{rate{10, 1}, 7, 7, 461_168_601_842_738_790},
		{rate{1, 1e9}, 2_305_843_009, 2_305_843_009e9, 1 << 62}, // 2^61 is 2 305 843 009.2 of them
		{rate{1, 1e9}, 2_305_843_010, 0, 0},
	} {
		b := newBucket(c.rate, c.burst, 0)
		require.Equal(t, c.depth, b.depth, "%+v", c)
		require.Equal(t, c.horizon, b.horizon, "%+v", c)
	}
}

// A TAT has a word if it is a whole number of ticks after the epoch, of 62 bits.
func TestWordOfATAT(t *testing.T) {
	for _, word := range []int64{0, 1, 1 << 43, 1 << 61, 1<<62 - 1} {
		got, ok := store(load(word))
		require.True(t, ok, word)
		require.Equal(t, word, got)
	}
	for name, tat := range map[string]uint128{
		"too large":             load(1 << 62),
		"far too large":         load(math.MaxInt64).shifted(2),
		"a fraction of a tick":  load(5).plus(uint128{lo: 1}),
		"all but a tick":        load(5).plus(uint128{lo: 1<<fineBits - 1}),
		"before the epoch":      origin.minus(uint128{lo: 1 << fineBits}),
		"a fraction, and large": load(1 << 62).plus(uint128{lo: 1}),
	} {
		_, ok := store(tat)
		require.False(t, ok, name)
	}
}

// A time is rounded up where it is one to wait, and down where it is one that has passed.
func TestNanoseconds(t *testing.T) {
	b := newBucket(rate{3, 1e6}, 1, 0)
	const unit = 3 << fineBits // a nanosecond
	for fine, want := range map[uint64][2]time.Duration{
		0: {0, 0}, 1: {1, 0}, unit - 1: {1, 0}, unit: {1, 1}, unit + 1: {2, 1}, 2*unit - 1: {2, 1}, 2 * unit: {2, 2},
	} {
		require.Equal(t, want[0], b.nanos(uint128{lo: fine}), "%d, up", fine)
		require.Equal(t, want[1], b.whole(uint128{lo: fine}), "%d, down", fine)
	}
	require.Equal(t, time.Duration(math.MaxInt64), b.nanos(maxUint128))
}

// As long as nobody waits, calls need no lock: the first one does not, nor the last one
// that is allowed, nor the first that is not.
func TestTakenWithoutALock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 10, BurstSize: 2})
		b := l.bucket.Load()
		for i, want := range []outcome{taken, taken, denied} {
			_, came := b.take(1)
			require.Equal(t, want, came, "call %d", i)
		}
		locked, now := l.lock()
		_, came := b.take(1)
		require.Equal(t, unknown, came)
		l.unlock(locked, now)
		time.Sleep(time.Hour)
		for _, want := range []outcome{taken, denied} {
			_, came := b.take(2)
			require.Equal(t, want, came, "after an hour")
		}
	})
}

// From its horizon on, a bucket leaves it to the lock.
func TestTakenAtTheHorizon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := MustNew(Policy{RequestsPerSecond: 1e9 + 1, BurstSize: 1}).bucket.Load()
		time.Sleep(time.Duration(b.horizon) - 1)
		for _, want := range []outcome{taken, unknown} {
			_, came := b.take(1)
			require.Equal(t, want, came)
			time.Sleep(time.Nanosecond)
		}
	})
}
