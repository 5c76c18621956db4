package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var names atomic.Int64

// fresh is a name that no job of this process has, also when a test is run again.
func fresh(name string) string { return name + strconv.FormatInt(names.Add(1), 10) }

// typed runs a command line, and returns what a user sees.
func typed(t *testing.T, in string, args ...string) (status int, out, complaints string) {
	var o, c bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	status = run(ctx, args, strings.NewReader(in), &o, &c)
	return status, o.String(), c.String()
}

// A run prints its results in order, once more if it is asked again, and runs nothing twice for that.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	on := "sqlite:" + filepath.Join(dir, "runs.db")
	t.Setenv("AMORSIZE_ON", on)
	script := `echo "$1" >> ` + filepath.Join(dir, "ran") + `; test "$1" != b && echo "got $1"`
	status, out, complaints := typed(t, "a\nb\nc\n", "run", "--id", "night", "--name", fresh("first"), "--", "sh", "-c", script, "sh", "{}")
	assert.Equal(t, statusFailed, status, complaints)
	assert.Equal(t, "got a\ngot c\n", out)
	assert.Contains(t, complaints, "failed items: 1")

	status, out, complaints = typed(t, "", "runs", "failed", "night")
	assert.Zero(t, status, complaints)
	assert.Contains(t, out, `"b"`)
	assert.Contains(t, out, "exit status 1")
	_, out, _ = typed(t, "", "runs", "list")
	assert.Contains(t, out, "complete")
	_, out, _ = typed(t, "", "runs", "show", "night")
	assert.Contains(t, out, "failed  1")
	_, out, _ = typed(t, "", "runs", "results", "night")
	assert.Equal(t, "got a\ngot c\n", out)
	_, out, _ = typed(t, "", "doctor")
	assert.Contains(t, out, "durability")
	ran, err := os.ReadFile(filepath.Join(dir, "ran"))
	require.NoError(t, err)
	assert.Len(t, strings.Fields(string(ran)), 3)

	status, _, complaints = typed(t, "a\nx\nc\n", "run", "--id", "night", "--name", fresh("second"), "--", "true", "{}")
	assert.Equal(t, statusBroken, status)
	assert.Contains(t, complaints, "other types", "another job")
	for _, act := range []string{"retry", "cancel", "rm"} {
		status, _, complaints = typed(t, "", "runs", act, "night")
		assert.Zero(t, status, complaints)
	}
	status, _, complaints = typed(t, "", "runs", "show", "night")
	assert.Equal(t, statusBroken, status)
	assert.Contains(t, complaints, "no such run")
}

// Requests keep to the rate of all, and are retried.
func TestURL(t *testing.T) {
	refused := false
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/2" && !refused {
			refused = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("page " + r.URL.Path[1:]))
	}))
	defer service.Close()
	on := "sqlite:" + filepath.Join(t.TempDir(), "runs.db")
	status, out, complaints := typed(t, "1\n2\n3 4\n", "run", "--on", on, "--name", fresh("pages"), "--rate", "1000/s", "--retries", "2", "--out", "jsonl", "--url", service.URL+"/{}")
	assert.Zero(t, status, complaints)
	assert.Equal(t, `{"item":1,"value":"page 1"}
{"item":2,"value":"page 2"}
{"item":3,"value":"page 3 4"}
`, out)
	status, out, complaints = typed(t, "", "http", "--on", on, "--name", fresh("pages"), service.URL+"/{}", ":::", "5", "6")
	assert.Zero(t, status, complaints)
	assert.Equal(t, "page 5\npage 6\n", out)
}

// Items come from where they come from for amorsize, and a Go function is called with them.
func TestExec(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module x\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "calc.go"), []byte(`package calc

import "errors"

func Half(n int) (int, error) {
	if n%2 == 1 {
		return 0, errors.New("odd")
	}
	return n / 2, nil
}
`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ids"), []byte("8\x006\x00"), 0o600))
	t.Chdir(dir)
	on := "sqlite:" + filepath.Join(dir, "runs.db")
	status, out, complaints := typed(t, "", "exec", "--on", on, "--id", "n", "--name", fresh("half"), ".:Half", ":::", "4", "5", "6")
	assert.Equal(t, statusFailed, status, complaints)
	assert.Equal(t, "2\n3\n", out)
	_, out, _ = typed(t, "", "runs", "failed", "--on", on, "n")
	assert.Contains(t, out, "odd")
	status, out, complaints = typed(t, "", "exec", "--on", on, "--name", fresh("half"), "-0", "-a", "ids", "./calc.go:Half")
	assert.Zero(t, status, complaints)
	assert.Equal(t, "4\n3\n", out)
	status, out, complaints = typed(t, "", "run", "--on", on, "--name", fresh("half"), "--range", "2-4/2", "--go", ".:Half")
	assert.Zero(t, status, complaints)
	assert.Equal(t, "1\n2\n", out)
	status, _, complaints = typed(t, "", "exec", "--on", on, ".:None", ":::", "4")
	assert.Equal(t, statusUsage, status, complaints)
}

// A signal fails no call of a Go function: those under way end, the others are left to the next start.
func TestExecStopped(t *testing.T) {
	begun, goes := make(chan struct{}, 50), make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		<-goes
	}))
	defer service.Close()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module x\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ask.go"), []byte(`package ask

import "net/http"

