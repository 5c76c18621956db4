// Command fetch reads URLs, one a line, and prints the status and the size of each, in their
// order: no host is asked more than so often a second, and one that is down holds up nobody
// else's.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// page is what became of a URL.
type page struct{ status, size int }

func fetch(ctx context.Context, address string) (p page, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return p, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return p, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := transport.Check(resp); err != nil {
		return p, err
	}
	size, err := io.Copy(io.Discard, resp.Body)
	return page{resp.StatusCode, int(size)}, err
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return transport.Host(u)
}

func main() {
	rate := flag.Float64("rate", 20, "requests per second to each host")
	flag.Parse()
	limiters, err := ratelimit.NewKeyed[string](ratelimit.Policy{RequestsPerSecond: *rate, BurstSize: 1}, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	breakers := circuitbreaker.MustNewKeyed[string](circuitbreaker.Policy{OpenFor: time.Minute}, 0)
	policies := amorsize.WithPolicies(
		// No delay is as long as a breaker is open: items of a host that is down fail at once.
		retry.MustNew(retry.Policy{MaxRetries: 2, MaxDelay: 10 * time.Second}),
		amorsize.ByKey(breakers, hostOf),
		amorsize.ByKey(limiters, hostOf),
	)
	lines := func(yield func(string) bool) {
		for s := bufio.NewScanner(os.Stdin); s.Scan() && yield(s.Text()); {
		}
	}
	failed := 0
	for r := range amorsize.Stream(context.Background(), fetch, lines, policies, amorsize.WithErrors(amorsize.Collect)) {
		if r.Err != nil {
			failed++
			fmt.Println(r.Item, r.Err)
			continue
		}
		fmt.Println(r.Item, r.Value.status, r.Value.size)
	}
	if failed > 0 {
		os.Exit(1)
	}
}
