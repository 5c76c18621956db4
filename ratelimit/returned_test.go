package ratelimit_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

// Tokens that were taken over three seconds and come back together don't let thirty
// of those pass at once who wait, however they come back.
func TestReturnedTokensAreNoBurst(t *testing.T) {
	for _, burst := range []int{1, 4} {
		for how, giveBack := range map[string]func(*ratelimit.Limiter){
			"one by one": func(l *ratelimit.Limiter) {
				for range 30 {
					_ = l.Return(1)
				}
			},
			"at once": func(l *ratelimit.Limiter) { _ = l.Return(30) },
		} {
			t.Run(how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := limiter(t, 10, burst)
					for range 30 {
						require.NoError(t, l.Acquire(t.Context()))
					}
					var mu sync.Mutex
					var wg sync.WaitGroup
					at := map[time.Time]int{}
					for range 40 {
						wg.Go(func() {
							_ = l.Acquire(t.Context())
							mu.Lock()
							defer mu.Unlock()
							at[time.Now()]++
						})
					}
					time.Sleep(50 * time.Millisecond)
					giveBack(l)
					wg.Wait()
					for _, n := range at {
						require.LessOrEqual(t, n, burst+1)
					}
				})
			})
		}
	}
}

// So do those of calls that a policy further in refused.
func TestRefusedTokensAreNoBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer, inner := limiter(t, 10, 1), drained(t, 1e-6, 1)
		held := ratelimit.Wrap(outer, ratelimit.Wrap(inner, func(context.Context, int) (int, error) { return 0, nil }))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() { _, _ = held(ctx, 0) })
		}
		time.Sleep(time.Millisecond)
		var mu sync.Mutex
		at := map[time.Time]int{}
		for range 60 {
			wg.Go(func() {
				_ = outer.Acquire(t.Context())
				mu.Lock()
				defer mu.Unlock()
				at[time.Now()]++
			})
		}
		time.Sleep(3050 * time.Millisecond)
		cancel()
		wg.Wait()
		for _, n := range at {
			require.LessOrEqual(t, n, 2)
		}
	})
}

// Cancel may be deferred: it takes nothing back that has been used.
func TestCancelAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 1)
		start := time.Now()
		for range 20 {
			func() {
				r, err := l.Reserve(1)
				require.NoError(t, err)
				defer r.Cancel()
				time.Sleep(r.Delay() + time.Millisecond)
			}()
		}
		require.GreaterOrEqual(t, time.Since(start), 1900*time.Millisecond)
	})
}

// Nor do those that come back in a pause, when it ends.
func TestReturnedInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 10, 5)
		l.PauseFor(time.Minute)
		require.NoError(t, l.Return(600))
		start := time.Now()
		for range 6 {
			require.NoError(t, l.Acquire(t.Context()))
		}
		require.Equal(t, time.Minute+100*time.Millisecond, time.Since(start))
	})
}

// A token is worth less the longer it was kept, to whomever it goes.
func TestWorthOfReturnedTokens(t *testing.T) {
	ctx := t.Context()
	refused := func(kept time.Duration) func(context.Context) error {
		return func(context.Context) error { time.Sleep(kept); return refusal{} }
	}
	for how, takeAndReturn := range map[string]func(l *ratelimit.Limiter, kept time.Duration){
		"ReturnAfter": func(l *ratelimit.Limiter, kept time.Duration) {
			require.NoError(t, l.Acquire(ctx))
			time.Sleep(kept)
			require.NoError(t, l.ReturnAfter(1, kept))
		},
		"refused": func(l *ratelimit.Limiter, kept time.Duration) {
			require.ErrorIs(t, l.Do(ctx, refused(kept)), refusal{})
		},
		"refused in a group": func(l *ratelimit.Limiter, kept time.Duration) {
			require.ErrorIs(t, ratelimit.All(limiter(t, 1000, 1000), l).Do(ctx, refused(kept)), refusal{})
		},
	} {
		t.Run(how, func(t *testing.T) {
			for _, c := range []struct {
				kept time.Duration
				want float64 // what came meanwhile, and what the token is still worth
			}{{0, 1}, {40 * time.Millisecond, 1}, {100 * time.Millisecond, 1}, {160 * time.Millisecond, 1.6}} {
				synctest.Test(t, func(t *testing.T) {
					l := limiter(t, 10, 3)
					require.True(t, l.TryAcquireN(2))
					takeAndReturn(l, c.kept)
					require.InDelta(t, c.want, l.AvailableTokens(), 1e-12, "kept for %v", c.kept)
				})
			}
		})
	}
}

// One that was waited for was taken when it was due.
func TestWorthOfATokenThatWasWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 10, 3)
		require.ErrorIs(t, l.Do(t.Context(), func(context.Context) error {
			time.Sleep(40 * time.Millisecond)
			return refusal{}
		}), refusal{})
		require.InDelta(t, 1, l.AvailableTokens(), 1e-12)
	})
}

// What is returned at once is worth all of it.
func TestReturnedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := drained(t, 1e9, 10)
		require.NoError(t, l.Return(2))
		require.EqualValues(t, 2, l.AvailableTokens())
		require.NoError(t, l.ReturnAfter(3, -time.Second))
		require.EqualValues(t, 5, l.AvailableTokens())
	})
}

// A bucket that was filled by hand, or has another rate, owes nothing for what was taken
// before.
func TestReturnedToAnotherBucket(t *testing.T) {
	for how, change := range map[string]func(*ratelimit.Limiter){
		"reset":   (*ratelimit.Limiter).Reset,
		"slower":  func(l *ratelimit.Limiter) { require.NoError(t, l.SetRate(1)) },
		"smaller": func(l *ratelimit.Limiter) { require.NoError(t, l.SetBurst(2)) },
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limiter(t, 10, 3)
				require.ErrorIs(t, l.Do(t.Context(), func(context.Context) error {
					change(l)
					for l.TryAcquire() { // until it is empty
					}
					return refusal{}
				}), refusal{})
				require.False(t, l.TryAcquire())
			})
		})
	}
}

// refusal is a policy's that refused the call that it was given.
type refusal struct{}

func (refusal) Error() string          { return "refused" }
func (refusal) Refused() time.Duration { return time.Second }