func Ask(n int) error {
	answer, err := http.Get("`+service.URL+`")
	if err == nil {
		err = answer.Body.Close()
	}
	return err
}
`), 0o600))
	t.Chdir(dir)
	on := "sqlite:" + filepath.Join(dir, "runs.db")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	status := make(chan int)
	go func() {
		status <- run(ctx, []string{"exec", "--on", on, "--id", "n", "--name", fresh("ask"), "-j", "2", "--range", "50", ".:Ask"}, strings.NewReader(""), io.Discard, io.Discard)
	}()
	<-begun
	cancel()
	close(goes)
	assert.Equal(t, statusBroken, <-status)
	_, out, _ := typed(t, "", "runs", "show", "--on", on, "n")
	assert.Contains(t, out, "failed  0")
	assert.NotContains(t, out, "done    0\n", "what was under way has ended")
}

// What is no text is refused, and not changed on its way.
func TestNoText(t *testing.T) {
	on := "sqlite:" + filepath.Join(t.TempDir(), "runs.db")
	status, out, complaints := typed(t, "a\xffb\n", "run", "--on", on, "--name", fresh("bytes"), "--", "printf", "%s", "{}")
	assert.Equal(t, statusUsage, status, out)
	assert.Contains(t, complaints, "item 1 is not UTF-8")
	status, out, _ = typed(t, "a\n", "run", "--on", on, "--id", "n", "--name", fresh("bytes"), "--", "printf", `\377`)
	assert.Equal(t, statusFailed, status)
	assert.Empty(t, out)
	_, out, _ = typed(t, "", "runs", "failed", "--on", on, "n")
	assert.Contains(t, out, "not UTF-8")
}

// An input that breaks off does not count as all there is: with the right one the run goes on.
func TestBrokenInput(t *testing.T) {
	on := "sqlite:" + filepath.Join(t.TempDir(), "runs.db")
	var out, complaints bytes.Buffer
	in := io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(errors.New("the disk is gone")))
	status := run(t.Context(), []string{"run", "--on", on, "--id", "n", "--name", fresh("broken"), "--submit-only"}, in, &out, &complaints)
	assert.Equal(t, statusBroken, status)
	assert.Contains(t, complaints.String(), "the disk is gone")
	status, text, said := typed(t, "a\nb\nc\n", "run", "--on", on, "--id", "n", "--name", fresh("broken2"), "--", "echo", "{}")
	assert.Equal(t, statusBroken, status, "of another job: %s %s", text, said)
	_, text, _ = typed(t, "", "runs", "show", "--on", on, "n")
	assert.Contains(t, text, "submitting")
}

// served has a page of runs be served, and returns where, and what ends that.
func served(t *testing.T, page, on string) (address string, end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, w := io.Pipe()
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"runs", page, "--on", on, "--listen", "127.0.0.1:0"}, nil, w, io.Discard)
	}()
	address, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(address), func() {
		cancel()
		assert.Zero(t, <-ended)
	}
}

// River's page is served over either kind of database.
func TestUI(t *testing.T) {
	on := "sqlite:" + filepath.Join(t.TempDir(), "runs.db")
	status, _, complaints := typed(t, "a\n", "run", "--on", on, "--id", "n", "--name", fresh("shown"), "--", "echo", "{}")
	require.Zero(t, status, complaints)
	address, end := served(t, "ui", on)
	for _, path := range []string{"/", "/api/queues?limit=10", "/api/jobs?limit=10"} {
		response, err := http.Get(address + path)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", path, body)
	}
	request, err := http.NewRequest(http.MethodGet, address, nil)
	require.NoError(t, err)
	request.Host = "evil.example"
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusForbidden, response.StatusCode)
	end()
}

// The live page lists runs that other processes work.
func TestLive(t *testing.T) {
	on := "sqlite:" + filepath.Join(t.TempDir(), "runs.db")
	status, _, complaints := typed(t, "a\nb\n", "run", "--on", on, "--id", "night", "--name", fresh("nobody"), "--submit-only")
	require.Zero(t, status, complaints)
	address, end := served(t, "live", on)
	response, err := http.Get(address + "/events")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	for news := bufio.NewReader(response.Body); ; {
		line, err := news.ReadString('\n')
		require.NoError(t, err)
		if strings.Contains(line, `"name":"night"`) && strings.Contains(line, `"total":2`) {
			break
		}
	}
	end()
}

func TestUsage(t *testing.T) {
	on := "sqlite:" + filepath.Join(t.TempDir(), "runs.db")
	for _, line := range [][]string{
		{"run", "--on", on}, {"worker", "--on", on}, {"run", "--on", on, "--name", "n", "--out", "xml"}, {"migrate"},
		{"runs", "list"}, {"run", "--on", on, "--url", "http://x/{}", "--", "echo"}, {"runs", "bogus"}, {"bogus"}, {"run", "--bogus"},
		{"runs", "show", "--on", on}, {"run", "--on", on, "-j", "-3", "--", "true"}, {"run", "--on", on, "--url", "ftp://x/{}"},
		{"run", "--on", on, "--rate", "-1", "--", "true"}, {"runs", "list", "--on", "sqlite:/none/such"}, {"run", "--on", "foo", "--", "true"},
		{"run", "--on", on, "--rate", "auto", "--", "true"}, {"run", "--on", on, "--range", "x", "--", "true"}, {"http", "--on", on, "::: ", "1"},
		{"exec", "--on", on}, {"run", "--on", on, "--range", "3", "--", "true", ":::", "1"}, {"run", "--on", on, "--url", "http://x", "--go", ".:F"},
	} {
		status, _, complaints := typed(t, "", line...)
		assert.Equal(t, statusUsage, status, "%v: %s", line, complaints)
	}
	status, _, complaints := typed(t, "", "runs", "list", "--on", "mysql://x")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, complaints, "sqlite:")
	status, _, _ = typed(t, "", "migrate", "--on", on)
	assert.Zero(t, status)
}
