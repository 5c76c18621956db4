package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// torn is a body that fails in its midst.
type torn struct{}

func (torn) Read([]byte) (int, error) { return 0, errors.New("reset") }
func (torn) Close() error             { return nil }

// The context of a request ends when its response has been read, has failed or is closed,
// whatever is first, and at once if it has no body. A connection that was switched to
// another protocol has that of the caller.
func TestContextEndsWithTheBody(t *testing.T) {
	read := func(r *http.Response) { _, _ = io.ReadAll(r.Body) }
	for name, c := range map[string]struct {
		status int
		body   io.ReadCloser
		with   func(*http.Response) // nil: at once
		ends   bool
	}{
		"read":     {200, io.NopCloser(strings.NewReader("text")), read, true},
		"torn":     {200, torn{}, read, true},
		"closed":   {200, io.NopCloser(strings.NewReader("text")), func(r *http.Response) { _ = r.Body.Close() }, true},
		"empty":    {200, http.NoBody, nil, true},
		"none":     {200, nil, nil, true},
		"switched": {101, io.NopCloser(strings.NewReader("text")), read, false},
	} {
		var own context.Context
		ctx, cancel := context.WithCancel(t.Context())
		rt := transport.MustNew(transport.Config{Base: base(func(r *http.Request) (*http.Response, error) {
			own = r.Context()
			return &http.Response{StatusCode: c.status, Body: c.body, Request: r}, nil
		})})
		resp, err := rt.RoundTrip(request(t, "host.test").WithContext(ctx))
		require.NoError(t, err, name)
		if c.with != nil {
			require.NoError(t, own.Err(), name)
			c.with(resp)
		}
		require.Equal(t, c.ends, own.Err() != nil, name)
		cancel()
		require.Error(t, own.Err(), name)
		if resp.Body != nil {
			require.NoError(t, resp.Body.Close(), name)
		}
	}
}

// What failed without a response is sent again if that does no harm, and if its body can
// be had again; else it is sent once.
func TestSentAgainAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		once := func() io.Reader { return io.LimitReader(strings.NewReader("text"), 9) }
		for _, c := range []struct {
			method string
			body   io.Reader
			calls  int
		}{
			{http.MethodPut, strings.NewReader("text"), 3}, {http.MethodPut, once(), 1}, {http.MethodPut, nil, 3},
			{http.MethodPut, http.NoBody, 3}, {http.MethodPost, strings.NewReader("text"), 1}, {http.MethodPost, once(), 1},
		} {
			a := &answers{status: []int{0}}
			req, err := http.NewRequestWithContext(t.Context(), c.method, "http://host.test/", c.body)
			require.NoError(t, err)
			_, err = transport.MustNew(transport.Config{Base: a, Retrier: retrier(t)}).RoundTrip(req)
			require.ErrorContains(t, err, "connection reset")
			require.Len(t, a.calls, c.calls, "%s %T", c.method, c.body)
		}
	})
}

// A body that was read to its end did not fail: it is the host that did, and the request is sent again.
func TestSentAgainAfterTheWholeBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		rt := transport.MustNew(transport.Config{
			Retrier: retrier(t),
			Base: base(func(r *http.Request) (*http.Response, error) {
				calls++
				text, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				require.Equal(t, "text", string(text))
				return nil, errors.New("connection reset")
			}),
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://host.test/", strings.NewReader("text"))
		require.NoError(t, err)
		_, err = rt.RoundTrip(req)
		require.ErrorContains(t, err, "connection reset")
		require.Equal(t, 3, calls)
	})
}

// A body that breaks off on its way is not the host's failure, and is not sent again.
func TestBodyBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, broken := 0, errors.New("the file is gone")
		rt := transport.MustNew(transport.Config{
			Retrier: retrier(t),
			Breaker: &circuitbreaker.Policy{FailureThreshold: 1, OnOpen: func(int, error) { t.Error("the host has not failed") }},
			Base: base(func(r *http.Request) (*http.Response, error) {
				calls++
				_, err := io.ReadAll(r.Body)
				return nil, err
			}),
		})
		part := func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("part"), iotest.ErrReader(broken))), nil
		}
		body, err := part()
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://host.test/", body)
		require.NoError(t, err)
		req.GetBody = part
		_, err = rt.RoundTrip(req)
		require.ErrorIs(t, err, broken)
		require.Equal(t, 1, calls)
	})
}

// A response that may be the last is read ahead as far as 64 KiB, which frees the
// connection of a small one; all of it is there for the caller, and it is closed once.
func TestReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for size, freed := range map[int]bool{0: true, 10: true, 64<<10 - 1: true, 64 << 10: false, 64<<10 + 1: false, 200 << 10: false} {
			var closed atomic.Int32
			rt := transport.MustNew(transport.Config{
				Retrier: retry.MustNew(retry.Policy{MaxRetries: retry.NoRetries}),
				Base: base(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: body{strings.NewReader(strings.Repeat("x", size)), &closed}, Request: r}, nil
				}),
			})
			resp, err := rt.RoundTrip(request(t, "host.test"))
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, freed, closed.Load() == 1, size)
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err, size)
			require.Len(t, text, size)
			require.NoError(t, resp.Body.Close())
			require.EqualValues(t, 1, closed.Load(), size)
		}
	})
}
