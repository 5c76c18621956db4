package ratelimit

import (
	"context"
	"math/rand/v2"
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
		name      string
		perSecond float64
		late      time.Duration
		after     time.Duration // until the tokens are asked for
		want      int
	}{
		{"on time", 1000, 0, 0, 0},
		{"by half a token", 1000, 500 * time.Microsecond, 0, 0},
		{"by five tokens", 1000, 5 * time.Millisecond, 0, 5},
		{"and asked for soon", 1000, 5 * time.Millisecond, 4 * time.Millisecond, 9},
		{"and asked for too late", 1000, 5 * time.Millisecond, 4*time.Millisecond + 1, 1},
		{"by a stopped process", 1000, time.Hour, 0, 20}, // with the one that was waited for, 20 ms' worth and the burst
		{"at another rate", 3000, 5 * time.Millisecond, 4_666_668, 29},
		{"at another rate, asked for too late", 3000, 5 * time.Millisecond, 4_666_669, 1},
	} {
		for how, take := range map[string]func(*Limiter) bool{
			"": (*Limiter).TryAcquire, ", under the lock": func(l *Limiter) bool { return l.tryAcquire(1) },
		} {
			t.Run(c.name+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := MustNew(Policy{RequestsPerSecond: c.perSecond, BurstSize: 1})
					require.True(t, take(l))
					overslept(t, l, c.late)
					time.Sleep(c.after)
					got := 0
					for take(l) {
						got++
					}
					assert.Equal(t, c.want, got)
					time.Sleep(time.Second)
					assert.True(t, take(l))
					assert.False(t, take(l), "no credit is left")
					assert.Nil(t, l.line)
				})
			})
		}
	}
}

// What a service says is left counts also where more is made good for.
func TestRemainingAfterALateWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1000, BurstSize: 2})
		require.True(t, l.TryAcquireN(2))
		overslept(t, l, 5*time.Millisecond)
		l.Remaining(3, time.Second)
		for range 3 {
			require.True(t, l.TryAcquire())
		}
		require.False(t, l.TryAcquire())
	})
}

// That holds for those who wait, too: they have not all been due in the same instant.
func TestLateWakeUpOfManyWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1000, BurstSize: 3})
		require.NoError(t, l.Debit(3))
		waiters := enterLate(l, 100, time.Hour)
		require.Equal(t, 23, granted(waiters), "the burst, and 20 ms' worth")
		time.Sleep(10 * time.Millisecond)
		l.wake()
		require.Equal(t, 33, granted(waiters))
		for _, w := range waiters {
			l.leave(w)
		}
	})
}

// enterLate has so many wait, whose timer oversleeps.
func enterLate(l *Limiter, n int, late time.Duration) []*waiter {
	waiters := make([]*waiter, n)
	b, now := l.lock()
	for i := range waiters {
		waiters[i] = newWaiter(amount(1))
		l.enter(b, now, waiters[i])
	}
	l.unlock(b, now)
	l.line.timer.Stop()
	time.Sleep(late)
	l.wake()
	return waiters
}

// granted counts those who have got their token.
func granted(waiters []*waiter) int {
	n := 0
	for _, w := range waiters {
		if w.granted {
			n++
		}
	}
	return n
}

func TestCredit(t *testing.T) {
	for perSecond, want := range map[float64]time.Duration{
		MinRate: mostCredit, 1: mostCredit, 9999.9: mostCredit, 10_000: mostCredit,
		20_000.0 / 3: mostCredit, 30_000: 6_666_666, 50_000: 4 * time.Millisecond, 100_000: leastCredit, 1e6: leastCredit, MaxRate: leastCredit,
	} {
		require.Equal(t, want, newBucket(rateOf(perSecond), 1, 0).credit(), perSecond)
	}
}

// However late wake-ups are, and whatever is taken in between, no window has more than
// its burst + rate × (time + credit).
func TestExcessIsBounded(t *testing.T) {
	for _, perSecond := range []float64{10, 1000, 30_000, 200_000} {
		for _, burst := range []int{1, 50} {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, uint64(burst)))
				l := MustNew(Policy{RequestsPerSecond: perSecond, BurstSize: burst})
				credit := l.bucket.Load().credit()
				start, sum, least := time.Now(), 0.0, 0.0
				count := func(n int) { // of tokens granted now
					due := perSecond * time.Since(start).Seconds()
					least = min(least, sum-due)
					sum += float64(n)
					require.LessOrEqual(t, sum-due-least, float64(burst)+perSecond*credit.Seconds()+1e-6)
				}
				for range 300 {
					n := 0
					for l.TryAcquire() {
						n++
					}
					count(n)
					late := time.Duration(random.ExpFloat64() * float64(credit))
					waiters := enterLate(l, 1+random.IntN(2*burst+100), late)
					for done := 0; done < len(waiters); { // by wake-ups now and then
						n := granted(waiters)
						count(n - done)
						if done = n; random.IntN(20) == 0 {
							break
						}
						time.Sleep(time.Duration(random.ExpFloat64() * 1e9 / perSecond))
						l.wake()
					}
					for _, w := range waiters {
						if w.inLine {
							l.leave(w)
						}
					}
					time.Sleep(time.Duration(random.ExpFloat64() * float64(credit)))
				}
			})
		}
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
