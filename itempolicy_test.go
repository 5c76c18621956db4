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

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

type page struct {
	host string
	n    int
}

func hostOf(p page) string { return p.host }

// sortedPages are so many pages of each of the hosts, host by host.
func sortedPages(hosts, each int) (pages []page) {
	for h := range hosts {
		for n := range each {
			pages = append(pages, page{fmt.Sprintf("host%d", h), n})
		}
	}
	return pages
}

// A list that is sorted by host takes no longer than the rate of a host allows, and none of
// its calls waits in a worker.
func TestByKeyOfSortedHosts(t *testing.T) {
	const hosts, each, rate = 10, 200, 20
	pages := sortedPages(hosts, each)
	ideal := time.Duration(each-1) * time.Second / rate
	fetch := func(ctx context.Context, p page) (string, error) {
		time.Sleep(60 * time.Millisecond)
		return fmt.Sprint(p.host, p.n), ctx.Err()
	}
	check := func(t *testing.T, took time.Duration, report *amorsize.Report) {
		t.Helper()
		require.Less(t, took, ideal*105/100)
		require.Equal(t, amorsize.BoundByPolicies, report.Bound)
		most := 0
		for _, m := range report.Timeline {
			most = max(most, m.Held)
		}
		require.LessOrEqual(t, most, hosts, "calls held back")
	}
	options := func(report *amorsize.Report) []amorsize.Option {
		limiters := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: rate, BurstSize: 1}, 0)
		return []amorsize.Option{amorsize.WithPolicies(amorsize.ByKey(limiters, hostOf)), amorsize.WithReport(report)}
	}
	t.Run("slice", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var report amorsize.Report
			began := time.Now()
			out, err := amorsize.ExecuteContext(t.Context(), fetch, pages, options(&report)...)
			require.NoError(t, err)
			for i, p := range pages {
				require.Equal(t, fmt.Sprint(p.host, p.n), out[i])
			}
			check(t, time.Since(began), &report)
		})
	})
	for _, unordered := range []bool{false, true} {
		t.Run(fmt.Sprint("stream, unordered ", unordered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var report amorsize.Report
				began := time.Now()
				opts := options(&report)
				if unordered {
					opts = append(opts, amorsize.WithUnordered())
				}
				seen := make([]bool, len(pages))
				for r := range amorsize.Stream(t.Context(), fetch, slices.Values(pages), opts...) {
					require.NoError(t, r.Err)
					require.False(t, seen[r.Index])
					seen[r.Index] = true
					require.Equal(t, fmt.Sprint(r.Item.host, r.Item.n), r.Value)
				}
				require.NotContains(t, seen, false)
				check(t, time.Since(began), &report)
			})
		})
	}
}

// One dead host among ten: the others finish at their own rate.
func TestByKeyOfADeadHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hosts, each, rate = 10, 100, 20
		pages := sortedPages(hosts, each)
		limiters := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: rate, BurstSize: 1}, 0)
		breakers := circuitbreaker.MustNewKeyed[string](circuitbreaker.Policy{
			FailureThreshold: 5, OpenFor: 10 * time.Second, WhenOpen: circuitbreaker.Wait, MaxWait: time.Minute,
		}, 0)
		var mu sync.Mutex
		finished := map[string]time.Duration{}
		began := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var done atomic.Int64
		_, err := amorsize.ExecuteContext(ctx, func(ctx context.Context, p page) (int, error) {
			if p.host == "host0" {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				return 0, fmt.Errorf("%s: no route", p.host)
			}
			time.Sleep(60 * time.Millisecond)
			mu.Lock()
			finished[p.host] = time.Since(began)
			mu.Unlock()
			if done.Add(1) == (hosts-1)*each {
				cancel() // the dead one would take for ever
			}
			return p.n, nil
		}, pages, amorsize.WithErrors(amorsize.Collect), amorsize.WithPolicies(
			retry.MustNew(retry.Policy{MaxRetries: 2, InitialDelay: 100 * time.Millisecond}),
			amorsize.ByKey(breakers, hostOf), amorsize.ByKey(limiters, hostOf)))
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, finished, hosts-1)
		ideal := time.Duration(each-1)*time.Second/rate + 60*time.Millisecond
		for host, at := range finished {
			require.Less(t, at, ideal*105/100, host)
		}
	})
}

