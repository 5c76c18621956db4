package request_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/request"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
	"github.com/amorsize/amorsize/transport"
)

func serve(t *testing.T, handle http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

func runner(t *testing.T, cfg request.Config, in request.Surroundings) *request.Runner {
	t.Helper()
	spec, err := parse(cfg)
	require.NoError(t, err)
	if in.Timeout == nil {
		in.Timeout = func() time.Duration { return 0 }
	}
	r, err := request.New(spec, in)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// attempt makes the request of an item, and returns its job and result.
func attempt(t *testing.T, r *request.Runner, n int, item string) (*jobs.Job, string, error) {
	t.Helper()
	j := &jobs.Job{Batch: []items.Item{items.Of(n, item)}}
	err := r.Attempt(t.Context(), j, 0)
	out := text(t, j.Out)
	t.Cleanup(j.Release)
	return j, out, err
}

func TestAttempt(t *testing.T) {
	t.Setenv("TEST_TOKEN", "secret")
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s|%s|%s|%s|%s|%s|%s|%s", r.Method, r.URL.EscapedPath(), r.Host, body, r.UserAgent(), r.Header.Get("Content-Type"),
			strings.Join(r.Header.Values("X-A"), ","), r.Header.Get("Authorization"), r.Header.Get("Cookie"), r.Header.Get("Idempotency-Key"))
	})
	r := runner(t, request.Config{
		URL: url + "/{}", Method: "put", Body: `{"item": "{}"}`, Headers: []string{" X-A : {}", "X-A: 2", "Host: other"}, BearerEnv: "TEST_TOKEN",
		Cookies: "a=b; c=d", IdempotencyKey: "key-{#}", UserAgent: "amorsize/1",
	}, request.Surroundings{})
	j, out, err := attempt(t, r, 7, "x y")
	require.NoError(t, err)
	require.Equal(t, `PUT /x%20y other|{"item": "x y"}|amorsize/1|application/json|x y,2|Bearer secret|a=b; c=d|key-7`, out)
	require.Equal(t, 200, j.Status)
	require.Positive(t, j.Wall)

	r = runner(t, request.Config{URL: url + "/", Body: "no json", Headers: []string{"Content-Type: a/b", "User-Agent: mine"}}, request.Surroundings{})
	_, out, err = attempt(t, r, 1, "x")
	require.NoError(t, err)
	require.Contains(t, out, "|no json|mine|a/b|", "headers that are given are in place of ours")

	r = runner(t, request.Config{URL: url + "/", Body: "no json", Headers: []string{"Cookie: e=f"}}, request.Surroundings{})
	_, out, err = attempt(t, r, 1, "x")
	require.NoError(t, err)
	require.Contains(t, out, "|no json|||||e=f|", "of what kind a body is says only JSON; cookies may be a header")

	// An item's request is the same in whatever slot it is made, so that it is again when it is taken up.
	r = runner(t, request.Config{
		URL: url + "/{%}?{%}", Method: "{%}", Body: "{%}", Headers: []string{"X-A: {%}"}, IdempotencyKey: "{%}", UserAgent: "a",
	}, request.Surroundings{})
	j = &jobs.Job{Batch: []items.Item{items.Of(1, "x")}}
	require.NoError(t, r.Attempt(t.Context(), j, 5))
	require.Regexp(t, `^0 /0 [^|]+\|0\|a\|application/json\|0\|\|\|0$`, text(t, j.Out))
	j.Release()
	what, err := r.Preview(items.Of(1, "x"))
	require.NoError(t, err)
	require.Equal(t, "0 "+url+"/0?0", what)
}

func TestBodyOfAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "body")
	require.NoError(t, os.WriteFile(name, []byte(`{"id": {}, "x": {"y": 1}}`), 0o600))
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	_, out, err := attempt(t, runner(t, request.Config{URL: url, Body: "@" + name}, request.Surroundings{}), 1, "5")
	require.NoError(t, err)
	require.Equal(t, `{"id": 5, "x": {"y": 1}}`, out)
	_, out, err = attempt(t, runner(t, request.Config{URL: url, Body: "query {field} of {}"}, request.Surroundings{}), 1, "5")
	require.NoError(t, err)
	require.Equal(t, "query {field} of 5", out, "braces are a body's own")
}

// The forms of a result. Of a body that is not JSON, jsonl has the text, or base64.
func TestForms(t *testing.T) {
	bodies := map[string]string{"json": `{"a": 1}`, "text": "it's\n", "bytes": "\xff\xfe", "none": "", "large": `"` + strings.Repeat("x", 100<<10) + `"`}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, bodies[r.URL.Path[1:]]) })
	_, out, err := attempt(t, runner(t, request.Config{URL: url + "/{}", Form: request.Status}, request.Surroundings{}), 1, "json")
	require.NoError(t, err)
	require.Equal(t, "200\n", out)
	r := runner(t, request.Config{URL: url + "/{}", Form: request.JSONL}, request.Surroundings{})
	for kind, want := range map[string]any{"json": map[string]any{"a": 1.0}, "text": "it's\n", "large": strings.Repeat("x", 100<<10)} {
		_, out, err := attempt(t, r, 3, kind)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(out, "\n"))
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(out), &line))
		require.Equal(t, want, line["body"])
		require.Equal(t, []any{3.0, kind, 200.0}, []any{line["n"], line["item"], line["status"]})
	}
	_, out, err = attempt(t, r, 3, "bytes")
	require.NoError(t, err)
	require.Contains(t, out, `"body64":"//4="`)
}

// What an answer says that it has cost is told of it, if that is asked for.
func TestCost(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, map[bool]string{true: `{"usage":{"input_tokens":0,"output_tokens":7}}`, false: "{}"}[r.URL.Path != "/none"])
	})
	meter, err := usage.New(usage.Config{})
	require.NoError(t, err)
	r := runner(t, request.Config{URL: url + "/{}", Form: request.JSONL, Meter: meter}, request.Surroundings{})
	j, out, err := attempt(t, r, 1, "some")
	require.NoError(t, err)
	require.Contains(t, out, `,"cost":7,"body"`)
	require.Equal(t, 7.0, j.Cost)
	_, out, err = attempt(t, r, 1, "none")
	require.NoError(t, err)
	require.NotContains(t, out, "cost")
	j = &jobs.Job{Batch: []items.Item{items.Of(1, "bad")}, Cost: -1}
	require.Error(t, r.Attempt(t.Context(), j, 0))
	require.Zero(t, j.Cost, "a refusal costs nothing")
	j.Release()

	_, out, err = attempt(t, runner(t, request.Config{URL: url + "/{}", Form: request.JSONL}, request.Surroundings{}), 1, "some")
	require.NoError(t, err)
	require.NotContains(t, out, "cost")
}

// A status that is no success is a failure, which says what the body began with.
func TestRefused(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/busy":
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/slower":
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "\x1b]0;title\a not today\n")
	})
	r := runner(t, request.Config{URL: url + "/{}", OK: "200, 300-418"}, request.Surroundings{})
	j, out, err := attempt(t, r, 1, "tea")
	require.NoError(t, err, "418 is a success here")
	require.Equal(t, 418, j.Status)
	require.Contains(t, out, "not today")

	j, out, err = attempt(t, r, 1, "busy")
	var throttled *transport.ThrottledError
	require.ErrorAs(t, err, &throttled)
	require.Equal(t, 3*time.Second, throttled.After)
	require.Empty(t, out, "the body is no result")
	said := text(t, j.Outcome.Err)
	require.Contains(t, said, "not today")
	require.NotContains(t, said, "\x1b")

	_, _, err = attempt(t, r, 1, "slower")
	require.ErrorAs(t, err, &throttled)
	_, _, err = attempt(t, r, 1, "down")
	require.NotErrorAs(t, err, &throttled, "it does not say when to come back")
	var status *transport.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, 503, status.Code)
}

