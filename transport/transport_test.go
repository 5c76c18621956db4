package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// base is a round tripper that answers with what a function returns.
type base func(*http.Request) (*http.Response, error)

func (b base) RoundTrip(req *http.Request) (*http.Response, error) { return b(req) }

// body is a response's body that counts how often it is closed.
type body struct {
	io.Reader
	closed *atomic.Int32
}

func (b body) Close() error { b.closed.Add(1); return nil }

// answers gives the statuses one after the other, and then the last for ever.
type answers struct {
	mu     sync.Mutex
	calls  []time.Time
	bodies []string // of the requests
	closed atomic.Int32
	header http.Header
	status []int
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := ""
	if req.Body != nil {
		read, _ := io.ReadAll(req.Body)
		_ = req.Body.Close()
		text = string(read)
	}
	a.calls, a.bodies = append(a.calls, time.Now()), append(a.bodies, text)
	code := a.status[min(len(a.calls), len(a.status))-1]
	if code == 0 {
		return nil, errors.New("connection reset")
	}
	header := http.Header{}
	if code != http.StatusOK {
		header = a.header.Clone()
	}
	return &http.Response{StatusCode: code, Header: header, Body: body{strings.NewReader(fmt.Sprintf("body %d", len(a.calls))), &a.closed}, Request: req}, nil
}

func retrier(t *testing.T) *retry.Retrier {
	t.Helper()
	return retry.MustNew(retry.Policy{MaxRetries: 2, InitialDelay: time.Second, Multiplier: 1, Jitter: retry.JitterNone})
}

func send(t *testing.T, rt http.RoundTripper, method, text string) (*http.Response, error) {
	t.Helper()
	var reader io.Reader
	if text != "" {
		reader = strings.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://host.test/path", reader)
	require.NoError(t, err)
	return rt.RoundTrip(req)
}

// The table of the package documentation.
func TestTable(t *testing.T) {
	for _, c := range []struct {
		status             int
		get, post          int // calls
		failure            bool
		after              string
		postWithRetryAfter int
	}{
		{200, 1, 1, false, "", 1}, {304, 1, 1, false, "", 1}, {404, 1, 1, false, "", 1},
		{408, 3, 1, false, "", 1}, {425, 3, 1, false, "", 1},
		{429, 3, 3, false, "1", 3},
		{500, 3, 1, true, "", 1}, {502, 3, 1, true, "", 1}, {504, 3, 1, true, "", 1},
		{503, 3, 1, true, "1", 3}, {529, 3, 1, true, "1", 3},
		{501, 1, 1, true, "", 1}, {505, 1, 1, true, "", 1},
		{0, 3, 1, true, "", 1},
	} {
		for _, method := range []string{"GET", "PUT", "POST", "POST+key", "POST+after"} {
			t.Run(fmt.Sprintf("%d/%s", c.status, method), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := &answers{status: []int{c.status}, header: http.Header{}}
					want := c.get
					switch method {
					case "POST":
						want = c.post
					case "POST+after":
						a.header.Set("Retry-After", "1")
						want = c.postWithRetryAfter
					}
					opened := 0
					rt := transport.MustNew(transport.Config{
						Base: a, Retrier: retrier(t),
						Breaker: &circuitbreaker.Policy{FailureThreshold: want, OnOpen: func(n int, _ error) { opened = n }},
					})
					req, err := http.NewRequestWithContext(t.Context(), strings.Split(method, "+")[0], "http://host.test/", nil)
					require.NoError(t, err)
					if method == "POST+key" {
						req.Header.Set("Idempotency-Key", "1")
					}
					resp, err := rt.RoundTrip(req)
					assert.Len(t, a.calls, want)
					assert.Equal(t, c.failure, opened == want)
					if c.status == 0 {
						require.ErrorContains(t, err, "connection reset")
						return
					}
					require.NoError(t, err)
					assert.Equal(t, c.status, resp.StatusCode)
					text, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					assert.Equal(t, fmt.Sprintf("body %d", want), string(text), "the last response is the caller's")
					require.NoError(t, resp.Body.Close())
					assert.EqualValues(t, want, a.closed.Load(), "each body is closed once")
				})
			})
		}
	}
}

func TestBodyIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{503, 0, 200}}
		rt := transport.MustNew(transport.Config{Base: a, Retrier: retrier(t)})
		resp, err := send(t, rt, http.MethodPut, "hello")
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, []string{"hello", "hello", "hello"}, a.bodies)
		assert.EqualValues(t, 1, a.closed.Load(), "the caller's body is left open")

		a = &answers{status: []int{503, 200}}
		rt = transport.MustNew(transport.Config{Base: a, Retrier: retrier(t)})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://host.test/", io.LimitReader(strings.NewReader("once"), 9))
		require.NoError(t, err)
		resp, err = rt.RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, 503, resp.StatusCode, "a body that can't be had again is not sent again")
		req.Body, req.GetBody = io.NopCloser(strings.NewReader("x")), func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		a.status, a.calls = []int{503}, nil
		_, err = rt.RoundTrip(req)
		require.ErrorContains(t, err, "gone")
	})
}

func TestRetryAfterHoldsBackTheHost(t *testing.T) {
	for name, header := range map[string]http.Header{
		"seconds":    {"Retry-After": {"30"}},
		"date":       {"Retry-After": {"Sat, 01 Jan 2000 00:10:30 GMT"}, "Date": {"Sat, 01 Jan 2000 00:10:00 GMT"}},
		"structured": {"Ratelimit": {`"minute";r=9;t=5, "second";r=0;t=30`}},
		"ratelimit":  {"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"30"}},
		"x":          {"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"30"}},
		"x epoch":    {"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1700000030"}, "Date": {"Tue, 14 Nov 2023 22:13:20 GMT"}},
		"x milli":    {"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1700000030000"}, "Date": {"Tue, 14 Nov 2023 22:13:20 GMT"}},
		"x duration": {"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"0m30s"}},
		"after":      {"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset-After": {"30.0"}, "X-Ratelimit-Reset": {"1"}},
		"x rate":     {"X-Rate-Limit-Remaining": {"0"}, "X-Rate-Limit-Reset": {"30"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{status: []int{429, 200}, header: header}
				k := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 50}, 0)
				rt := transport.MustNew(transport.Config{Base: a, PerHost: k, Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1000})})
				resp, err := send(t, rt, "GET", "")
				require.NoError(t, err)
				assert.Equal(t, 429, resp.StatusCode)
				start := time.Now()
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						_, err := send(t, rt, "GET", "")
						assert.NoError(t, err)
						assert.GreaterOrEqual(t, time.Since(start), 30*time.Second)
						assert.LessOrEqual(t, time.Since(start), 34*time.Second)
					})
				}
				wg.Wait()
				start = time.Now()
				other, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://other.test/", nil)
				require.NoError(t, err)
				_, err = rt.RoundTrip(other)
				require.NoError(t, err)
				assert.Zero(t, time.Since(start), "another host")
			})
		})
	}
}

func TestOddHeaders(t *testing.T) {
	for _, header := range []http.Header{
		{"Retry-After": {"-1"}}, {"Retry-After": {"soon"}}, {"Retry-After": {"NaN"}}, {"Retry-After": {"1e300"}}, {"Retry-After": {"Sat, 01 Jan 1980 00:00:00 GMT"}},
		{"Ratelimit": {"nonsense;;=;r=x"}}, {"X-Ratelimit-Remaining": {"none"}}, {"X-Ratelimit-Remaining": {"0"}},
		{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"-5"}}, {"X-Ratelimit-Remaining": {"-1"}, "X-Ratelimit-Reset": {"5"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{status: []int{429, 200}, header: header}
			rt := transport.MustNew(transport.Config{Base: a, Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})})
			start := time.Now()
			for range 2 {
				_, err := send(t, rt, "GET", "")
				require.NoError(t, err)
			}
			assert.Zero(t, time.Since(start), "%v", header)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{429, 200}, header: http.Header{"Retry-After": {"86400"}}}
		rt := transport.MustNew(transport.Config{Base: a, Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, MaxPause: time.Minute})})
		start := time.Now()
		for range 2 {
			_, err := send(t, rt, "GET", "")
			require.NoError(t, err)
		}
		assert.GreaterOrEqual(t, time.Since(start), time.Minute)
		assert.LessOrEqual(t, time.Since(start), 66*time.Second)
	})
}

func TestBreakerPerHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{500}}
		rt := transport.MustNew(transport.Config{Base: a, Breaker: &circuitbreaker.Policy{FailureThreshold: 2}, MaxHosts: 2})
		get := func(host string) error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", nil)
			require.NoError(t, err)
			_, err = rt.RoundTrip(req)
			return err
		}
		for _, host := range []string{"a", "a", "b"} {
			require.NoError(t, get(host))
		}
		require.ErrorIs(t, get("a"), circuitbreaker.ErrOpen)
		require.NoError(t, get("b"))
		require.ErrorIs(t, get("b"), circuitbreaker.ErrOpen)
		require.ErrorIs(t, get("c"), transport.ErrTooManyHosts)
		time.Sleep(time.Minute)
		a.status = []int{200}
		for range 2 {
			require.NoError(t, get("a"))
		}
		require.NoError(t, get("c"), "a is closed and makes room")
	})
}

func TestFeedbackFindsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 50, BurstSize: 5})
		rejected := 0
		var mu sync.Mutex
		rt := transport.MustNew(transport.Config{
			Feedback: true,
			Retrier:  retry.MustNew(retry.Policy{MaxRetries: 10, InitialDelay: 50 * time.Millisecond}),
			Base: base(func(req *http.Request) (*http.Response, error) {
				code := 200
				if !service.TryAcquire() {
					code = 503
					mu.Lock()
					rejected++
					mu.Unlock()
				}
				time.Sleep(5 * time.Millisecond)
				return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
			}),
		})
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 64 {
					resp, err := send(t, rt, "GET", "")
					if assert.NoError(t, err) {
						assert.Equal(t, 200, resp.StatusCode)
					}
				}
			})
		}
		wg.Wait()
		assert.Less(t, rejected, 50)
	})
}

func TestAttemptTimeoutLeavesTheBodyAlone(t *testing.T) {
	release := make(chan struct{})
	calls := atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 { // hangs before the header
			<-r.Context().Done()
			return
		}
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-release
		_, _ = io.WriteString(w, "all of it")
	}))
	defer server.Close()
	rt := transport.MustNew(transport.Config{Base: server.Client().Transport, Retrier: retry.MustNew(retry.Policy{AttemptTimeout: 50 * time.Millisecond, MaxRetries: 100, InitialDelay: 1, MaxDelay: 1})})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, calls.Load(), int32(2)) // more on a busy machine
	// The attempt's context has ended; the body is read all the same.
	close(release)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, "all of it", string(text))
	require.NoError(t, resp.Body.Close())
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("shut down")
		a := &answers{status: []int{503}}
		rt := transport.MustNew(transport.Config{Base: a, Retrier: retrier(t)})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(500*time.Millisecond, func() { cancel(cause) })
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://host.test/", nil)
		require.NoError(t, err)
		_, err = rt.RoundTrip(req)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		assert.EqualValues(t, 1, a.closed.Load())

		closed := &atomic.Int32{}
		req, err = http.NewRequestWithContext(ctx, http.MethodPut, "http://host.test/", body{strings.NewReader("never sent"), closed})
		require.NoError(t, err)
		_, err = rt.RoundTrip(req)
		require.Error(t, err)
		assert.EqualValues(t, 1, closed.Load(), "closed although it was not sent")
		assert.Len(t, a.calls, 1)
	})
}

// Connections are used again after retries: one is enough.
func TestConnectionsAreReused(t *testing.T) {
	var connections, calls atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%3 != 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
		_, _ = w.Write(make([]byte, 10_000))
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { connections.Add(1); return ctx }
	server.Start()
	defer server.Close()
	client := &http.Client{Transport: transport.MustNew(transport.Config{Base: server.Client().Transport, Retrier: retry.MustNew(retry.Policy{InitialDelay: 1, MaxDelay: 1})})}
	for range 10 {
		resp, err := client.Get(server.URL)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	assert.EqualValues(t, 30, calls.Load())
	assert.EqualValues(t, 1, connections.Load())
}

func TestBadConfig(t *testing.T) {
	l := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})
	for says, c := range map[string]transport.Config{
		"MaxHosts = -1":         {MaxHosts: -1},
		"Feedback = true":       {Feedback: true, Limiter: l},
		"FailureThreshold = -1": {Breaker: &circuitbreaker.Policy{FailureThreshold: -1}},
	} {
		_, err := transport.New(c)
		require.ErrorIs(t, err, transport.ErrInvalid)
		assert.ErrorContains(t, err, says)
		assert.Panics(t, func() { transport.MustNew(c) })
	}
}
