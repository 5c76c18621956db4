package transport_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// The code of docs/http.md.
func TestGuide(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	client := &http.Client{Transport: transport.MustNew(transport.Config{
		PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 20}, 0),
		Breaker: &circuitbreaker.Policy{OpenFor: 30 * time.Second},
		Retrier: retry.MustNew(retry.Policy{MaxRetries: 4}),
	})}
	resp, err := client.Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	http.DefaultTransport.(*http.Transport).CloseIdleConnections() //nolint:forcetypeassert // it is

	judge := func(resp *http.Response) transport.Verdict {
		v := transport.Usual(resp)
		if resp.StatusCode == http.StatusNotFound && resp.Request.Method == http.MethodGet {
			v.Retry = true // what was created a moment ago may not be everywhere yet
		}
		return v
	}
	require.True(t, judge(resp).Retry)
}
