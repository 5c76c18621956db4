package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sort"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
)

func costing(actual float64) func(context.Context) (float64, error) {
	return func(context.Context) (float64, error) { return actual, nil }
}

// What a call turns out to have cost is what it takes.
func TestDoCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
		require.NoError(t, l.DoCost(t.Context(), 40, costing(10)))
		require.InDelta(t, 90, l.AvailableTokens(), 1e-6)
		require.NoError(t, l.DoCost(t.Context(), 40, costing(-1)), "not known: the estimate")
		require.InDelta(t, 50, l.AvailableTokens(), 1e-6)
		require.NoError(t, l.DoCost(t.Context(), 10, costing(70)))
		require.InDelta(t, -20, l.AvailableTokens(), 1e-6, "a debt")
		require.NoError(t, l.DoCost(t.Context(), 0, costing(0)), "waits for nothing")
		began := time.Now()
		require.NoError(t, l.DoCost(t.Context(), 30, costing(30)))
		require.Equal(t, 500*time.Millisecond, time.Since(began))

		failed := errors.New("failed")
		require.ErrorIs(t, l.DoCost(t.Context(), 0, func(context.Context) (float64, error) { return 5, failed }), failed)
		require.InDelta(t, -5, l.AvailableTokens(), 1e-6, "a call that fails may cost, too")

		require.Panics(t, func() {
			_ = l.DoCost(t.Context(), 1, func(context.Context) (float64, error) { panic("boom") })
		})
		require.InDelta(t, 0, l.AvailableTokens(), 1e-6, "the estimate stands")
	})
}

func TestDoCostRefuses(t *testing.T) {
	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
	for _, estimate := range []float64{-1, math.NaN(), math.Inf(1)} {
		require.ErrorIs(t, l.DoCost(t.Context(), estimate, costing(1)), ratelimit.ErrInvalid)
	}
	require.ErrorIs(t, l.DoCost(t.Context(), 1, costing(math.Inf(1))), ratelimit.ErrInvalid)
	require.ErrorIs(t, l.DoCost(t.Context(), 1, nil), ratelimit.ErrInvalid)
	require.ErrorIs(t, l.DoCost(nil, 1, costing(1)), ratelimit.ErrInvalid) //nolint:staticcheck // as a caller may
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.DoCost(ended, 1, costing(1)), context.Canceled)

	reject := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, OnLimit: ratelimit.Reject})
	require.ErrorIs(t, reject.DoCost(t.Context(), 5, costing(1)), ratelimit.ErrExceeded)
}

// What a policy further in refused has cost nothing.
func TestDoCostOfACallNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
		inner := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, OnLimit: ratelimit.Reject})
		require.True(t, inner.TryAcquire())
		err := outer.DoCost(t.Context(), 40, func(ctx context.Context) (float64, error) {
			return 40, inner.Do(ctx, func(context.Context) error { return nil })
		})
		require.ErrorIs(t, err, ratelimit.ErrExceeded)
		require.InDelta(t, 60, outer.AvailableTokens(), 1e-6, "it was refused within the function, and that may have cost")
	})
}

// call is one that was granted at an instant, and has cost so much.
type call struct {
	at     time.Duration
	actual float64
}

// A service that counts what each call costs when it begins, and knows that, refuses none
// whose estimates are not too low: whatever comes between, the bucket is as if the cost had
// been known. And with estimates that are exact it loses nothing.
func TestDoCostModel(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			rate, burst := float64(50+random.IntN(1000)), 20+random.IntN(1000)
			l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: rate, BurstSize: burst})
			most := 1 + random.IntN(burst)
			var mu sync.Mutex
			var calls []call
			var group sync.WaitGroup
			began := time.Now()
			for w := range 1 + random.IntN(30) {
				own := rand.New(rand.NewPCG(seed, uint64(w)))
				group.Go(func() {
					for range 30 {
						if own.IntN(3) == 0 {
							time.Sleep(time.Duration(own.IntN(2000)) * time.Millisecond)
						}
						estimate := float64(1 + own.IntN(most))
						actual := math.Floor(estimate * own.Float64())
						err := l.DoCost(context.Background(), estimate, func(context.Context) (float64, error) {
							mu.Lock()
							calls = append(calls, call{time.Since(began), actual})
							mu.Unlock()
							time.Sleep(time.Duration(own.IntN(1500)) * time.Millisecond)
							return actual, nil
						})
						assert.NoError(t, err)
						if own.IntN(5) == 0 && l.TryAcquire() { // others take tokens of it, too
							mu.Lock()
							calls = append(calls, call{time.Since(began), 1})
							mu.Unlock()
						}
					}
				})
			}
			group.Wait()
			sort.SliceStable(calls, func(i, j int) bool { return calls[i].at < calls[j].at })
			level, at := float64(burst), time.Duration(0)
			for i, c := range calls {
				level = min(float64(burst), level+(c.at-at).Seconds()*rate) - c.actual
				at = c.at
				require.GreaterOrEqual(t, level, -1e-3, "seed %d, call %d of %d at %v", seed, i, len(calls), c.at)
			}
		})
	}
}

