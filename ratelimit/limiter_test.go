package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

func limiter(t *testing.T, perSecond float64, burst int) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(ratelimit.Policy{RequestsPerSecond: perSecond, BurstSize: burst})
	require.NoError(t, err)
	return l
}

// drained is a limiter without a token.
func drained(t *testing.T, perSecond float64, burst int) *ratelimit.Limiter {
	t.Helper()
	l := limiter(t, perSecond, burst)
	require.True(t, l.TryAcquireN(float64(burst)))
	return l
}

func TestPolicy(t *testing.T) {
	l, err := ratelimit.New(ratelimit.Policy{RequestsPerSecond: 10})
	require.NoError(t, err)
	assert.EqualValues(t, 10, l.Rate())
	assert.EqualValues(t, 10, l.Burst())
	for perSecond, burst := range map[float64]int64{0.1: 1, 0.5: 1, 2.5: 3, 3.5: 4, 10: 10, 100: 100, 1e10: 1e10} {
		l, err := ratelimit.New(ratelimit.Policy{RequestsPerSecond: perSecond})
		require.NoError(t, err)
		assert.Equal(t, burst, l.Burst(), "%g per second", perSecond)
		assert.InEpsilon(t, perSecond, l.Rate(), 1e-10)
	}
	for _, c := range []struct {
		p    ratelimit.Policy
		says []string
	}{
		{ratelimit.Policy{}, []string{"RequestsPerSecond", " = 0:", "1e-06 to 1e+10"}},
		{ratelimit.Policy{RequestsPerSecond: -1}, []string{"RequestsPerSecond", "-1", "1e-06 to 1e+10"}},
		{ratelimit.Policy{RequestsPerSecond: math.NaN()}, []string{"RequestsPerSecond", "NaN"}},
		{ratelimit.Policy{RequestsPerSecond: math.Inf(1)}, []string{"RequestsPerSecond", "+Inf"}},
		{ratelimit.Policy{RequestsPerSecond: math.Inf(-1)}, []string{"RequestsPerSecond", "-Inf"}},
		{ratelimit.Policy{RequestsPerSecond: 1e-7}, []string{"RequestsPerSecond", "1e-07"}},
		{ratelimit.Policy{RequestsPerSecond: 2e10}, []string{"RequestsPerSecond", "2e+10"}},
		{ratelimit.Policy{RequestsPerSecond: 10, BurstSize: -1}, []string{"BurstSize", "-1", "at least 1"}},
		{ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 10_000_000}, []string{"BurstSize", "10000000", "292 years"}},
		{ratelimit.Policy{RequestsPerSecond: 10, OnLimit: 2}, []string{"OnLimit", "2", "Wait or Reject"}},
		{ratelimit.Policy{RequestsPerSecond: 10, MaxPause: -1}, []string{"MaxPause", "-1ns", "above 0"}},
		{ratelimit.Policy{Adapt: &ratelimit.Adapt{Floor: 20}}, []string{"RequestsPerSecond", "10", "Adapt.Floor, 20"}},
		{ratelimit.Policy{Adapt: &ratelimit.Adapt{Floor: math.NaN()}}, []string{"Adapt.Floor", "NaN"}},
		{ratelimit.Policy{Adapt: &ratelimit.Adapt{Ceiling: 5}}, []string{"RequestsPerSecond", "Adapt.Ceiling, 5"}},
		{ratelimit.Policy{Adapt: &ratelimit.Adapt{Ceiling: -5}}, []string{"Adapt.Ceiling", "-5"}},
		{ratelimit.Policy{Adapt: &ratelimit.Adapt{Increase: -1}}, []string{"Adapt.Increase", "-1"}},
		{ratelimit.Policy{Adapt: &ratelimit.Adapt{Increase: math.Inf(1)}}, []string{"Adapt.Increase", "+Inf"}},
		{ratelimit.Policy{Adapt: &ratelimit.Adapt{Decrease: 1}}, []string{"Adapt.Decrease", "1"}},
		{ratelimit.Policy{Adapt: &ratelimit.Adapt{Decrease: -0.5}}, []string{"Adapt.Decrease", "-0.5"}},
	} {
		_, err := ratelimit.New(c.p)
		require.ErrorIs(t, err, ratelimit.ErrInvalid, "%+v", c.p)
		for _, s := range c.says {
			assert.ErrorContains(t, err, s)
		}
		assert.Panics(t, func() { ratelimit.MustNew(c.p) })
	}
}

