package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// Each of these was a defect once.

func request(t *testing.T, host string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", nil)
	require.NoError(t, err)
	return req
}

// Many hosts under a limit of their own and one for all: tokens go round in no circle.
func TestBothLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{200}}
		rt := transport.MustNew(transport.Config{
			Base:    a,
			PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 5, BurstSize: 1}, 0),
			Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1}),
		})
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				_, err := rt.RoundTrip(request(t, fmt.Sprintf("host%d.test", i%5)))
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.GreaterOrEqual(t, time.Since(start), 4900*time.Millisecond)
		assert.Less(t, time.Since(start), 7*time.Second)
	})
}

// A callback of one host's breaker may use the client.
func TestBreakerCallbackMayCallTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{500, 200}}
		var rt *transport.Transport
		told := 0
		rt = transport.MustNew(transport.Config{Base: a, Breaker: &circuitbreaker.Policy{FailureThreshold: 1, OnHalfOpen: func() {
			told++
			_, err := rt.RoundTrip(request(t, "metrics.test"))
			assert.NoError(t, err)
		}}})
		for _, host := range []string{"down.test", "other.test"} {
			_, err := rt.RoundTrip(request(t, host))
			require.NoError(t, err)
			time.Sleep(time.Hour)
		}
		_, err := rt.RoundTrip(request(t, "down.test"))
		require.NoError(t, err)
		assert.Equal(t, 1, told)
	})
}

func TestOnBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		a := &answers{status: []int{500, 200}}
		rt := transport.MustNew(transport.Config{
			Base: a,
			Breaker: &circuitbreaker.Policy{FailureThreshold: 1, SuccessThreshold: 1, OnOpen: func(n int, err error) {
				told = append(told, fmt.Sprint(n, " ", err))
				panic("dropped")
			}},
			OnBreaker: func(host string, state circuitbreaker.State) { told = append(told, fmt.Sprint(host, " ", state)) },
		})
		for range 2 {
			_, err := rt.RoundTrip(request(t, "host.test"))
			require.NoError(t, err)
			time.Sleep(time.Hour)
		}
		assert.Equal(t, []string{"1 transport: 500 Internal Server Error", "host.test open", "host.test half-open", "host.test closed"}, told)
	})
}

func TestDeadHostsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{500}}
		rt := transport.MustNew(transport.Config{Base: a, Retrier: retrier(t), Breaker: &circuitbreaker.Policy{FailureThreshold: 1}, MaxHosts: 2})
		for _, host := range []string{"a", "b"} {
			_, err := rt.RoundTrip(request(t, host))
			require.NoError(t, err)
		}
		a.calls = nil
		start := time.Now()
		_, err := rt.RoundTrip(request(t, "c"))
		if errors.Is(err, transport.ErrTooManyHosts) {
			assert.Zero(t, time.Since(start), "it is not tried again")
			assert.Empty(t, a.calls)
		}
		time.Sleep(time.Hour)
		_, err = rt.RoundTrip(request(t, "c"))
		require.NoError(t, err)
	})
}

// A response that stalls after its header is an attempt that timed out.
func TestStalledErrorBody(t *testing.T) {
	calls := atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, "ok")
	}))
	defer server.Close()
	rt := transport.MustNew(transport.Config{Base: server.Client().Transport, Retrier: retry.MustNew(retry.Policy{AttemptTimeout: 50 * time.Millisecond, MaxRetries: 100, InitialDelay: 1, MaxDelay: 1})})
	resp, err := rt.RoundTrip(request(t, strings.TrimPrefix(server.URL, "http://")))
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	rt.CloseIdleConnections()
}

// The timeout of an attempt is for the host, not for waiting for a token or for a
// breaker to close.
func TestAttemptTimeoutIsForSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{429, 200}, header: http.Header{"Retry-After": {"50"}}}
		rt := transport.MustNew(transport.Config{
			Base:    a,
			PerHost: ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1}, 0),
			Retrier: retry.MustNew(retry.Policy{AttemptTimeout: 2 * time.Second}),
			Breaker: &circuitbreaker.Policy{WhenOpen: circuitbreaker.Wait},
		})
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				resp, err := rt.RoundTrip(request(t, "host.test"))
				if assert.NoError(t, err) {
					assert.Equal(t, 200, resp.StatusCode)
				}
			})
		}
		wg.Wait()
	})
}

// An attempt whose time is up as the header comes has failed.
func TestTimeoutAsTheHeaderComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		rt := transport.MustNew(transport.Config{
			Retrier: retry.MustNew(retry.Policy{AttemptTimeout: time.Second}),
			Base: base(func(req *http.Request) (*http.Response, error) {
				if calls++; calls == 1 {
					time.Sleep(time.Second)
					synctest.Wait()
				}
				if err := req.Context().Err(); err != nil && calls > 1 {
					return nil, err
				}
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, nil
			}),
		})
		resp, err := rt.RoundTrip(request(t, "host.test"))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, 2, calls)
	})
}

type brokenFile struct{}

func (brokenFile) Read([]byte) (int, error) { return 0, errors.New("disk failure") }

