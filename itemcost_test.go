package amorsize_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

type prompt struct{ words, answer, index int }

type reply struct{ tokens int }

// countingService takes so many requests a minute, and so many tokens, which it counts when a
// call has ended. It refuses whoever comes when there is nothing left.
type countingService struct {
	mu               sync.Mutex
	at               time.Time
	requests, tokens float64 // that it has left
	rpm, tpm, most   float64 // most is how many tokens it keeps
	refused          int
	spent            float64
}

func (s *countingService) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	past := now.Sub(s.at).Minutes()
	s.at = now
	s.requests = min(s.requests+past*s.rpm, s.rpm/60)
	s.tokens = min(s.tokens+past*s.tpm, s.most)
	const rounding = 1e-6
	if s.requests < 1-rounding || s.tokens < -rounding {
		s.refused++
		return false
	}
	s.requests--
	return true
}

func (s *countingService) count(tokens int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens -= float64(tokens)
	s.spent += float64(tokens)
}

var errRefused = fmt.Errorf("429")

// 2000 model calls under requests and tokens per minute, what they use known afterwards: as
// fast as the service allows, and none refused.
func TestCostOfModelCalls(t *testing.T) {
	for _, c := range []struct {
		name           string
		calls, burst   int
		estimate, uses func(i int) int
	}{
		{"exact", 2000, 1000, func(i int) int { return 20 + i*7%30 }, func(i int) int { return 20 + i*7%30 }},
		{"too high", 600, 1000, func(i int) int { return 120 }, func(i int) int { return 20 + i*7%40 }},
		{"too low", 600, 1000, func(i int) int { return 10 }, func(i int) int { return 15 + i*7%30 }},
		{"of all sizes", 2000, 1000, func(i int) int { return 240 }, func(i int) int { return 10 + i*31%470*(i%3)/2 }},
		{"the most that they may use", 1000, 60_000, func(i int) int { return 2000 }, func(i int) int { return 10 + i*31%270*(i%3)/2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &countingService{at: time.Now(), rpm: 600, tpm: 60_000, most: float64(c.burst), requests: 10, tokens: float64(c.burst)}
				prompts := make([]prompt, c.calls)
				for i := range prompts {
					prompts[i] = prompt{words: c.estimate(i), answer: c.uses(i), index: i}
				}
				ask := func(_ context.Context, p prompt) (reply, error) {
					if !s.take() {
						return reply{}, errRefused
					}
					// No call ends at the instant at which another one begins: the service has counted its tokens
					// then, and the limiter may not know yet.
					time.Sleep(400*time.Millisecond + time.Duration(p.answer)*5*time.Millisecond + time.Duration(p.index)*time.Nanosecond)
					s.count(p.answer)
					return reply{p.answer}, nil
				}

				requests := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
				tokens := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000, BurstSize: c.burst})
				var report amorsize.Report
				began := time.Now()
				_, err := amorsize.ExecuteContext(t.Context(), ask, prompts, amorsize.WithReport(&report), amorsize.WithPolicies(requests,
					amorsize.Cost(tokens, func(p prompt) float64 { return float64(p.words) }, func(r reply, err error) float64 { return float64(r.tokens) })))
				took := time.Since(began)

				require.NoError(t, err)
				require.Zero(t, s.refused)
				ideal := max((float64(c.calls)-10)/10, (s.spent-float64(c.burst))/1000)
				t.Logf("%.1f s, ideally %.1f s; %s", took.Seconds(), ideal, report.String())
				require.InDelta(t, 1, took.Seconds()/ideal, 0.03)
				require.InDelta(t, 1, took.Seconds()/report.PredictedDuration.Seconds(), 0.1)
			})
		})
	}
}

// A batch costs what its items do, each attempt what it is given, and by key it waits for its
// own.
func TestCostOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
		tables := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 1000}, 0)
		var given atomic.Int64
		items := make([]int, 1000)
		began := time.Now()
		_, err := amorsize.ExecuteBatches(t.Context(), func(_ context.Context, batch []int) ([]int, error) {
			given.Add(int64(len(batch)))
			if len(batch) > 10 { // the last ones are to be given again
				failed := map[int]error{}
				for i := 10; i < len(batch); i++ {
					failed[i] = errRefused
				}
				return batch, &amorsize.PartialError{Failed: failed}
			}
			return batch, nil
		}, items, amorsize.WithChunkSize(25), amorsize.WithPolicies(
			retry.MustNew(retry.Policy{MaxRetries: 3, InitialDelay: time.Millisecond}),
			amorsize.ByKey(tables, func(batch []int) int { return batch[0] }),
			amorsize.Cost(rows, func(batch []int) float64 { return float64(len(batch)) }, func(done []int, _ error) float64 { return -1 })))
		require.NoError(t, err)
		require.EqualValues(t, 40*(25+15+5), given.Load())
		require.InDelta(t, (40*45-100)/100.0, time.Since(began).Seconds(), 0.5)
	})
}