func TestBadArguments(t *testing.T) {
	l := limiter(t, 10, 5)
	for _, n := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		var invalid *ratelimit.InvalidError
		require.ErrorAs(t, l.AcquireN(t.Context(), n), &invalid)
		assert.Equal(t, "n", invalid.Field)
		assert.False(t, l.TryAcquireN(n))
		if n != 0 { // actual less estimate may be nothing
			require.ErrorIs(t, l.Return(n), ratelimit.ErrInvalid)
			require.ErrorIs(t, l.Debit(n), ratelimit.ErrInvalid)
			require.ErrorIs(t, ratelimit.All(l).AcquireEach(t.Context(), n), ratelimit.ErrInvalid)
		}
		_, err := l.Reserve(n)
		require.ErrorIs(t, err, ratelimit.ErrInvalid)
		require.ErrorIs(t, l.SetRate(n), ratelimit.ErrInvalid)
	}
	var none context.Context
	require.ErrorIs(t, l.Acquire(none), ratelimit.ErrInvalid)
	require.ErrorIs(t, l.AcquireN(none, 2), ratelimit.ErrInvalid)
	require.ErrorIs(t, l.Do(t.Context(), nil), ratelimit.ErrInvalid)
	require.ErrorIs(t, l.SetBurst(0), ratelimit.ErrInvalid)
	require.ErrorIs(t, l.Debit(1e30), ratelimit.ErrInvalid)
	require.ErrorIs(t, ratelimit.All().Acquire(t.Context()), ratelimit.ErrInvalid)
	require.ErrorIs(t, ratelimit.All(l, nil).Acquire(t.Context()), ratelimit.ErrInvalid)
	require.ErrorIs(t, ratelimit.All(l, l).Acquire(t.Context()), ratelimit.ErrInvalid)
	require.ErrorIs(t, ratelimit.All(l).AcquireEach(t.Context(), 1, 2), ratelimit.ErrInvalid)
	require.ErrorIs(t, ratelimit.From(nil).Do(t.Context(), func(context.Context) error { return nil }), ratelimit.ErrInvalid)
	_, err := ratelimit.NewKeyed[string](ratelimit.Policy{RequestsPerSecond: -1}, 0)
	require.ErrorIs(t, err, ratelimit.ErrInvalid)
	_, err = ratelimit.NewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10}, -1)
	require.ErrorIs(t, err, ratelimit.ErrInvalid)
	assert.InDelta(t, 5, l.AvailableTokens(), 1e-3, "nothing was taken")
}

// Cases RL-07 to RL-20 of the Python system.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 20)
		assert.EqualValues(t, 20, l.AvailableTokens())
		require.NoError(t, l.AcquireN(t.Context(), 5))
		assert.EqualValues(t, 15, l.AvailableTokens())
		require.NoError(t, l.AcquireN(t.Context(), 0.1))
		assert.InDelta(t, 14.9, l.AvailableTokens(), 1e-6)
		require.NoError(t, l.AcquireN(t.Context(), 12.5))
		l.Reset()
		assert.EqualValues(t, 20, l.AvailableTokens())

		require.NoError(t, l.AcquireN(t.Context(), 20))
		assert.Zero(t, l.AvailableTokens())
		assert.False(t, l.TryAcquire())
		assert.False(t, l.Allow())
		time.Sleep(500 * time.Millisecond)
		assert.EqualValues(t, 5, l.AvailableTokens())
		assert.True(t, l.TryAcquireN(5))
		start := time.Now()
		require.NoError(t, l.Wait(t.Context()))
		assert.Equal(t, 100*time.Millisecond, time.Since(start))
	})
}

func TestReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 5, OnLimit: ratelimit.Reject})
		require.NoError(t, l.AcquireN(t.Context(), 5))
		err := l.Acquire(t.Context())
		var exceeded *ratelimit.ExceededError
		require.ErrorAs(t, err, &exceeded)
		require.ErrorIs(t, err, ratelimit.ErrExceeded)
		assert.Equal(t, 100*time.Millisecond, exceeded.RetryAfter)
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, l.Acquire(t.Context()))
	})
}

func TestWaitsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 50, 1)
		start := time.Now()
		var order list[int]
		var at list[time.Duration]
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				assert.NoError(t, l.Acquire(t.Context()))
				order.add(i)
				at.add(time.Since(start))
			})
			synctest.Wait()
		}
		assert.False(t, l.TryAcquire(), "nobody goes past those who wait")
		wg.Wait()
		for i, got := range order.all {
			assert.Equal(t, i, got)
		}
		assert.Equal(t, time.Second, at.all[49], "the longest wait")
	})
}

// A cost above the burst is served over time, in its turn: small ones neither pass
// it by nor wait for long.
func TestCostAboveBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 2)
		start := time.Now()
		var wg sync.WaitGroup
		at := make([]time.Duration, 3)
		for i, n := range []float64{12, 1, 5} {
			wg.Go(func() {
				assert.NoError(t, l.AcquireN(t.Context(), n))
				at[i] = time.Since(start)
			})
			synctest.Wait()
		}
		wg.Wait()
		assert.Equal(t, []time.Duration{time.Second, 1100 * time.Millisecond, 1600 * time.Millisecond}, at)
		assert.Zero(t, l.AvailableTokens())
	})
}

// A hundred waiters that leave cost nothing, and whoever is behind moves up.
func TestCancelMovesUp(t *testing.T) {
	for _, leaves := range []string{"first", "middle", "last"} {
		t.Run(leaves, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := drained(t, 1, 1)
				start := time.Now()
				cause := errors.New("no longer needed")
				var stay, left sync.WaitGroup
				var cancels []context.CancelCauseFunc
				var at list[time.Duration]
				enter := func(gone bool) {
					if !gone {
						stay.Go(func() {
							assert.NoError(t, l.Acquire(t.Context()))
							at.add(time.Since(start))
						})
					} else {
						ctx, cancel := context.WithCancelCause(t.Context())
						cancels = append(cancels, cancel)
						left.Go(func() {
							err := l.Acquire(ctx)
							assert.ErrorIs(t, err, context.Canceled)
							assert.ErrorIs(t, err, cause)
						})
					}
					synctest.Wait()
				}
				for i := range 3 {
					if gone := i == map[string]int{"first": 0, "middle": 1, "last": 2}[leaves]; gone {
						for range 100 {
							enter(true)
						}
					} else {
						enter(false)
					}
				}
				time.Sleep(500 * time.Millisecond)
				for _, cancel := range cancels {
					cancel(cause)
				}
				left.Wait()
				stay.Wait()
				assert.Equal(t, []time.Duration{time.Second, 2 * time.Second}, at.all)
			})
		})
	}
}

// Cancelled while its token is granted: the token goes on, whoever wins.
func TestCancelAtTheInstantOfTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 1, 1)
		for range 1000 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := l.Acquire(ctx)
			cancel()
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.True(t, l.TryAcquire(), "it is there for another")
			}
			require.Less(t, l.AvailableTokens(), 0.5)
		}
	})
}

func TestEndedContext(t *testing.T) {
	cause := errors.New("shut down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	l := limiter(t, 0.01, 3)
	for range 100 {
		err := l.Acquire(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.Error(t, l.AcquireN(ctx, 2))
	}
	assert.InDelta(t, 3, l.AvailableTokens(), 0.1)
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 1, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		start := time.Now()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { assert.NoError(t, l.Acquire(ctx)) })
		}
		synctest.Wait()
		err := l.Acquire(ctx)
		assert.Zero(t, time.Since(start), "it fails at once")
		var late *ratelimit.DeadlineError
		require.ErrorAs(t, err, &late)
		require.ErrorIs(t, err, ratelimit.ErrWouldExceedDeadline)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, late.Wait)
		assert.Equal(t, 2500*time.Millisecond, late.Left)
		wg.Wait()
		assert.Zero(t, l.AvailableTokens(), "it took no token")
	})
}

func TestSetRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 1.0/3600, 1)
		start := time.Now()
		var wg sync.WaitGroup
		var at time.Duration
		wg.Go(func() {
			assert.NoError(t, l.Acquire(t.Context()))
			at = time.Since(start)
		})
		time.Sleep(1800 * time.Second)
		require.NoError(t, l.SetRate(10)) // half a token is there
		wg.Wait()
		assert.Equal(t, 1800*time.Second+50*time.Millisecond, at)

		// Slowed down, one with a deadline learns at once that it can't be met.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wg.Go(func() {
			assert.ErrorIs(t, l.Acquire(ctx), ratelimit.ErrWouldExceedDeadline)
			at = time.Since(start)
		})
		wg.Go(func() { assert.NoError(t, l.Acquire(t.Context())) })
		synctest.Wait()
		changed := time.Since(start)
		require.NoError(t, l.SetRate(0.1))
		synctest.Wait()
		assert.Equal(t, changed, at)
		wg.Wait()
		assert.InDelta(t, 10, (time.Since(start) - changed).Seconds(), 1e-6, "only one token was wanted")
	})
}

func TestSetBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 1, 5)
		require.NoError(t, l.SetBurst(2))
		assert.EqualValues(t, 2, l.AvailableTokens())
		require.NoError(t, l.SetBurst(10))
		assert.EqualValues(t, 2, l.AvailableTokens(), "room is no token")
		time.Sleep(time.Minute)
		assert.EqualValues(t, 10, l.AvailableTokens())
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 5)
		start := time.Now()
		l.PauseUntil(start.Add(time.Minute))
		l.PauseFor(time.Second) // ends earlier: no change
		l.PauseFor(-1)
		assert.False(t, l.TryAcquireN(0.01))
		require.NoError(t, l.SetRate(1))
		require.NoError(t, l.Acquire(t.Context()))
		assert.Equal(t, time.Minute, time.Since(start))
		require.NoError(t, l.Acquire(t.Context()))
		assert.Equal(t, time.Minute+time.Second, time.Since(start), "the burst must be earned anew")
		l.PauseFor(time.Hour)
		l.Reset()
		assert.True(t, l.TryAcquireN(5))
		l.PauseFor(math.MaxInt64)
		assert.False(t, l.TryAcquire())
	})
}

func TestReturnAndDebit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 0.01, 3)
		start := time.Now()
		done := make(chan error)
		go func() { done <- l.AcquireN(t.Context(), 2) }()
		synctest.Wait()
		require.NoError(t, l.Return(2))
		require.NoError(t, <-done)
		assert.Zero(t, time.Since(start), "it goes to the next who waits")
		require.NoError(t, l.Return(100))
		assert.EqualValues(t, 3, l.AvailableTokens())
		require.NoError(t, l.Debit(4))
		assert.EqualValues(t, -1, l.AvailableTokens())
		require.NoError(t, l.Acquire(t.Context()))
		assert.Equal(t, 200*time.Second, time.Since(start))
	})
}

func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 1, 1)
		first, err := l.Reserve(1)
		require.NoError(t, err)
		assert.Zero(t, first.Delay())
		second, err := l.Reserve(2)
		require.NoError(t, err)
		third, err := l.Reserve(1)
		require.NoError(t, err)
		assert.Equal(t, 2*time.Second, second.Delay())
		assert.Equal(t, 3*time.Second, third.Delay())
		start := time.Now()
		done := make(chan error)
		go func() { done <- l.Acquire(t.Context()) }()
		synctest.Wait()
		second.Cancel()
		second.Cancel()
		assert.Equal(t, time.Second, third.Delay())
		require.NoError(t, <-done)
		assert.Equal(t, 2*time.Second, time.Since(start), "who waits is behind those who reserved")
		assert.Zero(t, third.Delay())
		third.Cancel()
		assert.False(t, l.TryAcquire(), "its time came a second ago")
		time.Sleep(time.Second)
		fourth, err := l.Reserve(1)
		require.NoError(t, err)
		fourth.Cancel()
		assert.True(t, l.TryAcquire(), "at once")
		_, err = l.Reserve(1e30)
		require.ErrorIs(t, err, ratelimit.ErrInvalid)
	})
}

func TestOnWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		var l *ratelimit.Limiter
		l = ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1, OnWait: func(d time.Duration) {
			waits = append(waits, d)
			l.AvailableTokens() // no lock is held
			panic("dropped")
		}})
		require.NoError(t, l.Acquire(t.Context()))
		require.NoError(t, l.Acquire(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		require.Error(t, l.Acquire(ctx))
		assert.Equal(t, []time.Duration{time.Second, 300 * time.Millisecond}, waits)
	})
}

// Never is more granted than burst + rate × time, whatever interleaves, and none
// is lost: calls, attempts, cancels, returns and changes of the burst by 50
// goroutines. In virtual time, so that instants are exact.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, burst = 100, 7
		l := limiter(t, perSecond, burst)
		start := time.Now()
		var grants list[time.Duration]
		granted := func() { grants.add(time.Since(start)) }
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				for k := range 40 {
					switch {
					case (i+k)%5 == 0:
						if l.TryAcquire() {
							granted()
						}
						time.Sleep(time.Duration(i+k) * time.Millisecond)
					case (i+k)%7 == 0:
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+k)*time.Second/3)
						if l.Acquire(ctx) == nil {
							granted()
						}
						cancel()
					default:
						assert.NoError(t, l.Acquire(t.Context()))
						granted()
					}
				}
			})
		}
		wg.Wait()
		at := grants.all
		for i := range at {
			for j := i; j < len(at); j++ {
				window := at[j] - at[i]
				if most := burst + int(window*perSecond/time.Second); j-i+1 > most {
					require.LessOrEqual(t, j-i+1, most, "from %v to %v", at[i], at[j])
				}
			}
		}
		// Work-conserving: those who waited were served without a gap.
		assert.Greater(t, len(at), 1500)
	})
}

// The same in real time, with the lock-free path contended: what is allowed at once.
func TestContended(t *testing.T) {
	l := limiter(t, 1e-3, 1000)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for k := range 200 {
				if k%10 == 9 { // takes the lock
					if l.TryAcquireN(0.5) {
						assert.NoError(t, l.Return(0.5))
					}
				} else if l.TryAcquire() {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1000, allowed.Load())
}

// The clock of a process counts up from 0, that of a bubble from far below: waits and
// pauses in the former, a few milliseconds of them.
func TestRealClock(t *testing.T) {
	l := limiter(t, 1000, 1)
	for range 5 {
		require.NoError(t, l.Acquire(t.Context()))
	}
	l.PauseFor(time.Millisecond)
	require.NoError(t, l.Acquire(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, l.AcquireN(ctx, 3))
}

func TestAllocations(t *testing.T) {
	ctx := t.Context()
	l := limiter(t, 1e9, 1_000_000_000)
	call := func(context.Context) error { return nil }
	wrapped := ratelimit.Wrap(l, func(_ context.Context, i int) (int, error) { return i, nil })
	for name, f := range map[string]func(){
		"TryAcquire": func() { l.TryAcquire() },
		"Acquire":    func() { _ = l.Acquire(ctx) },
		"AcquireN":   func() { _ = l.AcquireN(ctx, 2.5) },
		"Do":         func() { _ = l.Do(ctx, call) },
		"Wrap":       func() { _, _ = wrapped(ctx, 1) },
	} {
		assert.Zero(t, testing.AllocsPerRun(1000, f), name)
	}
}

func TestForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := ratelimit.From(drained(t, 1, 1)) // ours has the same Wait
		err := p.Do(t.Context(), func(context.Context) error { return fmt.Errorf("after %v", time.Since(start)) })
		assert.EqualError(t, err, "after 1s")
		require.ErrorIs(t, p.Do(t.Context(), nil), ratelimit.ErrInvalid)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, p.Do(ctx, func(context.Context) error { panic("not called") }), context.Canceled)
	})
}
