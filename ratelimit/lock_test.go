package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// It is left to a timer that serves many to serve those who are due, unless it is late.
func TestLeftToTheTimer(t *testing.T) {
	const at = 5 * time.Second
	for _, c := range []struct {
		armed, batched bool
		now            time.Duration
		want           bool
	}{
		{true, true, at - 1, true},
		{true, true, at + batchLate - 1, true},
		{true, true, at + batchLate, false},
		{false, true, at, false},
		{true, false, at, false},
	} {
		q := &line{armed: c.armed, batched: c.batched, armedFor: at}
		require.Equal(t, c.want, q.left(c.now), "%+v", c)
	}
}

// When a pause is over and nobody waits, calls need no lock again.
func TestNoLockAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 10, BurstSize: 3})
		l.PauseFor(time.Second)
		for _, paused := range []bool{true, false} {
			require.Equal(t, paused, !l.tryAcquire(1))
			require.Equal(t, paused, l.line != nil)
			require.Equal(t, paused, l.bucket.Load().word.Load() < 0)
			time.Sleep(time.Second)
		}
	})
}

// A bucket that is too deep for a word stays the same one: what was taken of it can be
// given back.
func TestDeepBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
		require.NoError(t, l.change(rate{}, 4e9))
		l.Reset()
		taken, err := l.grant(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, float64(4e9-1), l.AvailableTokens())
		l.giveBack(taken, 1)
		require.EqualValues(t, float64(4e9), l.AvailableTokens())
	})
}

// A bucket that is counted anew, since its epoch is to come by another clock, is the one
// that tokens are given back to.
func TestGivenBackByAnotherClock(t *testing.T) {
	var l *Limiter
	synctest.Test(t, func(*testing.T) {
		time.Sleep(time.Hour)
		l = MustNew(Policy{RequestsPerSecond: 1, BurstSize: 2})
	})
	synctest.Test(t, func(t *testing.T) {
		taken, err := l.grant(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, l.AvailableTokens())
		l.giveBack(taken, 1)
		require.EqualValues(t, 2, l.AvailableTokens())
	})
}

// Another clock, which is behind, knows nothing of what was before: neither of a pause nor
// of a debt. The bucket is empty at the worst.
func TestClockThatIsBehind(t *testing.T) {
	for how, empty := range map[string]func(*Limiter){
		"used":   func(l *Limiter) { l.TryAcquireN(2) },
		"paused": func(l *Limiter) { l.PauseFor(time.Hour) },
		"debt":   func(l *Limiter) { _ = l.Debit(1000) },
	} {
		t.Run(how, func(t *testing.T) {
			var l *Limiter
			synctest.Test(t, func(*testing.T) {
				time.Sleep(time.Hour)
				l = MustNew(Policy{RequestsPerSecond: 1, BurstSize: 2})
				time.Sleep(time.Hour)
				empty(l)
			})
			synctest.Test(t, func(t *testing.T) {
				for range 3 {
					require.False(t, l.TryAcquire())
					time.Sleep(time.Second)
					require.True(t, l.TryAcquire())
				}
			})
		})
	}
}