// A body that breaks off is neither a result nor an answer; with jsonl, it is an error.
func TestBrokenOff(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "8")
		_, _ = w.Write([]byte("part"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	j, out, err := attempt(t, runner(t, request.Config{URL: url}, request.Surroundings{}), 1, "a")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Empty(t, out)
	require.Zero(t, j.Status)
	_, out, err = attempt(t, runner(t, request.Config{URL: url, Form: request.JSONL}, request.Surroundings{}), 4, "a")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Regexp(t, `^\{"n":4,"item":"a","status":0,"took_s":[^,]+,"error":"unexpected EOF"\}\n$`, out)
}

func TestMaxBody(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, len(r.URL.Path)-1)) })
	r := runner(t, request.Config{URL: url + "/{}", MaxBody: 3}, request.Surroundings{})
	_, out, err := attempt(t, r, 1, "abc")
	require.NoError(t, err)
	require.Len(t, out, 3)
	_, out, err = attempt(t, r, 2, "abcd")
	require.ErrorContains(t, err, "larger than --max-body")
	require.Empty(t, out)
}

// A request that can't be made is as bad the next time.
func TestUnsent(t *testing.T) {
	_, _, err := attempt(t, runner(t, request.Config{URL: "{}"}, request.Surroundings{}), 1, "http://h:port/")
	var permanent interface{ Permanent() bool }
	require.ErrorAs(t, err, &permanent)
	require.True(t, permanent.Permanent())
}

// What stands behind a space would be no part of the target, and none of the host's name.
func TestSpaces(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.RawQuery) })
	_, got, err := attempt(t, runner(t, request.Config{URL: "{}"}, request.Surroundings{}), 1, url+"/p?q=a HTTP/1.1 x")
	require.NoError(t, err)
	require.Equal(t, "q=a%20HTTP/1.1%20x", got)
	for _, host := range []string{"x y", "x/y"} {
		_, _, err = attempt(t, runner(t, request.Config{URL: url, Headers: []string{"Host: {}"}}, request.Surroundings{}), 1, host)
		require.ErrorContains(t, err, "is no value of Host")
	}
}

// blocked is a server that answers when it is released, and says when it has been asked.
func blocked(t *testing.T) (url string, asked chan string, release chan struct{}) {
	asked, release = make(chan string, 10), make(chan struct{})
	url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		select {
		case <-release:
			_, _ = io.WriteString(w, "late")
		case <-r.Context().Done():
		}
	})
	return url, asked, release
}

func TestTimeout(t *testing.T) {
	url, _, _ := blocked(t)
	r := runner(t, request.Config{URL: url}, request.Surroundings{Timeout: func() time.Duration { return 5 * time.Millisecond }})
	_, _, err := attempt(t, r, 1, "a")
	var late *process.TimeoutError
	require.ErrorAs(t, err, &late)
	require.Equal(t, 5*time.Millisecond, late.After)
}

// That nothing more is to be started ends no request that has been sent. Kill does, and
// those that are still to be sent.
func TestCancelAndKill(t *testing.T) {
	url, asked, release := blocked(t)
	r := runner(t, request.Config{URL: url + "/{}"}, request.Surroundings{})
	type result struct {
		out string
		err error
	}
	start := func(ctx context.Context, item string) chan result {
		ended := make(chan result, 1)
		go func() {
			j := &jobs.Job{Batch: []items.Item{items.Of(1, item)}}
			err := r.Attempt(ctx, j, 0)
			raw, _ := io.ReadAll(j.Out.Reader())
			j.Release()
			ended <- result{string(raw), err}
		}()
		return ended
	}
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := start(ctx, "sent")
	<-asked
	cancel(why)
	close(release)
	got := <-ended
	require.NoError(t, got.err)
	require.Equal(t, "late", got.out)
	require.Error(t, (<-start(ctx, "unsent")).err)

	url, asked, _ = blocked(t)
	r = runner(t, request.Config{URL: url + "/{}"}, request.Surroundings{})
	ended = start(t.Context(), "sent")
	<-asked
	r.Kill()
	require.Error(t, (<-ended).err)
	require.Error(t, (<-start(t.Context(), "unsent")).err)
	require.Empty(t, asked)
}

