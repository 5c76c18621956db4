package transport_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/transport"
)

func TestJSONDelay(t *testing.T) {
	for _, c := range []struct {
		body, path string
		want       time.Duration
		ok         bool
	}{
		{`{"retry_after": 0.5}`, "retry_after", 500 * time.Millisecond, true},
		{`{"error": {"details": [{"@type": "QuotaFailure"}, {"retryDelay": "30s"}, {"retryDelay": "60s"}]}}`, "error.details.retryDelay", 30 * time.Second, true},
		{`{"wait": "2.5"}`, "wait", 2500 * time.Millisecond, true},
		{`{"wait": 0}`, "wait", 0, true},
		{`[{"wait": 3}]`, "wait", 3 * time.Second, true},
		{`{"wait": 315360000}`, "wait", 315360000 * time.Second, true},
		{`{"wait": 315360001}`, "wait", 0, false},
		{`{"wait": -1}`, "wait", 0, false},
		{`{"wait": "-1s"}`, "wait", 0, false},
		{`{"wait": "soon"}`, "wait", 0, false},
		{`{"wait": null}`, "wait", 0, false},
		{`{"wait": {"s": 3}}`, "wait", 0, false},
		{`{"wait": 3}`, "wait.s", 0, false},
		{`{"wait": "3"}`, "wait.s", 0, false},
		{`{"wait": "3s"}`, "wait.s", 0, false},
		{`{"other": 3}`, "wait", 0, false},
		{`not JSON`, "wait", 0, false},
		{``, "wait", 0, false},
		{`{"wait": 3, "long": "` + strings.Repeat("x", 64<<10) + `"}`, "wait", 0, false},
	} {
		resp := &http.Response{Body: io.NopCloser(strings.NewReader(c.body))}
		got, ok := transport.JSONDelay(resp, c.path)
		require.Equal(t, c.ok, ok, c.body)
		require.Equal(t, c.want, got, c.body)
		left, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, c.body, string(left), "it is put back")
		require.NoError(t, resp.Body.Close())
	}
	got, ok := transport.JSONDelay(&http.Response{}, "wait")
	require.False(t, ok)
	require.Zero(t, got)

	broken := errors.New("broken off")
	resp := &http.Response{Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"wait": 3`), iotest.ErrReader(broken)))}
	_, ok = transport.JSONDelay(resp, "wait")
	require.False(t, ok)
	left, err := io.ReadAll(resp.Body)
	require.ErrorIs(t, err, broken)
	require.Equal(t, `{"wait": 3`, string(left))
	require.NoError(t, resp.Body.Close())
}
