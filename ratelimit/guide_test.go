package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// The code of docs/rate-limiting.md: each of its blocks is the body of one of these
// (docs_test.go at the root holds that).

var ctx = context.Background()

// get stands for a call of an API.
func get(_ context.Context, url string) (string, error) { return "page of " + url, nil }

var urls = []string{"a", "b", "c"}

func Example_basicUsage() {
	// Limit to 100 requests per second.
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
	limited := ratelimit.Wrap(limiter, get)

	// Calls are rate limited, whoever makes them.
	for _, url := range urls {
		page, err := limited(ctx, url)
		fmt.Println(page, err)
	}
	// Output:
	// page of a <nil>
	// page of b <nil>
	// page of c <nil>
}

func Example_scoped() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 50})
	for _, url := range urls {
		err := limiter.Do(ctx, func(ctx context.Context) error {
			page, err := get(ctx, url)
			fmt.Println(page)
			return err
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// page of a
	// page of b
	// page of c
}

func Example_tokenBucket() {
	// 10 per second on average, and up to 20 at once.
	limiter, err := ratelimit.New(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 20})
	fmt.Println(limiter.Rate(), limiter.Burst(), err)
	// Output: 10 20 <nil>
}

func Example_shared() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000, BurstSize: 1})
	limited := ratelimit.Wrap(limiter, get)

	var wg sync.WaitGroup
	for _, url := range urls {
		wg.Go(func() { _, _ = limited(ctx, url) })
	}
	wg.Wait()
	fmt.Println("three calls under one limit")
	// Output: three calls under one limit
}

func Example_withRetry() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 10})
	retrier := retry.MustNew(retry.Policy{MaxRetries: 3, InitialDelay: time.Millisecond})

	calls := 0
	flaky := func(ctx context.Context, url string) (string, error) {
		if calls++; calls == 1 {
			return "", errors.New("connection reset")
		}
		return get(ctx, url)
	}
	// The limiter is inside: each attempt takes a token.
	robust := retry.Wrap(retrier, ratelimit.Wrap(limiter, flaky))
	page, err := robust(ctx, "a")
	fmt.Println(page, err, calls)
	// Output: page of a <nil> 2
}

func Example_policy() {
	policy := ratelimit.Policy{
		RequestsPerSecond: 10,             // tokens per second; no default but with Adapt
		BurstSize:         20,             // at once at most; default: the rate
		OnLimit:           ratelimit.Wait, // or Reject; default Wait
		OnWait: func(wait time.Duration) { // called when a wait is over
			fmt.Println("waited", wait)
		},
	}
	_, err := ratelimit.New(policy)
	fmt.Println(err)
	policy.RequestsPerSecond = -1
	_, err = ratelimit.New(policy)
	fmt.Println(err)
	// Output:
	// <nil>
	// ratelimit: RequestsPerSecond = -1: must be 1e-06 to 1e+10 per second
}

func Example_wait() {
	// Waits when the limit is reached: first come, first served.
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000, BurstSize: 1, OnLimit: ratelimit.Wait})
	limited := ratelimit.Wrap(limiter, get)
	for range 3 {
		page, err := limited(ctx, "a")
		fmt.Println(page, err)
	}
	// Output:
	// page of a <nil>
	// page of a <nil>
	// page of a <nil>
}

func Example_reject() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.1, BurstSize: 1, OnLimit: ratelimit.Reject})
	limited := ratelimit.Wrap(limiter, get)
	for range 2 {
		page, err := limited(ctx, "a")
		if exceeded, ok := errors.AsType[*ratelimit.ExceededError](err); ok {
			fmt.Println("try again in", exceeded.RetryAfter.Round(time.Second))
			continue
		}
		fmt.Println(page)
	}
	// Output:
	// page of a
	// try again in 10s
}

