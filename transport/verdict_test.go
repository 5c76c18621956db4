package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
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

// What hosts say of when to come back, in all the ways in which they do.
func TestWhenToComeBack(t *testing.T) {
	const date = "Sat, 01 Jan 2000 00:10:00 GMT"
	for name, c := range map[string]struct {
		status int
		header http.Header
	}{
		"seconds":         {429, http.Header{"Retry-After": {"30"}}},
		"with a unit":     {429, http.Header{"Retry-After": {"30s"}}},
		"GMT":             {429, http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:10:30 GMT"}, "Date": {date}}},
		"UTC":             {429, http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:10:30 UTC"}, "Date": {date}}},
		"zone":            {429, http.Header{"Retry-After": {"Sat, 01 Jan 2000 01:10:30 +0100"}, "Date": {date}}},
		"RFC 850":         {429, http.Header{"Retry-After": {"Saturday, 01-Jan-00 00:10:30 GMT"}, "Date": {date}}},
		"RFC 3339":        {429, http.Header{"Retry-After": {"2000-01-01T00:10:30Z"}, "Date": {date}}},
		"no Date":         {429, http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:00:30 GMT"}}},
		"epoch, no Date":  {429, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"946684830"}}},
		"epoch":           {429, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"946685430"}, "Date": {date}}},
		"milli":           {429, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"946685430000"}, "Date": {date}}},
		"today":           {429, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1764171030"}, "Date": {"Wed, 26 Nov 2025 15:30:00 GMT"}}},
		"403 and after":   {403, http.Header{"Retry-After": {"30"}}},
		"403 none left":   {403, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"946684830"}}},
		"403 none, delta": {403, http.Header{"Ratelimit": {`"hour";r=0;t=30`}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, how := range []string{"a retrier", "a limiter"} {
				synctest.Test(t, func(t *testing.T) {
					a := &answers{status: []int{c.status, 200}, header: c.header}
					config := transport.Config{Base: a, Retrier: retry.MustNew(retry.Policy{Jitter: retry.JitterNone})}
					if how == "a limiter" {
						config = transport.Config{Base: a, PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 10}, 0)}
					}
					rt := transport.MustNew(config)
					start := time.Now()
					for range 2 {
						_, err := send(t, rt, http.MethodPost, "hello")
						require.NoError(t, err)
					}
					assert.GreaterOrEqual(t, time.Since(start), 30*time.Second, how)
					assert.LessOrEqual(t, time.Since(start), 33*time.Second, how)
				})
			}
		})
	}
}

// A host that wants to be left alone for longer than the retrier waits is.
func TestRetryAfterBeyondMaxDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{403}, header: http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"946688400"}}}
		rt := transport.MustNew(transport.Config{Base: a, Retrier: retrier(t), Breaker: &circuitbreaker.Policy{FailureThreshold: 1}})
		for range 2 {
			resp, err := send(t, rt, "GET", "")
			require.NoError(t, err)
			assert.Equal(t, http.StatusForbidden, resp.StatusCode, "the caller's to read, and no failure of the host's")
		}
		assert.Len(t, a.calls, 2)
	})
}

// A 403 that says nothing of limits is an answer.
func TestPlainForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, header := range []http.Header{{}, {"X-Ratelimit-Remaining": {"7"}, "X-Ratelimit-Reset": {"60"}}} {
			a := &answers{status: []int{403}, header: header}
			_, err := send(t, transport.MustNew(transport.Config{Base: a, Retrier: retrier(t)}), "GET", "")
			require.NoError(t, err)
			assert.Len(t, a.calls, 1)
		}
	})
}

