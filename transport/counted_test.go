package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

func answer(req *http.Request, body io.Reader) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body), Header: http.Header{}, Request: req}
}

// 64 goroutines at a host with four slots: no more are in flight than keep these busy,
// and another host is not held back.
func TestConcurrencyOfAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		small := amorsizetest.New(amorsizetest.Conditions{Slots: 4, Latency: amorsizetest.Lognormal(20*time.Millisecond, 0.3)}, 1)
		rt := transport.MustNew(transport.Config{
			Base: base(func(req *http.Request) (*http.Response, error) {
				if req.URL.Host == "fast.test" {
					return answer(req, strings.NewReader("at once")), nil
				}
				return answer(req, strings.NewReader("ok")), small.Call(req.Context())
			}),
			Concurrency: &concurrency.Policy{},
		})
		var group sync.WaitGroup
		for range 64 {
			group.Go(func() {
				for range 60 {
					resp, err := send(t, rt, "GET", "")
					if assert.NoError(t, err) {
						_, _ = io.Copy(io.Discard, resp.Body)
					}
				}
			})
		}
		time.Sleep(time.Second)
		start := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://fast.test", nil)
		require.NoError(t, err)
		resp, err := rt.RoundTrip(req)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Zero(t, time.Since(start))
		group.Wait()
		settled := small.Timeline().After(500)
		settled.AssertGoodput(t, 0.95*4/0.020)
		require.Less(t, settled.MeanInFlight(), 7.0)
	})
}

// A request is in flight until its body has been read or closed.
func TestInFlightUntilTheBodyIsHere(t *testing.T) {
	broken := errors.New("broken off")
	for name, end := range map[string]func(*http.Response){
		"read":   func(r *http.Response) { _, _ = io.ReadAll(r.Body) },
		"closed": func(r *http.Response) { _ = r.Body.Close(); _ = r.Body.Close() },
		"broken": func(r *http.Response) { _, _ = io.ReadAll(r.Body); _ = r.Body.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := transport.MustNew(transport.Config{
					Base: base(func(req *http.Request) (*http.Response, error) {
						body := io.Reader(strings.NewReader("text"))
						if name == "broken" {
							body = iotest.ErrReader(broken)
						}
						return answer(req, body), nil
					}),
					Concurrency: &concurrency.Policy{Min: 1, Max: 1},
				})
				first, err := send(t, rt, "GET", "")
				require.NoError(t, err)
				second := make(chan *http.Response, 1)
				go func() {
					resp, err := send(t, rt, "GET", "")
					assert.NoError(t, err)
					second <- resp
				}()
				synctest.Wait()
				require.Empty(t, second)
				end(first)
				_ = (<-second).Body.Close()
			})
		})
	}
}

// What has no body is over with its header, and so is what is refused, fails or panics.
func TestInFlightUntilTheHeaderIsHere(t *testing.T) {
	gives := func(code int, body io.ReadCloser) func(*http.Request) (*http.Response, error) {
		return func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: code, Body: body, Header: http.Header{}, Request: req}, nil
		}
	}
	text := io.NopCloser(strings.NewReader("text"))
	for name, do := range map[string]func(*http.Request) (*http.Response, error){
		"no body":  gives(http.StatusNoContent, http.NoBody),
		"switched": gives(http.StatusSwitchingProtocols, text),
		"refused":  gives(http.StatusServiceUnavailable, text),
		"failed":   func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") },
		"nothing":  func(*http.Request) (*http.Response, error) { return nil, nil }, //nolint:nilnil // that is what is tested
		"panic":    func(*http.Request) (*http.Response, error) { panic("no") },
	} {
		rt := transport.MustNew(transport.Config{Base: base(do), Concurrency: &concurrency.Policy{Min: 1, Max: 1, OnLimit: concurrency.Reject}})
		for range 3 {
			func() {
				defer func() { _ = recover() }()
				_, err := send(t, rt, "GET", "")
				require.NotErrorIs(t, err, concurrency.ErrFull, name)
			}()
		}
	}
}

// A refusal by the limit is no refusal by the host: the retrier waits as long as it says,
// the host is not called meanwhile, and its breaker does not hear of it.
func TestRefusedByTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		rt := transport.MustNew(transport.Config{
			Base: base(func(req *http.Request) (*http.Response, error) {
				calls++
				return answer(req, strings.NewReader("ok")), nil
			}),
			Concurrency: &concurrency.Policy{Min: 1, Max: 1, OnLimit: concurrency.Reject},
			Retrier:     retry.MustNew(retry.Policy{MaxRetries: 1, InitialDelay: time.Second, Jitter: retry.JitterNone}),
		})
		first, err := send(t, rt, "POST", "text")
		require.NoError(t, err)
		go func() {
			time.Sleep(50 * time.Millisecond)
			_ = first.Body.Close()
		}()
		start := time.Now()
		second, err := send(t, rt, "POST", "text") // which is no idempotent method: it was not sent
		require.NoError(t, err)
		_ = second.Body.Close()
		require.Equal(t, 2, calls)
		require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond)
	})
}

// An invalid policy is told at once.
func TestInvalidConcurrency(t *testing.T) {
	_, err := transport.New(transport.Config{Concurrency: &concurrency.Policy{Min: -1}})
	require.ErrorIs(t, err, transport.ErrInvalid)
}

// A caller who leaves the line of a host leaves nothing behind.
func TestCancelledInTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := transport.MustNew(transport.Config{
			Base:        base(func(req *http.Request) (*http.Response, error) { return answer(req, strings.NewReader("ok")), nil }),
			Concurrency: &concurrency.Policy{Min: 1, Max: 1},
		})
		first, err := send(t, rt, "GET", "")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://host.test/path", nil)
		require.NoError(t, err)
		_, err = rt.RoundTrip(req)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_ = first.Body.Close()
		again, err := send(t, rt, "GET", "")
		require.NoError(t, err)
		_ = again.Body.Close()
	})
}
