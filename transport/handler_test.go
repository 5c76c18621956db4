package transport_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/transport"
)

func ask(h http.Handler, ctx context.Context) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	return w
}

// A server that is full says so, and when to come back.
func TestHandlerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := concurrency.MustNew(concurrency.Policy{Min: 2, Max: 2, MaxWait: time.Second})
		h := transport.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			_, _ = io.WriteString(w, "here you are")
		}), l)
		served := make(chan int, 2)
		for range 2 {
			go func() { served <- ask(h, t.Context()).Code }()
		}
		synctest.Wait()
		start := time.Now()
		refused := ask(h, t.Context())
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, http.StatusServiceUnavailable, refused.Code)
		require.Equal(t, "1", refused.Header().Get("Retry-After"))
		close(release)
		require.Equal(t, http.StatusOK, <-served)
		require.Equal(t, http.StatusOK, <-served)
		require.Equal(t, http.StatusOK, ask(h, t.Context()).Code)
		require.Zero(t, l.Stats().InFlight)
	})
}

// What the handler answers tells what came of it.
func TestHandlerTellsTheLimiter(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		ctx     context.Context
		lowers  bool
	}{
		"503": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			w.WriteHeader(http.StatusOK)
		}, t.Context(), true},
		"429": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTooManyRequests)
		}, t.Context(), true},
		"500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, t.Context(), false},
		"200": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "ok")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, t.Context(), false},
		"nothing": {func(http.ResponseWriter, *http.Request) {}, t.Context(), false},
		"gone":    {func(w http.ResponseWriter, _ *http.Request) { end(); w.WriteHeader(http.StatusServiceUnavailable) }, ended, false},
		"panic":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, t.Context(), false},
	} {
		l := concurrency.MustNew(concurrency.Policy{})
		h := transport.Handler(c.handler, l)
		for range 40 {
			func() {
				defer func() { _ = recover() }()
				ask(h, c.ctx)
			}()
		}
		s := l.Stats()
		require.Zero(t, s.InFlight, name)
		if c.lowers {
			require.Less(t, s.Limit, 16, name)
		} else {
			require.GreaterOrEqual(t, s.Limit, 16, name)
		}
	}
}

// A real server: what its handler can do beyond writing, it can do under the limit.
func TestHandlerOfARealServer(t *testing.T) {
	l := concurrency.MustNew(concurrency.Policy{})
	server := httptest.NewServer(transport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/flush":
			_, _ = io.WriteString(w, "first")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, " second")
		case "/hijack":
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				_ = c.Close()
			}
		}
	}), l))
	defer server.Close()
	for path, want := range map[string]struct {
		code int
		text string
	}{"/flush": {200, "first second"}, "/hijack": {202, ""}} {
		resp, err := server.Client().Get(server.URL + path) //nolint:noctx // a test
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, want.code, resp.StatusCode)
		require.Equal(t, want.text, string(text))
	}
}