func Example_callback() {
	limiter := ratelimit.MustNew(ratelimit.Policy{
		RequestsPerSecond: 100,
		BurstSize:         1,
		OnWait:            func(wait time.Duration) { fmt.Println("rate limited, waited", wait > 0) },
	})
	_ = limiter.Acquire(ctx)
	_ = limiter.Acquire(ctx)
	// Output: rate limited, waited true
}

func Example_api() {
	// GitHub's API: 5000 requests an hour, and five at once at most.
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 5000.0 / 3600, BurstSize: 5})
	repository := ratelimit.Wrap(limiter, func(ctx context.Context, name string) (string, error) {
		return get(ctx, "https://api.github.com/repos/"+name)
	})
	page, err := repository(ctx, "golang/go")
	fmt.Println(page, err)
	// Output: page of https://api.github.com/repos/golang/go <nil>
}

func Example_scraping() {
	// So many requests per second to each host, at an even pace, whatever the number of hosts.
	// How many of them are under way at once depends on how long they take.
	hosts := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 1}, 0)
	retrier := retry.MustNew(retry.Policy{MaxRetries: 3})
	host := func(url string) string { return url[:1] }
	scrape := retry.Wrap(retrier, ratelimit.WrapKeyed(hosts, host, get))

	pages, err := amorsize.ExecuteContext(ctx, scrape, []string{"a/1", "b/1", "a/2"})
	fmt.Println(len(pages), err)
	// Output: 3 <nil>
}

func Example_database() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
	query := func(ctx context.Context, id int) (name string, err error) {
		err = limiter.Do(ctx, func(context.Context) error {
			name = fmt.Sprintf("row %d", id) // db.QueryRowContext(ctx, …).Scan(&name)
			return nil
		})
		return name, err
	}
	name, err := query(ctx, 7)
	fmt.Println(name, err)
	// Output: row 7 <nil>
}

func Example_execute() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000})

	// How many calls run at once is found out; how many per second is the limit.
	pages, err := amorsize.ExecuteContext(ctx, get, urls, amorsize.WithPolicies(limiter))
	fmt.Println(pages, err)
	// Output: [page of a page of b page of c] <nil>
}

func Example_tiers() {
	fast := ratelimit.Wrap(ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100}), get)
	slow := ratelimit.Wrap(ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10}), get)
	fmt.Println(fast(ctx, "fast"))
	fmt.Println(slow(ctx, "slow"))

	// Several limits at once: 10 per second, and 500 per hour.
	both := ratelimit.All(
		ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10}),
		ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 500.0 / 3600, BurstSize: 500}),
	)
	fmt.Println(both.Acquire(ctx))
	// Output:
	// page of fast <nil>
	// page of slow <nil>
	// <nil>
}

func Example_fractional() {
	// One request in two seconds. 1.0/86400, one a day, is as exact.
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.5})
	fmt.Println(limiter.TryAcquire(), limiter.TryAcquire())
	// Output: true false
}

func Example_adjust() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 20})
	adjust := func(peak bool) error {
		if peak {
			return limiter.SetRate(5)
		}
		return limiter.SetRate(20)
	}
	// Everybody who waits is planned anew.
	err := adjust(true)
	fmt.Println(limiter.Rate(), err)
	// Output: 5 <nil>
}

func Example_available() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.1, BurstSize: 3})
	if limiter.TryAcquire() {
		_, _ = get(ctx, "a")
	} else {
		fmt.Println("the limit would be exceeded")
	}
	fmt.Printf("%.1f requests are possible at once\n", limiter.AvailableTokens())
	// Output: 2.0 requests are possible at once
}

func Example_acquire() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
	if err := limiter.Acquire(ctx); err != nil {
		fmt.Println(err) // ctx ended, or would end before the token comes
		return
	}
	page, err := get(ctx, "a")
	fmt.Println(page, err)
	// A token is not given back when the call ends. One that was not needed can be, at once
	// or with how long it was kept (ReturnAfter):
	_ = limiter.Return(1)
	// Output: page of a <nil>
}

