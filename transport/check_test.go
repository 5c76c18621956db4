package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// answered is a response as a plain client would have it.
func answered(t *testing.T, method string, status int, body string, header http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://user:secret@host.test/a/b?key=secret#part", nil)
	require.NoError(t, err)
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: req}
}

// What a response means is told as an error that retriers, breakers and limiters understand.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		method         string
		status         int
		header         http.Header
		again, failure bool
		throttled      bool
		after          time.Duration
	}{
		"not found":             {"GET", 404, nil, false, false, false, 0},
		"the least":             {"GET", 400, nil, false, false, false, 0},
		"failed":                {"GET", 500, nil, true, true, false, 0},
		"failed, a POST":        {"POST", 500, nil, false, true, false, 0},
		"too many":              {"POST", 429, nil, true, false, true, 0},
		"too many, until":       {"POST", 429, http.Header{"Retry-After": {"7"}}, true, false, true, 7 * time.Second},
		"forbidden":             {"GET", 403, nil, false, false, false, 0},
		"forbidden for a while": {"GET", 403, http.Header{"Retry-After": {"7"}}, true, false, true, 7 * time.Second},
		"no tokens left":        {"POST", 429, http.Header{"X-Ratelimit-Remaining-Tokens": {"0"}, "X-Ratelimit-Reset-Tokens": {"6s"}}, true, false, true, 6 * time.Second},
		"unavailable":           {"POST", 503, http.Header{"Retry-After": {"7"}}, true, true, true, 7 * time.Second},
		"the host says no":      {"GET", 500, http.Header{"X-Should-Retry": {"false"}}, false, true, false, 0},
		"the least, says yes":   {"POST", 400, http.Header{"X-Should-Retry": {"true"}}, true, false, false, 0},
		"the host says yes":     {"POST", 409, http.Header{"X-Should-Retry": {"true"}}, true, false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			err := transport.Check(answered(t, c.method, c.status, "why", c.header))
			status, ok := errors.AsType[*transport.StatusError](err)
			require.True(t, ok)
			assert.Equal(t, c.status, status.StatusCode())
			assert.Equal(t, !c.again, status.Permanent())
			assert.Equal(t, c.failure, status.Failure())
			throttled, ok := errors.AsType[*transport.ThrottledError](err)
			require.Equal(t, c.throttled, ok)
			if ok {
				assert.Equal(t, c.after, throttled.RetryAfter())
			}
			assert.Equal(t, []string{c.method, "https://host.test/a/b", "why"}, []string{status.Method, status.URL, string(status.Body)})
		})
	}
	for _, status := range []int{200, 204, 304, 399} {
		require.NoError(t, transport.Check(answered(t, "GET", status, "", nil)))
	}
	require.NoError(t, transport.Check(answered(t, "GET", 200, "", http.Header{"X-Should-Retry": {"true"}})), "it was a success")
}

func TestCheckedError(t *testing.T) {
	err := transport.Check(answered(t, "GET", 404, "no \"such\" thing\n", nil))
	require.EqualError(t, err, `transport: GET https://host.test/a/b: 404 Not Found: "no \"such\" thing\n"`)
	require.EqualError(t, transport.Check(&http.Response{StatusCode: http.StatusNotFound}), "transport: 404 Not Found")

	long := answered(t, "", 500, strings.Repeat("x", 5000), nil)
	status, _ := errors.AsType[*transport.StatusError](transport.Check(long))
	require.Equal(t, "GET", status.Method)
	require.Len(t, status.Body, 4096)
	require.Equal(t, `: "`+strings.Repeat("x", 200)+`"`, status.Error()[len(status.Error())-204:])
	rest, err := io.ReadAll(long.Body)
	require.NoError(t, err)
	require.Len(t, rest, 5000-4096, "closing it, and what is left, are the caller's")

	broken := answered(t, "GET", 500, "", nil)
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("part"), iotest.ErrReader(errors.New("broken off"))))
	status, _ = errors.AsType[*transport.StatusError](transport.Check(broken))
	require.Equal(t, "part", string(status.Body))
}

// Around a plain client, retries, a breaker and a limiter do with what Check returns what
// those of a Transport do with the response.
func TestPoliciesUnderstandChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call := func(method string, header http.Header, statuses ...int) func(context.Context) error {
			calls := 0
			return func(context.Context) error {
				calls++
				return transport.Check(answered(t, method, statuses[min(calls, len(statuses))-1], "", header))
			}
		}
		r := retry.MustNew(retry.Policy{MaxRetries: 2, Jitter: retry.JitterNone})
		for _, c := range []struct {
			method   string
			statuses []int
			attempts int
		}{{"GET", []int{404}, 1}, {"GET", []int{500}, 3}, {"POST", []int{500}, 1}, {"GET", []int{500, 200}, 2}, {"POST", []int{429, 200}, 2}} {
			made := 0
			f := call(c.method, nil, c.statuses...)
			err := r.Do(t.Context(), func(ctx context.Context) error { made++; return f(ctx) })
			require.Equal(t, c.attempts, made, c)
			require.Equal(t, c.statuses[len(c.statuses)-1] != 200, err != nil, c)
		}

		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 2})
		for range 5 {
			f := call("GET", nil, 404)
			require.Error(t, b.Do(t.Context(), f))
		}
		require.Equal(t, circuitbreaker.Closed, b.State(), "the host answered")
		for range 2 {
			f := call("POST", nil, 500)
			require.Error(t, b.Do(t.Context(), f))
		}
		require.Equal(t, circuitbreaker.Open, b.State())

		l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
		start := time.Now()
		f := call("GET", http.Header{"Retry-After": {"30"}}, 429)
		require.Error(t, l.Do(t.Context(), f))
		require.NoError(t, l.Acquire(t.Context()))
		require.GreaterOrEqual(t, time.Since(start), 30*time.Second)
	})
}
