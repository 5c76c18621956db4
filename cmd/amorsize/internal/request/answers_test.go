package request

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

// service answers requests in place of a connection.
type service func(*http.Request) (*http.Response, error)

// RoundTrip answers a request, unless it has ended before it is sent.
func (s service) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return s(req)
}

// answering is a runner whose requests a service answers.
func answering(t *testing.T, c Config, s service) *Runner {
	t.Helper()
	if c.Form == "" {
		c.Form = Body
	}
	c.OK = "101,200"
	spec, err := Parse(c, template.Scope{})
	require.NoError(t, err)
	r, err := New(spec, Surroundings{Timeout: func() time.Duration { return 0 }})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	r.base.RegisterProtocol("http", s)
	return r
}

// answered is an answer with an id.
func answered(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Request: req, Header: http.Header{"X-Request-Id": {"r1"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// try makes the request of an item, and returns its result.
func try(t *testing.T, r *Runner, item string) (string, error) {
	t.Helper()
	j := &jobs.Job{Batch: []items.Item{items.Of(3, item)}}
	defer j.Release()
	err := r.Attempt(t.Context(), j, 0)
	raw, readErr := io.ReadAll(j.Out.Reader())
	require.NoError(t, readErr)
	return string(raw), err
}

// A request of a batch file has a line in its provider's form, with the service's id and answer, whether it
// succeeded or not.
func TestEveryRequestOfABatchFileHasALine(t *testing.T) {
	r := answering(t, Config{URL: "http://h", Batch: true}, func(req *http.Request) (*http.Response, error) {
		switch req.URL.Path {
		case "/down":
			return nil, errors.New("down")
		case "/no":
			return answered(req, 400, `{"why":"no"}`), nil
		}
		return answered(req, 200, `{"x":1}`), nil
	})
	const asked = `{"custom_id":"a","url":%q,"body":{}}`
	for path, c := range map[string]struct{ want, text string }{
		"/yes":  {`"response":{"status_code":200,"request_id":"r1","body":{"x":1}},"error":null`, ""},
		"/no":   {`"response":{"status_code":400,"request_id":"r1","body":{"why":"no"}},"error":null`, "400"},
		"/down": {`"response":null,"error":{"code":"request_failed","message":"down"}`, "down"},
	} {
		out, err := try(t, r, fmt.Sprintf(asked, path))
		require.Equal(t, c.text == "", err == nil, path)
		if err != nil {
			require.ErrorContains(t, err, c.text, path)
		}
		require.Equal(t, `{"id":"item_3","custom_id":"a",`+c.want+"}\n", out)
	}
	out, err := try(t, r, `{"custom_id":"a","params":{}}`)
	require.NoError(t, err)
	require.Equal(t, `{"custom_id":"a","result":{"type":"succeeded","message":{"x":1}}}`+"\n", out)
}

// With --out status or jsonl, the requests of a batch file have the results of any others.
func TestFormsOfABatchFile(t *testing.T) {
	serve := func(req *http.Request) (*http.Response, error) { return answered(req, 200, "<b>&</b>"), nil }
	const item = `{"custom_id":"a","url":"/x","body":{}}`
	out, err := try(t, answering(t, Config{URL: "http://h", Batch: true, Form: Status}, serve), item)
	require.NoError(t, err)
	require.Equal(t, "200\n", out)
	out, err = try(t, answering(t, Config{URL: "http://h", Batch: true, Form: JSONL}, serve), item)
	require.NoError(t, err)
	require.Contains(t, out, `"body":"<b>&</b>"`, "HTML stays readable")
}

// A connection that fails is told in its own words, without the URL, which is the item's, and is tried again.
func TestLostConnectionIsTriedAgain(t *testing.T) {
	down := errors.New("down")
	r := answering(t, Config{URL: "http://h/{}"}, func(*http.Request) (*http.Response, error) { return nil, down })
	_, err := try(t, r, "a")
	require.Equal(t, down, err)
	require.True(t, r.again(policies.Seen{Err: err, Harmless: true}))
}

// What fails for the item, or for this host, fails the next time, too.
func TestOwnFailuresAreNotTriedAgain(t *testing.T) {
	r := answering(t, Config{URL: "http://h/{}"}, nil)
	for _, err := range []error{
		errLarge, &url.Error{Op: "parse", URL: ":", Err: errors.New("missing protocol scheme")},
		&process.OutputError{Dir: "d", Err: errors.New("no room")}, fmt.Errorf("%w: no such column", template.ErrTemplate),
	} {
		require.False(t, r.again(policies.Seen{Err: err, Harmless: true}), err)
	}
}

// The connection of an answer is let go, whether its body has been read or not: after a 101, nothing else closes it.
func TestEveryBodyIsClosed(t *testing.T) {
	for status, size := range map[int]int{101: 3, 200: 3, 201: 10, 404: readOfRefusal + 1} {
		closed := false
		r := answering(t, Config{URL: "http://h/{}", MaxBody: 5}, func(req *http.Request) (*http.Response, error) {
			resp := answered(req, status, strings.Repeat("x", size))
			resp.Body = struct {
				io.Reader
				io.Closer
			}{resp.Body, closer(func() { closed = true })}
			return resp, nil
		})
		_, _ = try(t, r, "a")
		require.True(t, closed, status)
	}
}

type closer func()

// Close calls c.
func (c closer) Close() error { c(); return nil }

// What comes behind the largest body that may be is not waited for.
func TestTooLargeABodyIsNotReadToItsEnd(t *testing.T) {
	r := answering(t, Config{URL: "http://h/{}", MaxBody: 5}, func(req *http.Request) (*http.Response, error) {
		resp := answered(req, 200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("123456"), unread{t}))
		return resp, nil
	})
	_, err := try(t, r, "a")
	require.Equal(t, errLarge, err)
}

// unread is not to be read.
type unread struct{ t *testing.T }

// Read fails the test.
func (u unread) Read([]byte) (int, error) {
	u.t.Error("it is read on")
	return 0, io.EOF
}

// A cost is told as the answer says it, also if it is none.
func TestCostsAreTold(t *testing.T) {
	meter, err := usage.New(usage.Config{Cost: "cost"})
	require.NoError(t, err)
	for _, cost := range []string{"0", "0.5", "1"} {
		r := answering(t, Config{URL: "http://h/{}", Form: JSONL, Meter: meter}, func(req *http.Request) (*http.Response, error) {
			return answered(req, 200, `{"cost":`+cost+`}`), nil
		})
		out, err := try(t, r, "a")
		require.NoError(t, err)
		require.Contains(t, out, `,"cost":`+cost+`,"body"`)
	}
}

// A body is read for its cost up to 16 MiB: what a larger one cost stays unknown.
func TestLargestBodyThatIsMetered(t *testing.T) {
	meter, err := usage.New(usage.Config{})
	require.NoError(t, err)
	r := answering(t, Config{URL: "http://h/{}", Meter: meter}, nil)
	const before = 5
	for size, want := range map[int]float64{mostMetered: -1, mostMetered + 1: before} {
		j := &jobs.Job{Cost: before}
		j.Out = process.Bytes(make([]byte, size))
		require.NoError(t, r.meter(j))
		require.Equal(t, want, j.Cost, "-1 if it has been read, and says nothing")
	}
}
