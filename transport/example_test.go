package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/concurrency"
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
	client.CloseIdleConnections()
	// Output: 200 hello <nil> 2
}

func ExampleNew() {
	_, err := transport.New(transport.Config{MaxHosts: -1})
	fmt.Println(err)
	// Output: transport: MaxHosts = -1: must be at least 1, or 0 for the default
}

// No limit is known: what the hosts answer finds it.
func ExampleConfig_feedback() {
	t, err := transport.New(transport.Config{
		Feedback: true,
		Retrier:  retry.MustNew(retry.Policy{MaxRetries: 10}),
	})
	fmt.Println(t != nil, err)
	// Output: true <nil>
}

// What policies are told of a response; the caller gets the response itself.
func ExampleStatusError() {
	retrier := retry.MustNew(retry.Policy{RetryIf: func(err error) bool {
		status, ok := errors.AsType[*transport.StatusError](err)
		return !ok || status.Code != http.StatusBadGateway
	}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer server.Close()
	client := &http.Client{Transport: transport.MustNew(transport.Config{Retrier: retrier})}
	resp, err := client.Get(server.URL)
	if err != nil {
		return
	}
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode)
	client.CloseIdleConnections()
	// Output: 502
}

// How many requests a host takes at once is not known: what they take finds it.
func ExampleConfig_concurrency() {
	t, err := transport.New(transport.Config{Concurrency: &concurrency.Policy{Max: 100}})
	fmt.Println(t != nil, err)
	// Output: true <nil>
}

// A server that has room for one request tells the next one to come back.
func ExampleHandler() {
	limiter := concurrency.MustNew(concurrency.Policy{Max: 1, OnLimit: concurrency.Reject})
	server := httptest.NewServer(transport.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "here you are")
	}), limiter))
	defer server.Close()
	other, _ := limiter.TryAcquire() // a request under way
	refused, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = refused.Body.Close()
	other.Done(nil)
	served, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = served.Body.Close()
	fmt.Println(refused.StatusCode, refused.Header.Get("Retry-After"), served.StatusCode)
	http.DefaultClient.CloseIdleConnections()
	// Output: 503 1 200
}

// With a plain client, what a response means becomes an error that policies understand.
func ExampleCheck() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	retrier := retry.MustNew(retry.Policy{})
	attempts := 0
	err := retrier.Do(context.Background(), func(context.Context) error {
		attempts++
		resp, err := http.Get(server.URL + "/page?key=secret")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return transport.Check(resp)
	})
	status, _ := errors.AsType[*transport.StatusError](err)
	fmt.Printf("%s after %d attempt: %q\n", http.StatusText(status.Code), attempts, status.Body)
	http.DefaultClient.CloseIdleConnections()
	// Output: Not Found after 1 attempt: "404 page not found\n"
}

// What was just created may not be found at once, and a body may name the delay.
func ExampleConfig_judge() {
	t, err := transport.New(transport.Config{
		Retrier: retry.MustNew(retry.Policy{MaxElapsed: 10 * time.Second}),
		Judge: func(resp *http.Response) transport.Verdict {
			v := transport.Usual(resp)
			if resp.StatusCode == http.StatusNotFound {
				v.Retry = true
			}
			if after, ok := transport.JSONDelay(resp, "error.details.retryDelay"); ok {
				v.Retry, v.Throttled, v.After = true, true, after
			}
			return v
		},
	})
	fmt.Println(t != nil, err)
	// Output: true <nil>
}

// A few answers take long by bad luck: then the request is sent to another chance, for at most
// one in twenty.
func ExampleConfig_hedge() {
	t, err := transport.New(transport.Config{Hedge: &transport.Hedge{Budget: 0.05}})
	if err != nil {
		fmt.Println(err)
		return
	}
	sent, won := t.Hedges()
	fmt.Println(sent, won)
	// Output: 0 0
}
