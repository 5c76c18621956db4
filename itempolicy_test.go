package amorsize_test

import (
	"context"
	"fmt"
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
		return fmt.Sprint(p.host, p.n), nil
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
			require.Less(t, at, ideal*115/100, host)
		}
	})
}
