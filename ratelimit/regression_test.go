package ratelimit

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// Each of these was a defect once.

var errSlowDown = errors.New("too many requests")

func adaptive(perSecond float64, increase float64) Policy {
	return Policy{RequestsPerSecond: perSecond, Adapt: &Adapt{Increase: increase, Throttled: func(error) bool { return true }}}
}

func call(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// served returns how long a call for n tokens takes, of which meanwhile is called
// after a time.
func served(t *testing.T, l *Limiter, n float64, after time.Duration, meanwhile func()) time.Duration {
	t.Helper()
	start, done := time.Now(), make(chan error)
	go func() { done <- l.AcquireN(t.Context(), n) }()
	time.Sleep(after)
	meanwhile()
	require.NoError(t, <-done)
	return time.Since(start)
}

func TestReturnWhileALateWakeUpIsMadeGoodFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1000, BurstSize: 1})
		time.Sleep(time.Hour)
		require.True(t, l.TryAcquire())
		overslept(t, l, 5*time.Millisecond)
		require.NoError(t, l.Return(1000))
		assert.True(t, l.TryAcquire())
		assert.False(t, l.TryAcquire(), "the bucket holds 1")
	})
}

func TestResetPostponesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
		assert.Equal(t, 9*time.Second, served(t, l, 10, 8*time.Second, l.Reset))
	})
}

// What came before the limiter was a second old counts.
func TestYoungLimiter(t *testing.T) {
	for _, age := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{RequestsPerSecond: 1000, BurstSize: 1})
			time.Sleep(age)
			took := served(t, l, 100, 50*time.Millisecond, func() { require.NoError(t, l.SetRate(1)) })
			assert.Equal(t, 49*time.Second+50*time.Millisecond, took, "51 tokens were there")
		})
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 10})
			time.Sleep(age)
			took := served(t, l, 20, time.Millisecond, func() { require.NoError(t, l.Return(5)) })
			assert.Equal(t, 5*time.Second, took)
		})
	}
}

func TestSmallIncreasesAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(adaptive(2000, 1))
		require.Error(t, l.Do(t.Context(), call(errSlowDown)))
		assert.EqualValues(t, 1500, l.Rate())
		for start := time.Now(); time.Since(start) < 30*time.Second; {
			require.NoError(t, l.Do(t.Context(), call(nil)))
		}
		assert.InDelta(t, 1530, l.Rate(), 2)
	})
}

func TestOneBatchOfRefusalsSlowsDownOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(adaptive(100, 0))
		for range 20 {
			l.Feedback(errSlowDown)
		}
		assert.EqualValues(t, 75, l.Rate())
	})
}

func TestKeysKeepWhatWasLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := MustNewKeyed[string](adaptive(100, 0), 3)
		rate := func(key string) (perSecond float64) {
			require.NoError(t, k.Use(key, func(l *Limiter) error { perSecond = l.Rate(); return nil }))
			return perSecond
		}
		require.Error(t, k.Do(t.Context(), "a", call(errSlowDown)))
		require.NoError(t, k.Use("b", func(l *Limiter) error { return l.SetRate(3) }))
		time.Sleep(time.Minute)
		assert.True(t, k.TryAcquire("c"))
		assert.EqualValues(t, 75, rate("a"))
		assert.EqualValues(t, 3, rate("b"))
		time.Sleep(time.Minute)
		assert.True(t, k.TryAcquire("d"), "while there is room")
		assert.True(t, k.TryAcquire("e"))
	})
}

func TestKeysInUseHideNoIdleOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := MustNewKeyed[int](Policy{RequestsPerSecond: 1, BurstSize: 1}, 200)
		stop, half := make(chan struct{}), make(chan struct{})
		for i := range 200 {
			require.True(t, k.TryAcquire(i))
			go func() {
				_ = k.Use(i, func(l *Limiter) error {
					if i != 150 { // all but one stay in use
						<-stop
					}
					<-half
					return nil
				})
			}()
			synctest.Wait()
		}
		close(half)
		time.Sleep(time.Minute)
		require.True(t, k.TryAcquire(-1))
		close(stop)
	})
}

// A pause without end, ended by hand: nobody is refused because of it, nor forgotten.
func TestResetOfAnEndlessPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1000, BurstSize: 2})
		l.PauseFor(math.MaxInt64)
		done := make(chan error, 2)
		for _, n := range []float64{2, 1} {
			go func() { done <- l.AcquireN(t.Context(), n) }()
			synctest.Wait() // in this order
		}
		require.Empty(t, done)
		start := time.Now()
		l.Reset()
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		require.Equal(t, time.Millisecond, time.Since(start))
	})
}

// By the clock of a process, whose beginning is the nearest to the end of time: the first
// call of a program may come in its first millisecond.
func TestEndlessPauseAtTheBeginning(t *testing.T) {
	l := MustNew(Policy{RequestsPerSecond: 1000, BurstSize: 2})
	l.PauseFor(math.MaxInt64)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	require.ErrorIs(t, l.AcquireN(ctx, 2), ErrWouldExceedDeadline)
}

