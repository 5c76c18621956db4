// Command pages fetches 300 pages of an API, 95 a second at most. One request in twenty fails.
package main

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

func fetch(url string) (string, error) {
	response, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if err := transport.Check(response); err != nil { // an error for 4xx and 5xx; it carries Retry-After
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func main() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		if rand.IntN(20) == 0 {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprint(w, "page ", r.URL.Path)
	}))
	urls := make([]string, 300)
	for i := range urls {
		urls[i] = fmt.Sprintf("%s/%d", api.URL, i)
	}
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 95, BurstSize: 1})
	retrier := retry.MustNew(retry.Policy{MaxRetries: 5})
	var report amorsize.Report
	pages, err := amorsize.Execute(fetch, urls, amorsize.WithReport(&report),
		amorsize.WithPolicies(retrier, limiter)) // the limiter is inside the retrier: each attempt waits for it
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(pages), "pages, the last one:", pages[299])
	fmt.Print(report)
}
