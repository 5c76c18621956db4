package request

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

func batchSpec(t *testing.T, c Config) *Spec {
	t.Helper()
	c.Batch, c.OK = true, "200"
	if c.Form == "" {
		c.Form = Body
	}
	s, err := Parse(c, template.Scope{})
	require.NoError(t, err)
	return s
}

// A request goes to the host that was given, below its path, whatever a line says.
func TestWhereBatchLinesGo(t *testing.T) {
	for _, c := range []struct{ base, path, want string }{
		{"https://api.test", "/v1/chat", "https://api.test/v1/chat"},
		{"https://api.test/", "/v1/chat?a=b", "https://api.test/v1/chat?a=b"},
		{"https://api.test/v1", "/v1/chat", "https://api.test/v1/chat"},
		{"https://api.test/v1/", "/v1/chat", "https://api.test/v1/chat"},
		{"https://api.test/v1", "/v12/chat", "https://api.test/v1/v12/chat"},
		{"https://api.test/openai", "/v1/chat", "https://api.test/openai/v1/chat"},
		{"https://api.test", "/v1/a%2Fb", "https://api.test/v1/a%2Fb"},
		{"https://api.test/t", "/v1/a%2Fb", "https://api.test/t/v1/a%2Fb"},
		{"https://api.test/t", "/v1/../../admin", ""},
		{"https://api.test/t", "/t/%2e%2e/other", ""},
		{"https://api.test", "/./x", ""},
		{"https://api.test", "https://other.test/v1", ""},
		{"https://api.test", "//other.test/v1", ""},
		{"https://api.test", "//user@other.test/v1", ""},
		{"https://api.test", "v1/chat", ""},
		{"https://api.test", "%zz", ""},
	} {
		l, err := batchSpec(t, Config{URL: c.base}).ofBatch(batchLine{URL: c.path, Body: []byte("{}")})
		if c.want == "" {
			require.ErrorIs(t, err, template.ErrTemplate, c.path)
			continue
		}
		require.NoError(t, err, c.path)
		require.Equal(t, line{http.MethodPost, c.want, []byte("{}")}, l)
	}
	s := batchSpec(t, Config{URL: "https://api.test"})
	l, err := s.ofBatch(batchLine{Method: "put", URL: "/a", Body: []byte("{}")})
	require.NoError(t, err)
	require.Equal(t, http.MethodPut, l.method)
	_, err = s.ofBatch(batchLine{Method: "A B", URL: "/a"})
	require.ErrorIs(t, err, template.ErrTemplate)
	l, err = s.ofBatch(batchLine{Method: "PUT", URL: "/elsewhere", Params: []byte(`{"a":1}`)})
	require.NoError(t, err)
	require.Equal(t, line{http.MethodPost, "https://api.test/v1/messages", []byte(`{"a":1}`)}, l)

	for _, url := range []string{"", "api.test", "ftp://api.test", "https://", "https://api.test/?a", "https://api.test/{}"} {
		_, err := Parse(Config{URL: url, Batch: true, Form: Body, OK: "200"}, template.Scope{})
		require.Error(t, err, url)
	}
}

// What is no line of a batch file is that item's failure.
func TestParseBatchLine(t *testing.T) {
	for _, text := range []string{"", "x", "[]", "{}", `{"custom_id":"a"}`, `{"custom_id":"a","url":"/x"}`, `{"custom_id":"a","body":{}}`, `{"url":"/x","body":{}}`, `{"params":{}}`, `{"custom_id":"a","params":null}`, `{"custom_id":"a","url":"/x","body":null}`} {
		_, err := parseBatchLine(items.Of(1, text))
		require.ErrorIs(t, err, template.ErrTemplate, text)
	}
	b, err := parseBatchLine(items.Of(1, `{"custom_id":"a","url":"/x","body":{"b":1}}`))
	require.NoError(t, err)
	require.Equal(t, batchLine{CustomID: "a", URL: "/x", Body: []byte(`{"b":1}`)}, b)
}