// What fails on this side is no failure of the host.
func TestOwnFailuresOpenNoBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		rt := transport.MustNew(transport.Config{
			Retrier: retrier(t),
			Breaker: &circuitbreaker.Policy{FailureThreshold: 1, OnOpen: func(int, error) { opened++ }},
			Base: base(func(req *http.Request) (*http.Response, error) {
				_, err := io.ReadAll(req.Body)
				_ = req.Body.Close()
				return nil, err
			}),
		})
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://host.test/", brokenFile{})
			require.NoError(t, err)
			_, err = rt.RoundTrip(req)
			require.ErrorContains(t, err, "disk failure")
		}
		assert.Zero(t, opened)
	})
}

// Nor does it cost a token, of either limiter.
func TestOwnFailuresCostNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 5})
		hosts := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 5}, 0)
		require.NoError(t, all.AcquireN(t.Context(), 3))
		require.NoError(t, hosts.Use("host.test", func(l *ratelimit.Limiter) error { return l.AcquireN(t.Context(), 3) }))
		rt := transport.MustNew(transport.Config{Limiter: all, PerHost: hosts, Base: base(func(req *http.Request) (*http.Response, error) {
			_, err := io.ReadAll(req.Body)
			_ = req.Body.Close()
			return nil, err
		})})
		for range 5 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://host.test/", brokenFile{})
			require.NoError(t, err)
			_, err = rt.RoundTrip(req)
			require.ErrorContains(t, err, "disk failure")
		}
		assert.EqualValues(t, 2, all.AvailableTokens())
		require.NoError(t, hosts.Use("host.test", func(l *ratelimit.Limiter) error {
			assert.EqualValues(t, 2, l.AvailableTokens())
			return nil
		}))
	})
}

// pipe is a body that gives nothing until it is closed, and fails then.
type pipe struct {
	once   *sync.Once
	closed chan struct{}
}

func newPipe() pipe { return pipe{new(sync.Once), make(chan struct{})} }

func (p pipe) Read([]byte) (int, error) { <-p.closed; return 0, io.ErrClosedPipe }
func (p pipe) Close() error             { p.once.Do(func() { close(p.closed) }); return nil }

// A body that can't be read because the attempt is over has not failed by itself. With
// HTTP/2, where it may still be read when the attempt has ended.
func TestUploadCutOff(t *testing.T) {
	for _, answers := range []bool{false, true} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answers {
				w.WriteHeader(http.StatusInternalServerError)
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done() // and no body comes
		}))
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		var attempts atomic.Int32
		p := retry.Policy{MaxRetries: 2, InitialDelay: 1, MaxDelay: 1}
		if !answers {
			p.AttemptTimeout = 20 * time.Millisecond
		}
		rt := transport.MustNew(transport.Config{
			Base: base(func(req *http.Request) (*http.Response, error) {
				attempts.Add(1)
				return server.Client().Transport.RoundTrip(req)
			}),
			Retrier: retry.MustNew(p),
		})
		for range 5 {
			attempts.Store(0)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, newPipe())
			require.NoError(t, err)
			req.ContentLength = 100
			req.GetBody = func() (io.ReadCloser, error) { return newPipe(), nil }
			resp, err := rt.RoundTrip(req)
			if answers {
				require.NoError(t, err)
				assert.Equal(t, http.StatusInternalServerError, resp.StatusCode)
				require.NoError(t, resp.Body.Close())
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			require.EqualValues(t, 3, attempts.Load())
		}
		server.Client().CloseIdleConnections()
	}
}

func TestRateLimitFields(t *testing.T) {
	for field, want := range map[string]time.Duration{
		"limit=100, remaining=0, reset=30":             30 * time.Second,
		`"minute";r=0;t=5, "hour";r=0;t=120`:           2 * time.Minute,
		`"hour";r=0;t=120, "minute";r=0;t=5`:           2 * time.Minute,
		`"minute";r=0`:                                 0,
		`"minute";q=100;w=60;r=1;t=5, "day";r=90;t=77`: 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{status: []int{404, 200}, header: http.Header{"Ratelimit": {field}}}
			rt := transport.MustNew(transport.Config{Base: a, Limiter: ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10})})
			start := time.Now()
			for range 2 {
				_, err := rt.RoundTrip(request(t, "host.test"))
				require.NoError(t, err)
			}
			assert.GreaterOrEqual(t, time.Since(start), want, field)
			assert.LessOrEqual(t, time.Since(start), want+want/10, field)
		})
	}
}

func TestResponseIsTheCallers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer server.Close()
	rt := transport.MustNew(transport.Config{Base: server.Client().Transport, Retrier: retrier(t)})
	req := request(t, strings.TrimPrefix(server.URL, "http://"))
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	assert.Same(t, req, resp.Request)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.NoError(t, resp.Request.Context().Err(), "it can be used for the next request")
	(&http.Client{Transport: rt}).CloseIdleConnections()
	_, err = rt.RoundTrip((&http.Request{Method: http.MethodGet}).WithContext(context.Background()))
	require.ErrorContains(t, err, "no URL")
	_, err = transport.New(transport.Config{Breaker: &circuitbreaker.Policy{IsFailure: func(error) bool { return true }}})
	require.ErrorIs(t, err, transport.ErrInvalid)
}