// However calls end, each item is run once, no item is left parked, and limiters have their
// tokens: by key, in a run, a stream and an engine.
func TestByKeyMatrix(t *testing.T) {
	boom := fmt.Errorf("boom")
	ends := map[string]func(n int) error{
		"ok":    func(int) error { return nil },
		"error": func(n int) error { return map[bool]error{true: boom}[n%3 == 0] },
		"exit": func(n int) error {
			if n%50 == 7 {
				runtime.Goexit()
			}
			return map[bool]error{true: boom}[n == 9]
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pages := sortedPages(5, 40)
				limiters := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 50, BurstSize: 2}, 0)
				breakers := circuitbreaker.MustNewKeyed[string](circuitbreaker.Policy{FailureThreshold: 3, OpenFor: time.Second, WhenOpen: circuitbreaker.Wait}, 0)
				opts := []amorsize.Option{
					amorsize.WithErrors(amorsize.Collect),
					amorsize.WithPolicies(amorsize.ByKey(breakers, hostOf), amorsize.ByKey(limiters, hostOf)),
				}
				ran := make([]atomic.Int32, len(pages))
				fetch := func(_ context.Context, p page) (int, error) {
					at := slices.Index(pages, p)
					ran[at].Add(1)
					time.Sleep(20 * time.Millisecond)
					return at, end(p.n)
				}
				all := func(what string) {
					t.Helper()
					for i := range ran {
						require.EqualValues(t, 1, ran[i].Swap(0), "%s, item %d", what, i)
					}
				}
				if name != "exit" { // in a run, that of the caller's own goroutine ends it, as in any function
					_, _ = amorsize.ExecuteContext(t.Context(), fetch, pages, opts...)
					all("run")
					engine, err := amorsize.New(fetch, opts...)
					require.NoError(t, err)
					_, _ = engine.Run(t.Context(), pages)
					all("engine")
				}
				seen := 0
				for r := range amorsize.Stream(t.Context(), fetch, slices.Values(pages), opts...) {
					require.Equal(t, seen, r.Index)
					seen++
				}
				require.Equal(t, len(pages), seen)
				all("stream")
				time.Sleep(time.Minute)
				for h := range 5 {
					require.NoError(t, limiters.Use(fmt.Sprint("host", h), func(l *ratelimit.Limiter) error {
						require.InDelta(t, 2, l.AvailableTokens(), 1e-9)
						return nil
					}))
				}
			})
		})
	}
}

// Parked items hear that the run is over: by a failure, a panic, the end of the context, a
// loop that is left. None of them runs any more, and a stream tells of them.
func TestByKeyEnds(t *testing.T) {
	limited := func() amorsize.Option {
		limiters := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1}, 0)
		return amorsize.WithPolicies(amorsize.ByKey(limiters, hostOf))
	}
	pages := sortedPages(3, 100)
	t.Run("failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var ran atomic.Int32
			_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, p page) (int, error) {
				if ran.Add(1) == 10 {
					return 0, errRefused
				}
				return 0, nil
			}, pages, limited())
			require.ErrorIs(t, err, errRefused)
			require.EqualValues(t, 10, ran.Load())
		})
	})
	t.Run("panic", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var ran atomic.Int32
			require.Panics(t, func() {
				_, _ = amorsize.ExecuteContext(t.Context(), func(_ context.Context, p page) (int, error) {
					if ran.Add(1) == 10 {
						panic("boom")
					}
					return 0, nil
				}, pages, limited())
			})
			require.EqualValues(t, 10, ran.Load())
		})
	})
	t.Run("cancel", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
			defer cancel()
			var ran, told atomic.Int32
			for r := range amorsize.Stream(ctx, func(_ context.Context, p page) (int, error) { ran.Add(1); return 0, nil }, slices.Values(pages), limited()) {
				if r.Index >= 0 {
					told.Add(1)
				}
			}
			require.EqualValues(t, 18, ran.Load())
			require.Greater(t, told.Load(), ran.Load(), "what was parked is told of")
		})
	})
	t.Run("left", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for r := range amorsize.Stream(t.Context(), func(_ context.Context, p page) (int, error) { return 0, nil }, slices.Values(pages), limited(), amorsize.WithUnordered()) {
				require.NoError(t, r.Err)
				if r.Item.n == 3 {
					break
				}
			}
		})
	})
}