// Results have the form of the file.
func TestBatchResults(t *testing.T) {
	down := errors.New("down")
	openAI, anthropic := batchLine{CustomID: "a"}, batchLine{CustomID: "a", Params: []byte("{}")}
	for _, c := range []struct {
		of   batchLine
		a    batchAnswer
		want string
	}{
		{openAI, batchAnswer{n: 3, status: 200, id: "r", body: []byte(`{"x":"<"}`)}, `{"id":"item_3","custom_id":"a","response":{"status_code":200,"request_id":"r","body":{"x":"<"}},"error":null}`},
		{openAI, batchAnswer{n: 3, status: 200, body: []byte("te\xffxt")}, `{"id":"item_3","custom_id":"a","response":{"status_code":200,"request_id":"","body":"te` + "\uFFFD" + `xt"},"error":null}`},
		{openAI, batchAnswer{n: 3, err: down}, `{"id":"item_3","custom_id":"a","response":null,"error":{"code":"request_failed","message":"down"}}`},
		{openAI, batchAnswer{n: 3, status: 429, body: []byte("{}"), err: down}, `{"id":"item_3","custom_id":"a","response":{"status_code":429,"request_id":"","body":{}},"error":null}`},
		{openAI, batchAnswer{n: 3, status: 400, body: []byte("{}"), err: down}, `{"id":"item_3","custom_id":"a","response":{"status_code":400,"request_id":"","body":{}},"error":null}`},
		{openAI, batchAnswer{n: 3, status: 301, err: down}, `{"id":"item_3","custom_id":"a","response":{"status_code":301,"request_id":"","body":null},"error":{"code":"request_failed","message":"down"}}`},
		{anthropic, batchAnswer{status: 200, body: []byte(`{"x":1}`)}, `{"custom_id":"a","result":{"type":"succeeded","message":{"x":1}}}`},
		{anthropic, batchAnswer{status: 400, body: []byte(`{"x":1}`), err: down}, `{"custom_id":"a","result":{"type":"errored","error":{"x":1}}}`},
		{anthropic, batchAnswer{err: down}, `{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"request_failed","message":"down"}}}}`},
		{anthropic, batchAnswer{status: 302, body: []byte(`{"x":1}`), err: down}, `{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"request_failed","message":"down"}}}}`},
	} {
		got, err := c.of.line(c.a)
		require.NoError(t, err)
		require.Equal(t, c.want+"\n", string(got))
	}
}

// A job's key is what the template says, or its host; what it may cost says its JSON.
func TestKeysAndEstimates(t *testing.T) {
	job := func(text string) *jobs.Job { return &jobs.Job{Batch: []items.Item{items.Of(1, text)}} }
	s, err := Parse(Config{URL: "{}", Key: "{host}", OK: "200", Form: Body}, template.Scope{})
	require.NoError(t, err)
	require.Equal(t, "a.test", s.key(job("http://A.test:80/x")))
	require.Empty(t, s.key(job("http://%zz")), "no URL")
	s, err = Parse(Config{URL: "http://a.test/{}", Key: "key {}", OK: "200", Form: Body}, template.Scope{})
	require.NoError(t, err)
	require.Equal(t, "key a", s.key(job("a")))
	s, err = Parse(Config{URL: "http://a.test/{}", Key: "{%}", OK: "200", Form: Body}, template.Scope{})
	require.NoError(t, err)
	require.Equal(t, "0", s.key(job("a")), "the same wherever it runs")
	require.Equal(t, "api.test", batchSpec(t, Config{URL: "http://api.test", Key: "{host}"}).key(job(`{"custom_id":"a","url":"/x","body":{}}`)))
	require.Empty(t, batchSpec(t, Config{URL: "http://api.test", Key: "{host}"}).key(job("x")))

	meter, err := usage.New(usage.Config{Estimate: "max_tokens"})
	require.NoError(t, err)
	s = batchSpec(t, Config{URL: "http://api.test", Meter: meter})
	for _, text := range []string{`{"max_tokens":70}`, `{"custom_id":"a","body":{"max_tokens":70}}`, `{"custom_id":"a","params":{"max_tokens":70}}`} {
		require.Equal(t, 70.0, s.estimate(job(text)), text)
	}
	require.Equal(t, 256+5/4.0, s.estimate(job("a b c")))
}

// What a model has answered has done nothing, if it is no success; a connection that broke off
// may have been paid for.
func TestRetriesOfBatchLines(t *testing.T) {
	s := batchSpec(t, Config{URL: "http://api.test"})
	j := &jobs.Job{Batch: []items.Item{items.Of(1, `{"custom_id":"a","url":"/x","body":{}}`)}}
	for status, want := range map[int]bool{0: false, 429: true, 500: true, 502: false, 504: false, 529: true} {
		seen := policies.Seen{Status: status}
		s.seen(j, &seen)
		require.Equal(t, want, seen.Harmless, status)
	}
	again := policies.Seen{}
	batchSpec(t, Config{URL: "http://api.test", RetryUnsafe: true}).seen(j, &again)
	require.True(t, again.Harmless)
}

// What an answer cost is read from it, whatever becomes of the result.
func TestMetered(t *testing.T) {
	meter, err := usage.New(usage.Config{})
	require.NoError(t, err)
	r := &Runner{Spec: batchSpec(t, Config{URL: "http://api.test", Meter: meter})}
	j := &jobs.Job{Cost: -1}
	j.Out = process.Bytes([]byte(`{"usage":{"input_tokens":3,"output_tokens":4}}`))
	require.NoError(t, r.meter(j))
	require.Equal(t, 7.0, j.Cost)
	require.Equal(t, 7.0, r.Usage().All)
	none := &Runner{Spec: batchSpec(t, Config{URL: "http://api.test"})}
	require.NoError(t, none.meter(j))
	require.Nil(t, none.Usage())
}