// What can't be sent is not tried again, and is no fault of the host's.
func TestUnsendable(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler()) // of an authority that nobody knows
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for name, change := range map[string]func(*http.Request){
		"scheme":  func(r *http.Request) { r.URL.Scheme = "ftp" },
		"header":  func(r *http.Request) { r.Header.Set("X", "a\nb") },
		"name":    func(r *http.Request) { r.Header["a b"] = []string{""} },
		"method":  func(r *http.Request) { r.Method = "G T" },
		"no host": func(r *http.Request) { r.URL.Host = "" },
		"port":    func(r *http.Request) { r.URL.Host = "127.0.0.1:99999" },
		"unknown authority": func(r *http.Request) {
			r.URL.Scheme, r.URL.Host = "https", strings.TrimPrefix(secure.URL, "https://")
		},
	} {
		t.Run(name, func(t *testing.T) {
			plain := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
			defer plain.CloseIdleConnections()
			tries, opened := 0, 0
			limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 3})
			rt := transport.MustNew(transport.Config{
				Base:    base(func(r *http.Request) (*http.Response, error) { tries++; return plain.RoundTrip(r) }),
				Limiter: limiter,
				Retrier: retry.MustNew(retry.Policy{InitialDelay: 1, MaxDelay: 1}),
				Breaker: &circuitbreaker.Policy{FailureThreshold: 1, OnOpen: func(int, error) { opened++ }},
			})
			req := request(t, "host.invalid")
			change(req)
			_, err := rt.RoundTrip(req)
			require.Error(t, err)
			assert.Equal(t, 1, tries, "%v", err)
			assert.Zero(t, opened)
			assert.Equal(t, 3, int(limiter.AvailableTokens()))

			// A retrier around all of it is told the same.
			tries = 0
			around := retry.MustNew(retry.Policy{InitialDelay: 1, MaxDelay: 1})
			bare := transport.MustNew(transport.Config{Base: base(func(r *http.Request) (*http.Response, error) { tries++; return plain.RoundTrip(r) })})
			err = around.Do(t.Context(), func(context.Context) error { _, err := bare.RoundTrip(req); return err })
			require.Error(t, err)
			assert.Equal(t, 1, tries, "%v", err)
		})
	}
}

// Where this process has no files left, a request is sent when it has, whatever its
// method: nothing of it was sent. The host has no part in it.
func TestFilesRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, opened := 0, 0
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 3})
		rt := transport.MustNew(transport.Config{
			Base: base(func(r *http.Request) (*http.Response, error) {
				if tries++; tries < 4 {
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
				}
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
			}),
			Limiter: limiter,
			Retrier: retry.MustNew(retry.Policy{MaxRetries: 1}),
			Breaker: &circuitbreaker.Policy{FailureThreshold: 1, OnOpen: func(int, error) { opened++ }},
		})
		req := request(t, "host.invalid")
		req.Method = http.MethodPost
		resp, err := rt.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, 4, tries)
		assert.Zero(t, opened)
		assert.Equal(t, 2, int(limiter.AvailableTokens()))
	})
}

// An error is one line, and says nothing twice.
func TestErrorText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, own := range []error{nil, errors.New("net/http: request canceled"), context.DeadlineExceeded} {
			rt := transport.MustNew(transport.Config{
				Retrier: retry.MustNew(retry.Policy{AttemptTimeout: time.Second}),
				Base: base(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					if own == nil {
						return nil, r.Context().Err()
					}
					return nil, own
				}),
			})
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			_, err := rt.RoundTrip(request(t, "host.test").WithContext(ctx))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotContains(t, err.Error(), "\n")
			assert.Equal(t, 1, strings.Count(err.Error(), "deadline exceeded"), "%v", err)
			assert.NotContains(t, err.Error(), "context canceled", "which is our own doing")
			if own != nil {
				require.ErrorIs(t, err, own)
			}
		}
	})
}

// The header of a last response is the caller's at once, whatever its body does.
func TestStalledBodyIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []pipe
		rt := transport.MustNew(transport.Config{
			Retrier: retrier(t),
			Base: base(func(r *http.Request) (*http.Response, error) {
				bodies = append(bodies, newPipe())
				return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: bodies[len(bodies)-1]}, nil
			}),
		})
		start := time.Now()
		resp, err := rt.RoundTrip(request(t, "host.test"))
		require.NoError(t, err)
		assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		assert.Less(t, time.Since(start), 3*time.Second, "two delays, and little for the bodies")
		assert.Len(t, bodies, 3)
		for _, b := range bodies[:2] {
			<-b.closed
		}
		time.AfterFunc(time.Second, func() { _ = resp.Body.Close() })
		_, err = resp.Body.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe, "who reads it waits for it")
	})
}

// A key that is there and empty says that a request is idempotent, as net/http has it.
func TestIdempotentWithoutAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
			a := &answers{status: []int{500, 200}}
			req := request(t, "host.test")
			req.Method, req.Header[name] = http.MethodPost, nil
			resp, err := transport.MustNew(transport.Config{Base: a, Retrier: retrier(t)}).RoundTrip(req)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, resp.StatusCode)
		}
	})
}

func TestBaseWithoutAnswer(t *testing.T) {
	calls := 0
	rt := transport.MustNew(transport.Config{Retrier: retrier(t), Base: base(func(*http.Request) (*http.Response, error) {
		calls++
		return nil, nil //nolint:nilnil // what no base should do
	})})
	_, err := rt.RoundTrip(request(t, "host.test"))
	require.ErrorContains(t, err, "neither")
	assert.Equal(t, 1, calls)
}

