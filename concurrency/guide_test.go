package concurrency_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// What docs/concurrency.md shows, compiled and run.

type database struct{}

func (database) find(context.Context, string) (string, error) { return "a row", nil }

func get(context.Context, string) (string, error) { return "a page", nil }

func TestGuideServer(t *testing.T) {
	db := database{}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		row, err := db.find(r.Context(), r.URL.Path)
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, row)
	})

	limiter := concurrency.MustNew(concurrency.Policy{
		MaxWait:    100 * time.Millisecond,
		MaxWaiting: 200,
		OnChange: func(c concurrency.Change) {
			fmt.Printf("in flight: %d → %d %s\n", c.From, c.To, c.Reason)
		},
	})
	server := &http.Server{Handler: transport.Handler(mux, limiter)}

	test := httptest.NewServer(server.Handler)
	defer test.Close()
	resp, err := test.Client().Get(test.URL) //nolint:noctx // a test
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

func TestGuideClient(t *testing.T) {
	test := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer test.Close()
	ctx, urls := t.Context(), []string{test.URL, test.URL}

	client := &http.Client{Transport: transport.MustNew(transport.Config{
		Concurrency: &concurrency.Policy{}, // for each host
		Retrier:     retry.MustNew(retry.Policy{AttemptTimeout: 10 * time.Second}),
	})}
	group, ctx := errgroup.WithContext(ctx)
	for _, url := range urls {
		group.Go(func() error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		})
	}
	err := group.Wait()
	client.CloseIdleConnections()

	require.NoError(t, err)
}

func TestGuideByHand(t *testing.T) {
	ctx, url := t.Context(), "https://example.com"
	limiter := concurrency.MustNew(concurrency.Policy{})
	var group sync.WaitGroup
	group.Go(func() {
		permit, err := limiter.Acquire(ctx)
		if err != nil {
			return
		}
		page, err := get(ctx, url)
		permit.Done(err)
		fmt.Println(page)
	})
	group.Wait()

	page, err := concurrency.Call(ctx, limiter, func(ctx context.Context) (string, error) {
		return get(ctx, url)
	})

	require.NoError(t, err)
	require.Equal(t, "a page", page)
	require.Zero(t, limiter.Stats().InFlight)
}

func TestGuideRejects(t *testing.T) {
	ctx := t.Context()
	call := func(context.Context) error { return nil }
	limiter := concurrency.MustNew(concurrency.Policy{OnLimit: concurrency.Reject})
	err := limiter.Do(ctx, call)
	var full *concurrency.FullError
	if errors.As(err, &full) {
		fmt.Println("come back in", full.RetryAfter)
	}

	require.NoError(t, err)
}

func TestGuideTogether(t *testing.T) {
	ctx, urls := t.Context(), []string{"a", "b"}
	retrier := retry.MustNew(retry.Policy{})
	rate := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000})
	limiter := concurrency.MustNew(concurrency.Policy{})
	pages, err := amorsize.ExecuteContext(ctx, get, urls, amorsize.WithPolicies(retrier, rate, limiter))

	require.NoError(t, err)
	require.Len(t, pages, 2)
}

func TestGuideKeyed(t *testing.T) {
	ctx, tenant := t.Context(), "tenant 7"
	call := func(context.Context) error { return nil }
	tenants := concurrency.MustNewKeyed[string](concurrency.Policy{Max: 50}, 10_000)
	err := tenants.Do(ctx, tenant, call)

	require.NoError(t, err)
}