// What may be a credential is for the origin of the item's URL alone.
func TestRedirect(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("X-Key"), r.Header.Get("Cookie"), r.Header.Get("Accept"))
	}
	other := serve(t, echo)
	var here string
	loops := 0
	here = serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other+"/echo", http.StatusTemporaryRedirect)
		case "/here":
			http.Redirect(w, r, here+"/echo", http.StatusTemporaryRedirect)
		case "/loop":
			loops++
			http.Redirect(w, r, here+"/loop", http.StatusFound)
		default:
			echo(w, r)
		}
	})
	r := runner(t, request.Config{URL: here + "/{}", Headers: []string{"X-Key: secret", "Accept: a/b"}, Cookies: "c=d"}, request.Surroundings{})
	_, out, err := attempt(t, r, 1, "here")
	require.NoError(t, err)
	require.Equal(t, "secret|c=d|a/b", out)
	_, out, err = attempt(t, r, 1, "away")
	require.NoError(t, err)
	require.Equal(t, "||a/b", out)
	j, _, err := attempt(t, r, 1, "loop")
	require.Error(t, err)
	require.Equal(t, http.StatusFound, j.Status, "the last one's")
	require.Equal(t, 10, loops, "as many as net/http sends")
}

func TestKeepCookies(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "n", Value: "set"})
		_, _ = io.WriteString(w, r.Header.Get("Cookie"))
	})
	for _, c := range []struct {
		keep bool
		want string
	}{{false, "n=mine; o=x"}, {true, "o=x; n=set"}} {
		r := runner(t, request.Config{URL: url, Cookies: "n=mine; o=x", KeepCookies: c.keep}, request.Surroundings{})
		_, out, err := attempt(t, r, 1, "a")
		require.NoError(t, err)
		require.Equal(t, "n=mine; o=x", out)
		_, out, err = attempt(t, r, 2, "b")
		require.NoError(t, err)
		require.Equal(t, c.want, out)
	}
}

func TestCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	raw := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	for _, how := range []request.Connection{{CACert: file}, {Insecure: true}, {Insecure: true, HTTP1: true}} {
		_, out, err := attempt(t, runner(t, request.Config{URL: server.URL, Connection: how}, request.Surroundings{}), 1, "a")
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1", out, "that server offers no other")
	}
	_, _, err := attempt(t, runner(t, request.Config{URL: server.URL}, request.Surroundings{}), 1, "a")
	require.ErrorContains(t, err, "certificate")
}

// How many requests there may be follows from the files that may be open: a connection each,
// and a file where an answer is large.
func TestTraits(t *testing.T) {
	caps := runner(t, request.Config{URL: "http://h/{}"}, request.Surroundings{}).Traits().Caps
	if limit := process.OpenFiles(); limit > 0 {
		require.Equal(t, jobs.Caps{Files: 2 * process.FileSlots(), Fixed: max(1, (limit-24)/2)}, caps)
	} else {
		require.Zero(t, caps)
	}
}

// A further attempt begins without what the one before has left.
func TestAttemptAnew(t *testing.T) {
	r := runner(t, request.Config{URL: "http://{}/"}, request.Surroundings{})
	j := &jobs.Job{Batch: []items.Item{items.Of(1, "no host\x7f")}, Status: 503}
	j.Wall = time.Hour
	require.Error(t, r.Attempt(t.Context(), j, 0))
	require.Zero(t, j.Status)
	require.Zero(t, j.Wall)
}