func TestKeyNotEqualToItself(t *testing.T) {
	k := MustNewKeyed[float64](Policy{RequestsPerSecond: 10}, 0)
	for range 3 {
		require.ErrorIs(t, k.Acquire(t.Context(), math.NaN()), ErrInvalid)
	}
}

func TestGroupIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1}), MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
		g := All(a, b)
		require.True(t, a.TryAcquire())
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- g.Acquire(t.Context()) }()
			synctest.Wait()
		}
		require.NoError(t, a.Return(1)) // the first is served, but has not run yet
		require.NoError(t, a.Return(1))
		assert.False(t, g.TryAcquire(), "the second comes before")
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		time.Sleep(time.Second)
		assert.True(t, g.TryAcquire())
	})
}

func TestGroupDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := All(MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1}), MustNew(Policy{RequestsPerSecond: 100}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 50 {
			go func() { _ = g.Acquire(ctx) }()
		}
		synctest.Wait()
		timed, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		start := time.Now()
		var late *DeadlineError
		require.ErrorAs(t, g.Acquire(timed), &late)
		assert.Zero(t, time.Since(start))
		assert.Equal(t, 50*time.Second, late.Wait)
	})
}

func TestGroupWithShrinkingBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := MustNew(Policy{RequestsPerSecond: 10}), MustNew(Policy{RequestsPerSecond: 10})
		require.NoError(t, a.Debit(10))
		require.NoError(t, b.Debit(10))
		time.AfterFunc(100*time.Millisecond, func() {
			assert.NoError(t, a.SetBurst(5))
			assert.NoError(t, b.SetBurst(5))
		})
		start := time.Now()
		require.NoError(t, All(a, b).AcquireEach(t.Context(), 8, 8))
		assert.Less(t, time.Since(start), 3*time.Second)
	})
}

func TestLongestPause(t *testing.T) {
	for range 20 {
		l := MustNew(Policy{RequestsPerSecond: 10, MaxPause: math.MaxInt64})
		l.Feedback(answered(math.MaxInt64))
		require.False(t, l.TryAcquire())
	}
}

type answered time.Duration

func (a answered) Error() string             { return "busy" }
func (a answered) RetryAfter() time.Duration { return time.Duration(a) }

// Calls that never got their token were not made: inner limits don't open a breaker
// around them or cost another's token.
func TestWaitsInVainAreRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
		outer := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
		require.True(t, inner.TryAcquire())
		timed, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		both := Wrap(outer, Wrap(inner, func(context.Context, int) (int, error) { return 0, nil }))
		_, err := both(timed, 0)
		require.ErrorIs(t, err, ErrWouldExceedDeadline)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err = both(ctx, 0)
		require.ErrorIs(t, err, context.Canceled)
		assert.EqualValues(t, 5, outer.AvailableTokens())
	})
}

// At rates at which the timer alone serves those who wait, whoever leaves takes
// nothing from those behind. In real time: in virtual time nothing is left to it.
func TestCancelAtHighRates(t *testing.T) {
	l := MustNew(Policy{RequestsPerSecond: 2e5, BurstSize: 1})
	b, now := l.lock()
	l.admit(b, now, amount(1))
	waiters := make([]*waiter, 20)
	for i := range waiters {
		waiters[i] = newWaiter(amount(1))
		l.enter(b, now, waiters[i])
	}
	l.unlock(b, now)
	for clock.Now() < now+150*time.Microsecond { // all are due then, and the timer is not
	}
	l.leave(waiters[0])
	for i, w := range waiters[1:] {
		select {
		case err := <-w.done:
			require.NoError(t, err)
		default:
			require.Fail(t, "not served", "%d", i)
		}
	}
}

// A group tells the rate of the limiter that all of its calls wait for in the end.
func TestGroupTellsTheSlowestRate(t *testing.T) {
	fast := MustNew(Policy{RequestsPerSecond: 900})
	slow := MustNew(Policy{RequestsPerSecond: 0.5, BurstSize: 7})
	g := All(fast, slow)
	require.InDelta(t, 0.5, g.Rate(), 1e-9)
	require.EqualValues(t, 7, g.Burst())
	require.Zero(t, All().Rate())
	require.Zero(t, All(nil).Burst())
}

// Do of a group whose caller's context is over says so, and does not call.
func TestGroupDoOfAContextThatIsOver(t *testing.T) {
	l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, All(l).Do(ctx, func(context.Context) error { t.Error("ran"); return nil }), context.Canceled)
	require.True(t, l.TryAcquire(), "nothing was taken")
}

// A bucket that was full for long holds no more than its burst: a debt counts from there.
func TestDebitAfterIdleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 10, BurstSize: 1})
		require.NoError(t, l.Acquire(t.Context()))
		time.Sleep(600 * time.Millisecond) // one token is there, not six
		require.NoError(t, l.Debit(5))
		since := time.Now()
		require.NoError(t, l.Acquire(t.Context()))
		require.InDelta(t, 500*time.Millisecond, time.Since(since), float64(time.Millisecond))
	})
}