func Example_shareOne() {
	// Good: one limiter for everything that is under the same limit.
	github := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 2})
	repo, user := ratelimit.Wrap(github, get), ratelimit.Wrap(github, get)
	_, _ = repo(ctx, "repo")
	_, _ = user(ctx, "user")
	fmt.Println("left at once:", int(github.AvailableTokens()))

	// Bad: a limiter for each function allows twice the rate. Worse: one for each call
	// limits nothing.
	// Output: left at once: 0
}

func Example_burst() {
	// For work that comes in bursts.
	bursty := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 50})
	// For an even pace, whatever comes.
	even := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1})
	fmt.Println(bursty.TryAcquireN(50), even.TryAcquireN(2))
	// Output: true false
}

func Example_robust() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100})
	retrier := retry.MustNew(retry.Policy{MaxRetries: 3})

	// The limiter keeps the rate, the retrier gets over transient failures. Outermost
	// first: every attempt takes a token.
	pages, err := amorsize.ExecuteContext(ctx, get, urls, amorsize.WithPolicies(retrier, limiter))
	fmt.Println(pages, err)
	// Output: [page of a page of b page of c] <nil>
}

func Example_monitor() {
	var mu sync.Mutex
	var waits []time.Duration
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000, BurstSize: 1, OnWait: func(wait time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		waits = append(waits, wait)
	}})
	_, err := amorsize.ExecuteContext(ctx, get, urls, amorsize.WithPolicies(limiter))

	var total time.Duration
	for _, wait := range waits {
		total += wait
	}
	fmt.Println(err, len(waits) > 0, total > 0)
	// Output: <nil> true true
}

func Example_decorator() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 5, OnLimit: ratelimit.Wait})
	// Both type parameters are inferred; the result has the type of get.
	limited := ratelimit.Wrap(limiter, get)
	fmt.Println(limited(ctx, "a"))
	// Output: page of a <nil>
}

func Example_oneCall() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10}) // one that lasts, shared by all such calls
	page, err := ratelimit.Call(ctx, limiter, func(ctx context.Context) (string, error) {
		return get(ctx, "a")
	})
	fmt.Println(page, err)
	// Output: page of a <nil>
}

func Example_report() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000})
	var report amorsize.Report
	_, err := amorsize.ExecuteContext(ctx, get, urls, amorsize.WithPolicies(limiter), amorsize.WithReport(&report))
	fmt.Println(report.Succeeded, "of", report.Items, err)
	// Output: 3 of 3 <nil>
}

func Example_tooTight() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 20})
	// Too many waits: raise the rate, or the burst.
	fmt.Println(limiter.SetRate(20), limiter.SetBurst(50))
	// Output: <nil> <nil>
}

func Example_tooLoose() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 20, BurstSize: 20})
	// The service still rejects: lower the rate, and the burst.
	fmt.Println(limiter.SetRate(5), limiter.SetBurst(1))

	// Or let its answers find the rate that it takes.
	finds, err := ratelimit.New(ratelimit.Policy{RequestsPerSecond: 5, Adapt: &ratelimit.Adapt{Floor: 0.1, Ceiling: 100}})
	fmt.Println(finds.Rate(), err)
	// Output:
	// <nil> <nil>
	// 5 <nil>
}

func Example_unexpectedWaits() {
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 0.01, BurstSize: 1})
	_ = limiter.Acquire(ctx)
	place, err := limiter.Reserve(1)
	fmt.Println("the next may go in", place.Delay().Round(time.Second), err)
	place.Cancel()
	// Output: the next may go in 1m40s <nil>
}

func Example_manyLimiters() {
	// Good: one limiter, many functions. An idle limiter takes 128 bytes, and one per
	// key is made when it is needed and dropped when it is not.
	tenants := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10}, 10_000)
	err := tenants.Do(ctx, "acme", func(ctx context.Context) error {
		_, err := get(ctx, "a")
		return err
	})
	fmt.Println(tenants.Len(), err)
	// Output: 1 <nil>
}
