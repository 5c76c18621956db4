package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// limits are the three ways in which a transport takes limiters, with tokens that
// don't come again.
func limits(t *testing.T) map[string]func() (transport.Config, func() float64) {
	t.Helper()
	p := ratelimit.Policy{RequestsPerSecond: 1e-6, BurstSize: 10}
	left := func(k *ratelimit.Keyed[string]) func() float64 {
		return func() (n float64) {
			_ = k.Use("a.test", func(l *ratelimit.Limiter) error { n = l.AvailableTokens(); return nil })
			return n
		}
	}
	return map[string]func() (transport.Config, func() float64){
		"limiter": func() (transport.Config, func() float64) {
			l := ratelimit.MustNew(p)
			return transport.Config{Limiter: l}, l.AvailableTokens
		},
		"per host": func() (transport.Config, func() float64) {
			k := ratelimit.MustNewKeyed[string](p, 0)
			return transport.Config{PerHost: k}, left(k)
		},
		"both": func() (transport.Config, func() float64) {
			k, l := ratelimit.MustNewKeyed[string](p, 0), ratelimit.MustNew(p)
			return transport.Config{PerHost: k, Limiter: l}, func() float64 { return min(left(k)(), l.AvailableTokens()) }
		},
	}
}

func respond(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// What the base was refused by a policy of its own is a request that was sent.
func TestRefusalsOfTheBaseAreFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejects := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1, OnLimit: ratelimit.Reject})
		for name, makes := range limits(t) {
			c, left := makes()
			sent := 0
			c.Base = baseFunc(func(r *http.Request) (*http.Response, error) {
				if sent++; sent > 5 {
					return respond(r)
				}
				_ = rejects.TryAcquire()
				return nil, rejects.Acquire(r.Context())
			})
			c.Retrier = retry.MustNew(retry.Policy{MaxRetries: retry.NoRetries})
			_, err := transport.MustNew(c).RoundTrip(request(t, "a.test"))
			require.ErrorIs(t, err, ratelimit.ErrExceeded)
			require.Equal(t, 1, sent, name)
			require.InDelta(t, 9, left(), 1e-3, name)
		}
	})
}

type unreadable struct{}

func (unreadable) Read([]byte) (int, error) { return 0, errors.New("disk") }
func (unreadable) Close() error             { return nil }

// A request that was not sent costs no token.
func TestNotSentCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, makes := range limits(t) {
			c, left := makes()
			c.Base = baseFunc(func(r *http.Request) (*http.Response, error) {
				_, err := r.Body.Read(nil)
				return nil, err
			})
			c.Breaker = &circuitbreaker.Policy{FailureThreshold: 1}
			rt := transport.MustNew(c)
			for range 3 {
				req := request(t, "a.test")
				req.Body = unreadable{}
				_, err := rt.RoundTrip(req)
				require.ErrorContains(t, err, "disk")
			}
			require.InDelta(t, 10, left(), 1e-3, name)
		}
	})
}

// A limiter that rejects is inside the breaker and the retrier: its refusals open no
// breaker, and are waited for.
func TestLimitsThatReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1, OnLimit: ratelimit.Reject}
		for name, c := range map[string]transport.Config{
			"limiter":  {Limiter: ratelimit.MustNew(p)},
			"per host": {PerHost: ratelimit.MustNewKeyed[string](p, 0)},
			"both":     {Limiter: ratelimit.MustNew(p), PerHost: ratelimit.MustNewKeyed[string](p, 0)},
		} {
			c.Base = &answers{status: []int{200}}
			c.Breaker = &circuitbreaker.Policy{FailureThreshold: 1}
			c.Retrier = retry.MustNew(retry.Policy{MaxRetries: retry.NoRetries, Jitter: retry.JitterNone})
			rt := transport.MustNew(c)
			start := time.Now()
			for range 4 {
				resp, err := rt.RoundTrip(request(t, "a.test"))
				require.NoError(t, err, name)
				require.NoError(t, resp.Body.Close())
			}
			require.Equal(t, 3*time.Second, time.Since(start), name)
		}
	})
}

// A POST whose connection was never made is sent again; one that may have arrived is not. A
// host that can't be reached has failed.
func TestNeverConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			err  error
			sent int
		}{
			"refused":    {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, 3},
			"wrapped":    {fmt.Errorf("odd: %w", &net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}), 3},
			"no proxy":   {&net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED}, 3},
			"broken off": {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, 1},
			"no answer":  {io.ErrUnexpectedEOF, 1},
		} {
			sent, opened := 0, 0
			rt := transport.MustNew(transport.Config{
				Retrier: retry.MustNew(retry.Policy{MaxRetries: 2}),
				Breaker: &circuitbreaker.Policy{FailureThreshold: c.sent, OnOpen: func(int, error) { opened++ }},
				Base:    baseFunc(func(*http.Request) (*http.Response, error) { sent++; return nil, c.err }),
			})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://a.test/", strings.NewReader("order"))
			require.NoError(t, err)
			_, err = rt.RoundTrip(req)
			require.ErrorIs(t, err, c.err, name)
			require.Equal(t, c.sent, sent, name)
			require.Equal(t, 1, opened, name)

			sent = 0
			req.GetBody, req.Body = nil, io.NopCloser(strings.NewReader("once"))
			req.URL.Host = "b.test"
			_, err = rt.RoundTrip(req)
			require.ErrorIs(t, err, c.err, name)
			require.Equal(t, 1, sent, "its body can't be had again")
		}
	})
}