// Callers who give a host no time don't close it to everybody.
func TestOwnDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		rt := transport.MustNew(transport.Config{
			Breaker: &circuitbreaker.Policy{FailureThreshold: 5},
			Base: base(func(r *http.Request) (*http.Response, error) {
				takes := 50 * time.Millisecond
				if down.Load() {
					takes = time.Hour
				}
				select {
				case <-time.After(takes):
					return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}),
		})
		get := func(limit time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := rt.RoundTrip(request(t, "host.test").WithContext(ctx))
			return err
		}
		require.NoError(t, get(time.Minute))
		for range 10 {
			require.ErrorIs(t, get(time.Millisecond), context.DeadlineExceeded)
		}
		require.NoError(t, get(time.Minute))
		down.Store(true)
		for range 5 {
			require.ErrorIs(t, get(time.Second), context.DeadlineExceeded)
		}
		require.ErrorIs(t, get(time.Second), circuitbreaker.ErrOpen)
	})
}

// The caller may say what a response means.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		judge   func(*http.Response) transport.Verdict
		calls   int
		took    time.Duration
		failure bool
	}{
		"the table's":       {500, transport.Usual, 3, 2 * time.Second, true},
		"a 404 for a while": {404, func(*http.Response) transport.Verdict { return transport.Verdict{Retry: true} }, 3, 2 * time.Second, false},
		"a delay in the body": {400, func(r *http.Response) transport.Verdict {
			text, _ := io.ReadAll(r.Body)
			_ = r.Body.Close()
			r.Body = io.NopCloser(strings.NewReader(string(text)))
			after, _ := time.ParseDuration(map[string]string{"body 1": "5s", "body 2": "7s", "body 3": "9s"}[string(text)])
			return transport.Verdict{Retry: true, Throttled: true, After: after}
		}, 3, 12 * time.Second, false},
		"a failure that is none": {500, func(r *http.Response) transport.Verdict { v := transport.Usual(r); v.Failure = false; return v }, 3, 2 * time.Second, false},
		"a success that is one":  {200, func(*http.Response) transport.Verdict { return transport.Verdict{Failure: true} }, 1, 0, true},
		"an end of it":           {503, func(*http.Response) transport.Verdict { return transport.Verdict{} }, 1, 0, false},
		"a panic":                {500, func(*http.Response) transport.Verdict { panic("dropped") }, 3, 2 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, opened := &answers{status: []int{c.status}}, 0
				rt := transport.MustNew(transport.Config{
					Base: a, Judge: c.judge, Retrier: retrier(t),
					Breaker: &circuitbreaker.Policy{FailureThreshold: c.calls, OnOpen: func(int, error) { opened++ }},
				})
				start := time.Now()
				resp, err := send(t, rt, http.MethodGet, "")
				require.NoError(t, err)
				assert.Equal(t, c.status, resp.StatusCode)
				assert.Len(t, a.calls, c.calls)
				assert.Equal(t, c.took, time.Since(start))
				assert.Equal(t, c.failure, opened == 1)
				text, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.Equal(t, "body "+string(rune('0'+c.calls)), string(text))
				require.NoError(t, resp.Body.Close())
			})
		})
	}
}

// What is told of the time to come back, and what else counts for it, together.
func TestTimeToComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header http.Header
		want   time.Duration
	}{
		"asked":                     {429, http.Header{"Retry-After": {"3"}}, 3 * time.Second},
		"asked, and none left":      {429, http.Header{"Retry-After": {"3"}, "Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"9"}}, 3 * time.Second},
		"none left":                 {429, http.Header{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"9"}}, 9 * time.Second},
		"some left":                 {429, http.Header{"Ratelimit-Remaining": {"1"}, "Ratelimit-Reset": {"9"}}, 0},
		"blank around":              {429, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {" 9 "}}, 9 * time.Second},
		"forbidden, and none left":  {403, http.Header{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"9"}}, 9 * time.Second},
		"not at all, but a failure": {503, nil, 0},
	} {
		var got time.Duration
		rt := transport.MustNew(transport.Config{
			Base: base(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: c.status, Header: c.header, Body: http.NoBody, Request: r}, nil
			}),
			Judge: func(r *http.Response) transport.Verdict { v := transport.Usual(r); got = v.After; return v },
		})
		resp, err := rt.RoundTrip(request(t, "host.test"))
		require.NoError(t, err, name)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, c.want, got, name)
	}
}