// By key, tokens of each tenant: one with long answers does not hold up the others.
func TestCostByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenants := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 100}, 0)
		pages := sortedPages(4, 50)
		var mu sync.Mutex
		finished := map[string]time.Duration{}
		began := time.Now()
		_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, p page) (int, error) {
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			finished[p.host] = time.Since(began)
			mu.Unlock()
			return map[bool]int{true: 50, false: 10}[p.host == "host0"], nil
		}, pages, amorsize.WithPolicies(amorsize.CostByKey(tenants, hostOf,
			func(page) float64 { return 30 }, func(used int, _ error) float64 { return float64(used) })))
		require.NoError(t, err)
		require.InDelta(t, (50*50-100)/100.0, finished["host0"].Seconds(), 1)
		for _, host := range []string{"host1", "host2", "host3"} {
			require.InDelta(t, (50*10-100)/100.0, finished[host].Seconds(), 1, host)
		}
	})
}

// Neither a key nor a cost allocates anything per item.
func TestItemPoliciesAllocateNothing(t *testing.T) {
	limiters := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 100_000}, 0) // a full bucket would be dropped
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e9, BurstSize: 1e9})
	measure := func(n int) float64 {
		items := make([]int, n)
		return testing.AllocsPerRun(5, func() {
			_, _ = amorsize.Execute(func(i int) (int, error) { return i, nil }, items, amorsize.WithWorkers(1), amorsize.WithPolicies(
				amorsize.ByKey(limiters, func(i int) int { return i % 10 }),
				amorsize.Cost(limiter, func(int) float64 { return 2 }, func(int, error) float64 { return 1 })))
		})
	}
	measure(2000)
	require.InDelta(t, 0, (measure(8000)-measure(2000))/6000, 0.05)
}

// An item that no bucket holds waits in the limiter's line, and one that never may be is
// refused.
func TestCostByKeyAboveTheBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 10}, 0)
		run := func(items []float64) error {
			_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, n float64) (float64, error) {
				time.Sleep(100 * time.Millisecond)
				return n, nil
			}, items, amorsize.WithPolicies(amorsize.CostByKey(tokens,
				func(float64) string { return "a" }, func(n float64) float64 { return n }, func(r float64, _ error) float64 { return r })))
			return err
		}
		began := time.Now()
		require.NoError(t, run(slices.Repeat([]float64{20}, 50)))
		require.InDelta(t, 99, time.Since(began).Seconds(), 1)
		require.ErrorIs(t, run([]float64{1, 1e300, 1}), ratelimit.ErrExceeded)
	})
}

// A parked item hears of a call that has cost less than was thought, of a limiter that was
// reset, and is not passed over for ever by others who take from the same limiter.
func TestParkedItemsHearOfChanges(t *testing.T) {
	one := func(_ context.Context, n int) (int, error) {
		time.Sleep(100 * time.Millisecond)
		return n, nil
	}
	key := func(int) string { return "a" }
	took := func(t *testing.T, policy amorsize.Policy) time.Duration {
		began := time.Now()
		_, err := amorsize.ExecuteContext(t.Context(), one, make([]int, 100), amorsize.WithWorkers(4), amorsize.WithPolicies(policy))
		require.NoError(t, err)
		return time.Since(began)
	}
	t.Run("a cost that was less", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1000}
			estimate, used := func(int) float64 { return 1000 }, func(int, error) float64 { return 10 }
			plain := took(t, amorsize.Cost(ratelimit.MustNew(p), estimate, used))
			keyed := took(t, amorsize.CostByKey(ratelimit.MustNewKeyed[string](p, 0), key, estimate, used))
			require.InDelta(t, plain.Seconds(), keyed.Seconds(), 2)
		})
	})
	t.Run("a reset", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 1}, 0)
			require.NoError(t, k.Use("a", func(l *ratelimit.Limiter) error { l.PauseFor(20 * time.Hour); return nil }))
			time.AfterFunc(time.Minute, func() {
				assert.NoError(t, k.Use("a", func(l *ratelimit.Limiter) error { l.Reset(); return nil }))
			})
			require.Less(t, took(t, amorsize.ByKey(k, key)), 70*time.Second)
		})
	})
	t.Run("others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1}, 0)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range 2 {
				go func() {
					for k.Acquire(ctx, "a") == nil {
						runtime.Gosched()
					}
				}()
			}
			require.Less(t, took(t, amorsize.ByKey(k, key)), time.Minute, "at least a sixth of the rate")
		})
	})
}
