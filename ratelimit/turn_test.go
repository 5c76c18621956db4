package ratelimit

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// acquirers wait for tokens of a limiter, alone and as one of a group.
var acquirers = map[string]func(context.Context, *Limiter, float64) error{
	"alone": func(ctx context.Context, l *Limiter, n float64) error { return l.AcquireN(ctx, n) },
	"in a group": func(ctx context.Context, l *Limiter, n float64) error {
		return All(MustNew(Policy{RequestsPerSecond: 100}), l).AcquireEach(ctx, 1, n)
	},
}

// changes are what makes those wait for longer who have waited for one of five tokens, at
// one per second, and how long then.
var changes = map[string]struct {
	change func(*Limiter) error
	wait   time.Duration
}{
	"a slower rate": {func(l *Limiter) error { return l.SetRate(0.5) }, 2 * time.Second},
	"a debt":        {func(l *Limiter) error { return l.Debit(3) }, 4 * time.Second},
	"a pause":       {func(l *Limiter) error { l.PauseFor(10 * time.Second); return nil }, 14 * time.Second},
	"an answer":     {func(l *Limiter) error { l.Remaining(1, 0); return nil }, 4 * time.Second},
}

// Whose turn would come after their deadline because of a change is told at once, and
// nothing is taken.
func TestDeadlineAfterAChange(t *testing.T) {
	for who, acquire := range acquirers {
		for what, c := range changes {
			t.Run(who+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 10})
					require.True(t, l.TryAcquireN(6))
					ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
					defer cancel()
					start, done := time.Now(), make(chan error, 1)
					go func() { done <- acquire(ctx, l, 5) }()
					synctest.Wait()
					require.NoError(t, c.change(l))
					var late *DeadlineError
					require.ErrorAs(t, <-done, &late)
					require.Equal(t, DeadlineError{Wait: c.wait, Left: 1500 * time.Millisecond}, *late)
					require.Zero(t, time.Since(start))
					require.True(t, l.line == nil || l.line.head == nil)
				})
			})
		}
	}
}

// Who comes in time after all stays: at the deadline, too.
func TestInTimeAfterAChange(t *testing.T) {
	for who, acquire := range acquirers {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 10})
				require.True(t, l.TryAcquireN(6))
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				start, done := time.Now(), make(chan error, 1)
				go func() { done <- acquire(ctx, l, 5) }()
				synctest.Wait()
				require.NoError(t, l.SetRate(2.0/3)) // now exactly at the deadline
				synctest.Wait()
				require.Empty(t, done)
				require.NoError(t, l.SetRate(0.8))
				require.NoError(t, <-done)
				require.Equal(t, 1250*time.Millisecond, time.Since(start))
			})
		})
	}
}

// A turn is known from what those ahead want; when one of them goes, the others move up.
func TestTurnsAfterAChange(t *testing.T) {
	for _, c := range []struct {
		first time.Duration // whose deadline it is, or 0
		wants error
	}{
		{0, &DeadlineError{Wait: 4 * time.Second, Left: 2500 * time.Millisecond}},
		{1500 * time.Millisecond, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 10})
			require.True(t, l.TryAcquireN(6))
			b, now := l.lock()
			first, second := newWaiter(amount(5)), newWaiter(amount(1))
			if c.first > 0 {
				first.deadline = now + c.first
			}
			second.deadline = now + 2500*time.Millisecond
			l.enter(b, now, first)
			l.enter(b, now, second)
			l.unlock(b, now)
			require.NoError(t, l.SetRate(0.5))
			require.Equal(t, c.first > 0, first.err != nil)
			require.Equal(t, c.wants, second.err)
			require.Equal(t, c.wants == nil, second.granted)
			l.leave(first)
		})
	}
}

// Whose tokens are there because of a change gets them, if their context has just ended:
// it is for themselves to see that.
func TestServedAfterItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
		require.True(t, l.TryAcquire())
		b, now := l.lock()
		w := newWaiter(amount(1))
		w.deadline = now + time.Millisecond
		l.enter(b, now, w)
		l.unlock(b, now)
		time.Sleep(2 * time.Millisecond)
		l.Reset()
		require.True(t, w.granted)
		require.NoError(t, <-w.done)
	})
}

// No change refuses anybody who has no deadline, however long it takes.
func TestNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: MinRate, BurstSize: 1})
		r, err := l.Reserve(1000)
		require.NoError(t, err)
		require.NoError(t, l.SetBurst(2))
		require.Equal(t, 999_000_000*time.Second, r.Delay())
	})
}

