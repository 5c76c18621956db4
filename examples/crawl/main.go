// Command crawl visits every page of three sites, each page once. Each site is asked at most 20 times a second, and a
// site that waits for its turn holds up no other.
package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

var href = regexp.MustCompile(`href="([^"]+)"`)

// visit returns the size of a page and hands on the links that it has.
func visit(ctx context.Context, address string, found func(...string)) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := transport.Check(resp); err != nil {
		return 0, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	base := resp.Request.URL // of the page that answered, which a redirect may have led to
	for _, link := range href.FindAllSubmatch(body, -1) {
		u, err := base.Parse(html.UnescapeString(string(link[1])))
		if err == nil && u.Host == base.Host { // no other sites
			u.Fragment = ""
			found(u.String())
		}
	}
	return len(body), err
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return transport.Host(u)
}

func main() {
	seeds, stop := sites() // three addresses, as "https://example.com/"
	defer stop()
	perHost := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 20, BurstSize: 1}, 0)
	pages, bytes := map[string]int{}, 0
	for page := range amorsize.Crawl(context.Background(), visit, slices.Values(seeds),
		amorsize.WithErrors(amorsize.Collect), // a page that can't be read does not end the crawl
		amorsize.WithPolicies(retry.MustNew(retry.Policy{MaxRetries: 2, AttemptTimeout: time.Minute}), amorsize.ByKey(perHost, hostOf))) {
		if page.Err != nil {
			log.Println(page.Item, page.Err)
			continue
		}
		pages[hostOf(page.Item)]++
		bytes += page.Value
	}
	for _, seed := range seeds {
		fmt.Println(pages[hostOf(seed)], "pages of a site")
	}
	fmt.Println(bytes, "bytes")
}