// Estimates that are far too high cost nothing where the bucket holds those in flight.
func TestDoCostGivesBackAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 6000})
		began := time.Now()
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				for range 40 {
					assert.NoError(t, l.DoCost(context.Background(), 100, func(context.Context) (float64, error) {
						time.Sleep(100 * time.Millisecond)
						return 5, nil
					}))
				}
			})
		}
		group.Wait()
		// 1000 tokens of the bucket stay: a call that costs 5 may begin only where 100 are.
		require.InDelta(t, (2000*5-6000)/100.0, time.Since(began).Seconds(), 4)
	})
}

func TestKeyedCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10}, 0)
		require.NoError(t, k.DoCost(t.Context(), "a", 5, costing(10)))
		wait, err := k.WouldTake("a", 2)
		require.NoError(t, err)
		require.Equal(t, 200*time.Millisecond, wait)
		require.Equal(t, 100*time.Millisecond, k.WouldWait("a"))
		require.Zero(t, k.WouldWait("b"))
		_, err = k.WouldTake("a", 0)
		require.ErrorIs(t, err, ratelimit.ErrInvalid)

		full := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10, OnLimit: ratelimit.Reject}, 0)
		require.NoError(t, full.DoCost(t.Context(), "a", 10, costing(10)))
		require.Zero(t, full.WouldWait("a"), "it would be refused at once")

		crowded := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1}, 1)
		require.NoError(t, crowded.Acquire(t.Context(), "a"))
		wait, err = crowded.WouldTake("b", 1)
		require.NoError(t, err)
		require.Zero(t, wait, "it would be refused: there are too many keys")
	})
}

type later time.Duration

func (e later) Error() string             { return "429" }
func (e later) RetryAfter() time.Duration { return time.Duration(e) }

// What calls under way turn out not to have cost does not undo a pause that one of them was
// answered with, nor what a service says is left.
func TestDoCostAndPauses(t *testing.T) {
	for name, end := range map[string]func(*ratelimit.Limiter){
		"429":   func(*ratelimit.Limiter) {},
		"pause": func(l *ratelimit.Limiter) { l.PauseFor(10 * time.Second) },
		"left":  func(l *ratelimit.Limiter) { l.Remaining(5, time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1000})
				var group sync.WaitGroup
				for i := range 10 {
					group.Go(func() {
						_ = l.DoCost(context.Background(), 100, func(context.Context) (float64, error) {
							time.Sleep(time.Second + time.Duration(i)*time.Millisecond)
							if i == 0 {
								end(l)
							}
							if i == 0 && name == "429" {
								return 0, later(10 * time.Second)
							}
							return 10, nil
						})
					})
				}
				group.Wait()
				if name != "left" {
					time.Sleep(11 * time.Second) // the pause, and a tenth more
				}
				require.LessOrEqual(t, l.AvailableTokens(), 20.0)
			})
		})
	}
}

// Small amounts are not rounded away, those of waiters that another rate serves are known, and
// a call without an estimate slows an adaptive limiter down as any other.
func TestDoCostOddities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.001, BurstSize: 1})
		for range 50_000 {
			require.NoError(t, l.DoCost(t.Context(), 0.0000019, costing(0.0000018)))
		}
		require.LessOrEqual(t, l.AvailableTokens(), 1-0.09)

		l = ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 100})
		require.True(t, l.TryAcquireN(100))
		var group sync.WaitGroup
		group.Go(func() { assert.NoError(t, l.DoCost(context.Background(), 50, costing(0))) })
		time.Sleep(time.Second)
		require.NoError(t, l.SetRate(2))
		group.Wait()
		require.InDelta(t, 50, l.AvailableTokens(), 1)
	})
	rate := func(estimate float64) float64 {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 10, Adapt: &ratelimit.Adapt{Throttled: func(error) bool { return true }}})
		for range 6 {
			_ = l.DoCost(t.Context(), estimate, func(context.Context) (float64, error) { return estimate, errors.New("429") })
		}
		return l.Rate()
	}
	require.InDelta(t, rate(1), rate(0), 1)

	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
	require.NoError(t, l.DoCost(t.Context(), 10, func(context.Context) (float64, error) {
		synctest.Test(t, func(*testing.T) { l.TryAcquire() }) // by a clock that knows nothing of before
		return 5, nil
	}))
}

// Who waits is not let pass by what a refused call gives back, when that call was asked to wait.
func TestDoCostHeedsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 10})
		var group sync.WaitGroup
		group.Go(func() {
			_ = l.DoCost(context.Background(), 10, func(context.Context) (float64, error) {
				time.Sleep(time.Second)
				return 0, later(time.Minute)
			})
		})
		synctest.Wait()
		began := time.Now()
		require.NoError(t, l.DoCost(t.Context(), 5, costing(5)))
		require.GreaterOrEqual(t, time.Since(began), time.Minute)
		group.Wait()
	})
}