// Reset serves those at once who wait.
func TestResetServes(t *testing.T) {
	for who, acquire := range acquirers {
		for how, empty := range map[string]func(*Limiter){
			"drained": func(l *Limiter) { l.TryAcquireN(2) },
			"owing":   func(l *Limiter) { _ = l.Debit(10) },
			"paused":  func(l *Limiter) { l.PauseFor(time.Hour) },
		} {
			t.Run(who+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 2})
					empty(l)
					start, done := time.Now(), make(chan error, 1)
					go func() { done <- acquire(t.Context(), l, 2) }()
					time.Sleep(300 * time.Millisecond)
					l.Reset()
					require.NoError(t, <-done)
					require.Equal(t, 300*time.Millisecond, time.Since(start))
				})
			})
		}
	}
}

// What has come for one who wants more than a bucket holds is for them alone. It stays if
// another leaves, and goes with them.
func TestLeavingALine(t *testing.T) {
	for leaves, want := range map[int][]time.Duration{
		0: {0, 5 * time.Second, 6 * time.Second},
		1: {9 * time.Second, 0, 10 * time.Second},
		2: {9 * time.Second, 10 * time.Second, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
			start := time.Now()
			at := make([]time.Duration, 3)
			var leave context.CancelFunc
			for i, n := range []float64{10, 1, 1} {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i == leaves {
					leave = cancel
				}
				go func() {
					if l.AcquireN(ctx, n) == nil {
						at[i] = time.Since(start)
					}
				}()
				synctest.Wait()
			}
			time.Sleep(5 * time.Second)
			leave()
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, want, at, "%d leaves", leaves)
		})
	}
}

// Who is served late was due before: what they give back is worth less by that time.
func TestDueBeforeALateWakeUp(t *testing.T) {
	for perSecond, due := range map[float64]time.Duration{100: 10 * time.Millisecond, 300: 3_333_334} {
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{RequestsPerSecond: perSecond, BurstSize: 3})
			require.True(t, l.TryAcquireN(3))
			b, now := l.lock()
			l.unlock(b, now)
			w := enterLate(l, 1, due+2*time.Millisecond)[0]
			require.Equal(t, now+due, w.due)
			l.leave(w)
			l.leave(w) // does nothing any more
			require.InDelta(t, 1, l.AvailableTokens(), 1e-6, "0.2 or 0.6 that came, and what is left of the token")
		})
	}
}

// Who is served at the instant at which their context ends has not got the token, whatever
// they see first.
func TestServedAndCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
		for range 50 {
			require.True(t, l.TryAcquire())
			b, now := l.lock()
			w := newWaiter(amount(1))
			l.enter(b, now, w)
			l.unlock(b, now)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			l.Reset()
			require.True(t, w.granted)
			require.ErrorIs(t, l.await(ctx, w, now), context.Canceled)
			require.EqualValues(t, 1, l.AvailableTokens())
		}
	})
}

// Where a bucket owes tokens, nobody's turn begins before it has paid: after a pause, too.
func TestDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 5})
		l.PauseFor(10 * time.Second)
		require.NoError(t, l.Debit(3))
		for _, c := range []struct{ after, want time.Duration }{
			{0, 10 * time.Second}, {10*time.Second - 1, 1}, {1, 2 * time.Second}, {1500 * time.Millisecond, 500 * time.Millisecond}, {time.Second, 0},
		} {
			time.Sleep(c.after)
			b, now := l.lock()
			require.Equal(t, c.want, l.debt(b, now, amount(2)))
			l.unlock(b, now)
		}
	})
}

// From 100 000 per second on, those who wait are served together by the clock of a process.
func TestServedTogether(t *testing.T) {
	for perSecond, want := range map[float64]bool{99_999: false, 100_000: true, 300_000: true} {
		l := MustNew(Policy{RequestsPerSecond: perSecond, BurstSize: 1})
		b, now := l.lock()
		l.admit(b, now, amount(1))
		w := newWaiter(amount(1))
		l.enter(b, now, w)
		l.unlock(b, now)
		require.Equal(t, want, l.line.batched, perSecond)
		require.Equal(t, want, l.line.armedFor == now+batchTime, perSecond)
		l.leave(w)
	}
}

// A turn beyond the end of time is at the end of it.
func TestTurnBeyondTheEndOfTime(t *testing.T) {
	l := MustNew(Policy{RequestsPerSecond: 1e9, BurstSize: 1})
	require.NoError(t, l.Debit(0x1p63-2048))
	b, now := l.lock()
	w := newWaiter(amount(1))
	l.enter(b, now, w)
	l.unlock(b, now)
	require.True(t, l.line.armed)
	require.Equal(t, time.Duration(math.MaxInt64), l.line.armedFor)
	l.leave(w)
}
