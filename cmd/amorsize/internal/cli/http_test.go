package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// service is a service on loopback that answers with what it was asked; of the paths in failing, with a 404.
type service struct {
	*httptest.Server

	mu      sync.Mutex
	failing string
	asked   []string
}

func serve(t *testing.T) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		if s.failing != "" && strings.Contains(r.URL.Path, s.failing) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = fmt.Fprintf(w, "%s\n", r.URL.RequestURI())
	}))
	t.Cleanup(s.Close)
	return s
}

// How runs of requests end, and what they write where.
func TestRunsOfRequests(t *testing.T) {
	write(t, filepath.Join(home(t), "items"), "a\nb\n")
	s := serve(t)
	s.failing = "bad"
	for line, want := range map[string]struct {
		status int
		out    string
	}{
		"-k -a items URL/{}":                 {0, "/a\n/b\n"},
		"-k URL/{} ::: a b":                  {0, "/a\n/b\n"},
		"-k --out status URL/{} ::: a":       {0, "200\n"},
		"-k URL/{} ::: a bad b":              {1, "/a\n/b\n"},
		"-k --ok 200,404 URL/{} ::: a bad b": {0, "/a\n/b\n"},
		"--halt 1 -j 1 URL/{} ::: bad b":     {4, ""},
		"-n -X PUT URL/{} ::: a b":           {0, "PUT URL/a\nPUT URL/b\n"},
		"-k --tag=x URL/{} ::: a":            {0, "x/a\n"},
		"-k --results d URL/{} ::: c":        {0, ""},
		"--json --results e URL/{} :::":      {0, "{"},
		"URL/{} -k":                          {2, ""},
		"--rate-tokens 1 URL/{} ::: a":       {2, ""},
		"--cacert items URL/{} ::: a":        {2, ""},
		"--max-body x URL/{} ::: a":          {2, ""},
		"--log . URL/{} ::: a":               {2, ""},
	} {
		got := typed(t, "", strings.Fields("http -q "+strings.ReplaceAll(line, "URL", s.URL))...)
		require.Equal(t, want.status, got.status, "%s: %s", line, got.err)
		out := strings.ReplaceAll(got.out, s.URL, "URL")
		if want.out == "{" {
			require.Regexp(t, `^\{.*\}\n$`, out, line)
			continue
		}
		require.Equal(t, want.out, out, line)
	}
}

// What a run of requests is, is told, and what is likely a mistake.
func TestRunsOfRequestsTellWhatTheyDo(t *testing.T) {
	home(t)
	s := serve(t)
	insecure := "amorsize: --insecure: no certificate is verified: anyone on the network path can read and change what is sent and received\n"
	alike := "amorsize: no {} in the URL, the body or the headers: every item makes the same request\n"
	for line, said := range map[string]string{
		"-q URL/{} ::: a": "", "-q --insecure URL/{} ::: a": insecure, "-q URL ::: a": alike, "-q --insecure URL ::: a": insecure + alike,
		"-n --insecure URL ::: a": "",
	} {
		require.Equal(t, said, typed(t, "", strings.Fields("http "+strings.ReplaceAll(line, "URL", s.URL))...).err, line)
	}
	got := typed(t, "", "http", "-X", "PUT", s.URL+"/{}", ":::", "a")
	require.Contains(t, got.err, s.URL+"/{}\n")
	require.Contains(t, got.err, "1 ok")
}

// Connections are closed, and the file of the items, when a run ends: nothing of it is left in a program.
func TestNothingIsLeftOfARun(t *testing.T) {
	dir := home(t)
	write(t, "items", "a\nb\n")
	s := serve(t)
	before := goleak.IgnoreCurrent()
	require.Equal(t, outcome{0, "/a\n/b\n", ""}, typed(t, "", "http", "-q", "-k", "-a", "items", s.URL+"/{}"))
	require.Empty(t, opened(t, dir))
	goleak.VerifyNone(t, before)
}

// The policies of requests are for what servers answer: a 404 is not tried again, nor is a batch of items a request.
func TestPoliciesOfRequests(t *testing.T) {
	home(t)
	s := serve(t)
	s.failing = "bad"
	require.Equal(t, 1, typed(t, "", "http", "-q", "--backoff", "1ms", s.URL+"/{}", ":::", "bad").status)
	require.Equal(t, []string{"GET /bad"}, s.asked)
	require.Equal(t, 1, typed(t, "", "http", "-q", "--backoff", "1ms", "--retry-on", "status:404", s.URL+"/{}", ":::", "bad").status)
	require.Len(t, s.asked, 5, "three retries, unless said otherwise")
	got := typed(t, "", "http", "-q", "--key", "{host}", "--rate", "1000/s", "--rate-tokens", "100000/s", "--cost", "n", "--estimate", "1", s.URL+"/{}", ":::", "a")
	require.Equal(t, 0, got.status, got.err)
	got = typed(t, "", "http", "--key", "{host}", "--rate", "1000/s", s.URL+"/{}", ":::", "a")
	require.Contains(t, got.err, "one rate per key")
	got = typed(t, "", "http", "--rate", "1000/s", s.URL+"/{}", ":::", "a")
	require.Contains(t, got.err, "1000/s")
}
