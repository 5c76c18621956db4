package request_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/request"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parse completes a configuration with what the flags have by default.
func parse(cfg request.Config) (*request.Spec, error) {
	if cfg.OK == "" {
		cfg.OK = "200-299"
	}
	if cfg.Form == "" {
		cfg.Form = request.Body
	}
	return request.Parse(cfg, template.Scope{})
}

func text(t *testing.T, c process.Capture) string {
	t.Helper()
	raw, err := io.ReadAll(c.Reader())
	require.NoError(t, err)
	return string(raw)
}

// What can't be a request is an error of usage, before anything is sent.
func TestParseFails(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.pem")
	require.NoError(t, os.WriteFile(junk, []byte("no certificate"), 0o600))
	for name, c := range map[string]struct {
		cfg  request.Config
		text string
	}{
		"no URL":          {request.Config{URL: "example.com/{}"}, `"example.com/{}" is not a URL`},
		"a query's URL":   {request.Config{URL: "example.com/?to=http://h/{}"}, `"example.com/?to=http://h/{}" is not a URL`},
		"only a query":    {request.Config{URL: "?to=http://h/{}"}, `"?to=http://h/{}" is not a URL`},
		"a placeholder":   {request.Config{URL: "http://h/{nope}"}, "{nope}"},
		"a query's":       {request.Config{URL: "http://h/?a={nope}"}, "{nope}"},
		"a method":        {request.Config{URL: "http://h/", Method: "G T"}, `--method "G T"`},
		"statuses":        {request.Config{URL: "http://h/", OK: "200-"}, `--ok "200-"`},
		"statuses, order": {request.Config{URL: "http://h/", OK: "299-200"}, `--ok "299-200"`},
		"too large":       {request.Config{URL: "http://h/", OK: "600"}, `--ok "600"`},
		"a form":          {request.Config{URL: "http://h/", Form: "xml"}, `--out "xml"`},
		"connections":     {request.Config{URL: "http://h/", Connection: request.Connection{Max: -1}}, "--max-conns -1"},
		"a header":        {request.Config{URL: "http://h/", Headers: []string{"nothing"}}, `--header-line "nothing"`},
		"no header":       {request.Config{URL: "http://h/", Headers: []string{": x"}}, `--header-line ": x"`},
		"cookies twice":   {request.Config{URL: "http://h/", Cookies: "a=b", Headers: []string{"cookie: c=d"}}, "not with both"},
		"no cookie":       {request.Config{URL: "http://h/", Cookies: "=x"}, "--cookie"},
		"no token":        {request.Config{URL: "http://h/", BearerEnv: "NO_SUCH_TOKEN_1"}, "--bearer-env NO_SUCH_TOKEN_1"},
		"no body":         {request.Config{URL: "http://h/", Body: "@" + filepath.Join(dir, "none")}, "--body"},
		"a key":           {request.Config{URL: "http://h/", IdempotencyKey: "{nope}"}, "{nope}"},
		"a batch's form":  {request.Config{URL: "http://h/", Batch: true, Form: "xml"}, `--out "xml": must be status or jsonl`},
		"a batch, method": {request.Config{URL: "http://h/", Batch: true, Method: "PUT"}, "can't be combined with --method"},
		"a batch, body":   {request.Config{URL: "http://h/", Batch: true, Body: "x"}, "can't be combined with --method or --body"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(c.cfg)
			require.ErrorContains(t, err, c.text)
			var status *exit.Error
			require.ErrorAs(t, err, &status)
			require.Equal(t, exit.BadUsage, status.Code)
		})
	}
	for name, c := range map[string]struct {
		how  request.Connection
		text string
	}{
		"trusted and not": {request.Connection{Insecure: true, CACert: junk}, "leave out --cacert"},
		"no certificate":  {request.Connection{CACert: junk}, "it has no certificate"},
		"no file":         {request.Connection{CACert: filepath.Join(dir, "none")}, "--cacert"},
	} {
		t.Run(name, func(t *testing.T) {
			spec, err := parse(request.Config{URL: "https://h/", Connection: c.how})
			require.NoError(t, err)
			_, err = request.New(spec, request.Surroundings{})
			require.ErrorContains(t, err, c.text)
		})
	}
}

// Items are escaped by where they stand, unless the URL is the item.
func TestPreview(t *testing.T) {
	for _, c := range []struct {
		cfg        request.Config
		item, want string
	}{
		{request.Config{URL: "http://h/{}?q={}&r={}"}, "a b/c&d+é", "GET http://h/a%20b%2Fc&d+%C3%A9?q=a%20b%2Fc%26d%2B%C3%A9&r=a%20b%2Fc%26d%2B%C3%A9"},
		{request.Config{URL: "{}"}, "http://h/a b?c", "GET http://h/a b?c"},
		{request.Config{URL: "http://h/{}", Raw: true}, "a/../b?c", "GET http://h/a/../b?c"},
		{request.Config{URL: "http://h/x", Body: "{}"}, "a", "POST http://h/x"},
		{request.Config{URL: "http://h/x", Method: "{}", Body: "x"}, "put", "PUT http://h/x"},
		{request.Config{URL: "http://h/{#}"}, "a", "GET http://h/1"},
		{request.Config{URL: "http://h/", Batch: true}, `{"custom_id":"a","method":"PUT","url":"/x","body":{}}`, "PUT http://h/x"},
	} {
		spec, err := parse(c.cfg)
		require.NoError(t, err)
		require.Equal(t, c.cfg.URL, spec.What())
		got, err := spec.Preview(items.Of(1, c.item))
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	spec, err := parse(request.Config{URL: "http://h/{}/x", Method: "{}"})
	require.NoError(t, err)
	_, err = spec.Preview(items.Of(1, ".."))
	require.ErrorContains(t, err, "leads elsewhere")
	_, err = spec.Preview(items.Of(1, "G(T"))
	require.ErrorContains(t, err, "is not a method")
}

// What is retried: what may be different the next time, of what does no harm twice.
func TestAgain(t *testing.T) {
	seen := func(cfg request.Config, status int) policies.Seen {
		t.Helper()
		spec, err := parse(cfg)
		require.NoError(t, err)
		r, err := request.New(spec, request.Surroundings{})
		require.NoError(t, err)
		defer r.Close()
		s := policies.Seen{Status: status, Err: io.ErrUnexpectedEOF}
		traits := r.Traits()
		traits.Seen(&jobs.Job{Batch: []items.Item{items.Of(1, "a")}}, &s)
		if traits.Again(s) {
			s.Status = -1
		}
		return s
	}
	const url = "http://h/"
	for _, method := range []string{"GET", "head", "OPTIONS", "TRACE", "PUT", "DELETE"} {
		require.Equal(t, -1, seen(request.Config{URL: url, Method: method}, 503).Status, method)
	}
	for _, method := range []string{"POST", "PATCH", "OTHER"} {
		require.Equal(t, 503, seen(request.Config{URL: url, Method: method}, 503).Status, method)
		require.Equal(t, -1, seen(request.Config{URL: url, Method: method, IdempotencyKey: "{#}"}, 503).Status, method)
		require.Equal(t, -1, seen(request.Config{URL: url, Method: method, RetryUnsafe: true}, 503).Status, method)
	}
	for status, again := range map[int]bool{0: true, 408: true, 425: true, 500: true, 502: true, 503: true, 504: true, 529: true, 400: false, 404: false, 501: false, 530: false} {
		require.Equal(t, again, seen(request.Config{URL: url}, status).Status == -1, "%d", status)
	}
}
