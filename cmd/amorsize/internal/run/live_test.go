package run

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// The page of an address without a host is for those who ask for this machine by its own name.
func TestLocalOnly(t *testing.T) {
	page := localOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for host, want := range map[string]int{
		"localhost": 204, "localhost:80": 204, "127.0.0.1:1": 204, "127.0.0.1": 204, "[::1]:1": 204, "[::1]": 204, "::1": 204,
		"evil.example": 403, "evil.example:80": 403, "": 403, "127.0.0.1.evil.example": 403, "10.0.0.1:80": 403,
	} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Host = host
		answer := httptest.NewRecorder()
		page.ServeHTTP(answer, request)
		require.Equal(t, want, answer.Code, host)
	}
}

// The page is there as long as the run is, and at the address that was given.
func TestLivePage(t *testing.T) {
	for address, others := range map[string]int{":0": http.StatusForbidden, "127.0.0.1:0": http.StatusOK} {
		b := newBench(t, "a")
		b.cfg.What = strings.Repeat("x", 81)
		var shown []struct{ Name string }
		b.cfg.Show.Live = address
		url := ""
		status, err := b.run(newRunner(func(context.Context, *jobs.Job) error {
			url = regexp.MustCompile(`live page: (http://127\.0\.0\.1:\d+/)`).FindStringSubmatch(b.read("stderr"))[1]
			runs, err := http.Get(url + "runs.json")
			require.NoError(t, err)
			require.NoError(t, json.NewDecoder(runs.Body).Decode(&shown))
			require.NoError(t, runs.Body.Close())
			for host, want := range map[string]int{"": http.StatusOK, "other.example": others} {
				request, err := http.NewRequest(http.MethodGet, url, nil)
				require.NoError(t, err)
				request.Host = host
				request.Close = true
				answer, err := http.DefaultClient.Do(request)
				require.NoError(t, err)
				_, _ = io.Copy(io.Discard, answer.Body)
				require.NoError(t, answer.Body.Close())
				require.Equal(t, want, answer.StatusCode, address+" as "+host)
			}
			return nil
		}))
		require.NoError(t, err)
		require.Zero(t, status)
		require.Len(t, shown, 1, "the run")
		require.Equal(t, strings.Repeat("x", 79)+"…", shown[0].Name, "is named by what it does, in short")
		_, err = http.Get(url)
		require.Error(t, err, "the run is over")
	}
	for _, bad := range []string{"80", "127.0.0.1:bogus", "127.0.0.1:99999"} {
		b := newBench(t, "a")
		b.cfg.Show.Live = bad
		r := newRunner(nil)
		_, err := b.run(r)
		require.Error(t, err)
		require.Empty(t, r.tried, "nothing is run")
	}
}