// A key that cannot be told is the item's failure, and nobody else's.
func TestByKeyOfAPanickingKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiters := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 20, BurstSize: 1}, 0)
		pages := sortedPages(3, 20)
		seen := 0
		for r := range amorsize.Stream(t.Context(), func(_ context.Context, p page) (int, error) { return p.n, nil }, slices.Values(pages),
			amorsize.WithErrors(amorsize.Collect), amorsize.WithPolicies(amorsize.ByKey(limiters, func(p page) string {
				if p.n == 7 {
					runtime.Goexit()
				}
				return p.host
			}))) {
			if r.Item.n == 7 {
				require.ErrorIs(t, r.Err, amorsize.ErrGoexit)
			} else {
				require.NoError(t, r.Err)
			}
			seen++
		}
		require.Equal(t, len(pages), seen)
		require.Panics(t, func() {
			_, _ = amorsize.ExecuteContext(t.Context(), func(_ context.Context, p page) (int, error) { return p.n, nil }, pages,
				amorsize.WithPolicies(amorsize.ByKey(limiters, func(page) string { panic("no key") })))
		})
	})
}

// A policy for other items is an error before anything is run, and so is one that lacks a part.
func TestItemPoliciesOfOtherTypes(t *testing.T) {
	limiters := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 20}, 0)
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 20})
	run := func(p amorsize.Policy) error {
		_, err := amorsize.Execute(func(int) (int, error) { t.Error("called"); return 0, nil }, []int{1, 2}, amorsize.WithPolicies(limiter, p))
		return err
	}
	one := func(int) float64 { return 1 }
	for want, p := range map[string]amorsize.Policy{
		"amorsize: WithPolicies[1] = one for items of amorsize_test.page: must be for items of int with results of int":         amorsize.ByKey(limiters, hostOf),
		"amorsize: WithPolicies[1] = one for items of int with results of string: must be for items of int with results of int": amorsize.Cost(limiter, one, func(string, error) float64 { return 1 }),
		"amorsize: WithPolicies[1] = one that lacks a part: must be a policy and its functions":                                 amorsize.Cost[int, int](limiter, nil, nil),
	} {
		err := run(p)
		require.ErrorIs(t, err, amorsize.ErrConfig)
		require.EqualError(t, err, want)
		require.ErrorIs(t, p.Do(t.Context(), func(context.Context) error { return nil }), amorsize.ErrConfig, "outside of a run")
	}
	_, err := amorsize.ExecuteBatches(t.Context(), func(_ context.Context, items []int) ([]int, error) { return items, nil }, []int{1},
		amorsize.WithPolicies(amorsize.Cost(limiter, one, func(int, error) float64 { return 1 })))
	require.ErrorIs(t, err, amorsize.ErrConfig)
}

// Items that a breaker sends back, and a retrier makes wait, hold up none of other keys: of theirs
// one waits at a time.
func TestByKeyOfRefusedItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages := sortedPages(3, 20)
		limiters := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1}, 0)
		breakers := circuitbreaker.MustNewKeyed[string](circuitbreaker.Policy{FailureThreshold: 3, OpenFor: time.Minute}, 0)
		run := func(maxDelay time.Duration) (all, others time.Duration) {
			var mu sync.Mutex
			began := time.Now()
			_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, p page) (int, error) {
				if p.host == "host0" {
					return 0, errRefused
				}
				mu.Lock()
				defer mu.Unlock()
				others = max(others, time.Since(began))
				return 1, nil
			}, pages, amorsize.WithErrors(amorsize.Collect), amorsize.WithPolicies(
				retry.MustNew(retry.Policy{MaxRetries: 2, MaxDelay: maxDelay}), amorsize.ByKey(breakers, hostOf), amorsize.ByKey(limiters, hostOf)))
			require.Error(t, err)
			return time.Since(began), others
		}
		all, others := run(10 * time.Second)
		require.Less(t, others, 3*time.Second)
		require.Less(t, all, 15*time.Second, "a minute is longer than the retrier waits")
		time.Sleep(time.Hour)
		_, others = run(2 * time.Minute)
		require.Less(t, others, 3*time.Second)
	})
}
