//go:build unix

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLivePage: a run shows itself on a page of the loopback, by the name of its command, without
// its items, and to nobody who comes by another name.
func TestLivePage(t *testing.T) {
	goes := filepath.Join(t.TempDir(), "goes")
	c := begin(t, build(t), "run", "-j2", "--live", ":0", "--rate", "1000/s", "--arg-file", items(t), "--sh", "while [ ! -e "+goes+" ]; do sleep 0.02; done; : $1")
	var url string
	address := regexp.MustCompile(`live page: (http://127\.0\.0\.1:\d+/)`)
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(filepath.Join(c.dir, "stderr"))
		if m := address.FindSubmatch(text); m != nil {
			url = string(m[1])
		}
		return url != ""
	}, 20*time.Second, 5*time.Millisecond)
	defer http.DefaultClient.CloseIdleConnections()
	get := func(path, host string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		require.NoError(t, err)
		request.Host = host
		r, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(body)
	}
	status, page := get("", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "<h1>amorsize run</h1>")
	status, _ = get("", "evil.example")
	require.Equal(t, http.StatusForbidden, status)
	var runs []struct {
		ID          int
		Name, State string
		Total       int
	}
	require.Eventually(t, func() bool {
		_, text := get("runs.json", "localhost")
		require.NoError(t, json.Unmarshal([]byte(text), &runs))
		require.NotContains(t, text, "secret item")
		return len(runs) > 0 && runs[0].Total > 0
	}, 20*time.Second, 20*time.Millisecond)
	require.Equal(t, "running", runs[0].State)
	require.Contains(t, runs[0].Name, "while [ ! -e ")
	require.NoError(t, os.WriteFile(goes, nil, 0o600))
	require.NoError(t, c.cmd.Wait())
}

// items are those of a run, in a file.
func items(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "items")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("secret item\n", 40)), 0o600))
	return path
}
