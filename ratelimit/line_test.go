package ratelimit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// overslept is a limiter whose only waiter was due some time ago, as if its timer
// had overslept.
func overslept(t *testing.T, l *Limiter, late time.Duration) {
	t.Helper()
	w := newWaiter(amount(1))
	b, now := l.lock()
	require.False(t, l.admit(b, now, w.amount))
	due := l.wait(b, now, w.amount)
	l.enter(b, now, w)
	l.unlock(b, now)
	l.line.timer.Stop()
	time.Sleep(due + late)
	l.wake()
	require.NoError(t, <-w.done)
}

// What fell due while a timer overslept is made good for, at once and no more.
func TestLateWakeUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		late  time.Duration
		after time.Duration // until the tokens are asked for
		want  int
	}{
		{"on time", 0, 0, 0},
		{"by half a token", 500 * time.Microsecond, 0, 0},
		{"by five tokens", 5 * time.Millisecond, 0, 5},
		{"and asked for soon", 5 * time.Millisecond, 4 * time.Millisecond, 9},
		{"and asked for too late", 5 * time.Millisecond, 4*time.Millisecond + 1, 1},
		{"by a stopped process", time.Hour, 0, 21},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := MustNew(Policy{RequestsPerSecond: 1000, BurstSize: 1})
				require.True(t, l.TryAcquire())
				overslept(t, l, c.late)
				time.Sleep(c.after)
				got := 0
				for l.TryAcquire() {
					got++
				}

				assert.Equal(t, c.want, got)
				time.Sleep(time.Second)
				assert.True(t, l.TryAcquire())
				assert.False(t, l.TryAcquire(), "no credit is left")
				assert.Nil(t, l.line)
			})
		})
	}
}

// A reservation that nobody looked at for long is no late wake-up.
func TestNoCreditForReservations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1000, BurstSize: 1})
		require.True(t, l.TryAcquire())
		_, err := l.Reserve(1)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		assert.True(t, l.TryAcquire())
		assert.False(t, l.TryAcquire())
	})
}

// A timer that fires before anybody is due does no harm, and nobody is forgotten.
func TestTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
		require.True(t, l.TryAcquire())
		start := time.Now()
		first, cancel := context.WithCancel(t.Context())
		go func() { _ = l.Acquire(first) }()
		synctest.Wait()
		cancel() // the timer goes with it
		synctest.Wait()
		assert.Nil(t, l.line)
		for i := range 3 {
			require.NoError(t, l.Acquire(t.Context()))
			assert.Equal(t, time.Duration(i+1)*time.Second, time.Since(start))
		}
		// One with a large cost leaves, and another is due before its timer.
		first, cancel = context.WithCancel(t.Context())
		go func() { _ = l.AcquireN(first, 100) }()
		synctest.Wait()
		second := make(chan error)
		go func() { second <- l.Acquire(t.Context()) }()
		synctest.Wait()
		cancel()
		require.NoError(t, <-second)
		assert.Equal(t, 4*time.Second, time.Since(start))
	})
}
