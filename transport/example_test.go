package transport_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// From a plain client to one that keeps to limits, retries, and waits out an outage.
func Example() {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, "hello")
	}))
	defer server.Close()

	client := &http.Client{Transport: transport.MustNew(transport.Config{
		PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 5}, 0),
		Retrier: retry.MustNew(retry.Policy{InitialDelay: time.Millisecond, AttemptTimeout: 10 * time.Second}),
		Breaker: &circuitbreaker.Policy{WhenOpen: circuitbreaker.Wait},
	})}
	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(text), err, calls)
	http.DefaultClient.CloseIdleConnections()
	// Output: 200 hello <nil> 2
}

func ExampleNew() {
	_, err := transport.New(transport.Config{MaxHosts: -1})
	fmt.Println(err)
	// Output: transport: MaxHosts = -1: must be at least 1, or 0 for the default
}
