package request

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

// Providers of models take files for their batch interfaces: a request in each line, and a result in each line.
// Here the requests go one by one to the ordinary interface.
// The two forms are those of OpenAI (platform.openai.com/docs/guides/batch) and of Anthropic
// (docs.anthropic.com/en/docs/build-with-claude/batch-processing).

// batchLine is a request of a batch file: of OpenAI's with method, url and body, or of
// Anthropic's with params.
type batchLine struct {
	CustomID string          `json:"custom_id"`
	Method   string          `json:"method"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
	Params   json.RawMessage `json:"params"`
}

func parseBatchLine(it items.Item) (b batchLine, err error) {
	if err := json.Unmarshal([]byte(it.Text), &b); err != nil {
		return b, fmt.Errorf("%w: this is not a line of a batch file: %w", template.ErrTemplate, err)
	}
	b.Body, b.Params = orNil(b.Body), orNil(b.Params)
	switch {
	case b.CustomID == "":
		err = fmt.Errorf("%w: a line of a batch file needs a custom_id", template.ErrTemplate)
	case b.Params == nil && (b.URL == "" || b.Body == nil):
		err = fmt.Errorf("%w: a line of a batch file needs a url and a body, or params", template.ErrTemplate)
	}
	return b, err
}

// orNil returns nil for a null, which counts as absent.
func orNil(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// originOf reads the URL that the requests of a batch file go to.
func originOf(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || strings.Contains(text, "{") {
		return nil, exit.Usagef("%q: with --batch-file, give the URL of the service, such as https://api.example.com", text)
	}
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), ""
	return u, nil
}

// messages is where the requests of Anthropic's form go.
const messages = "/v1/messages"

// ofBatch returns the request of a line. It goes only to the given host, whatever the line says: the headers have
// credentials.
func (s *Spec) ofBatch(b batchLine) (l line, err error) {
	if b.Params != nil {
		b.Method, b.URL, b.Body = http.MethodPost, messages, b.Params
	}
	path, err := pathOf(b.URL)
	if err != nil {
		return l, err
	}
	prefix := s.origin.EscapedPath()
	if strings.HasPrefix(path.EscapedPath(), prefix+"/") {
		prefix = ""
	}
	to, err := s.origin.Parse(prefix + path.EscapedPath())
	if err != nil {
		return l, err
	}
	to.RawQuery = path.RawQuery
	if l.method = strings.ToUpper(cmp.Or(b.Method, http.MethodPost)); !methods.MatchString(l.method) {
		return l, fmt.Errorf("%w: %q is not a method", template.ErrTemplate, b.Method)
	}
	l.address, l.body = to.String(), b.Body
	return l, nil
}

// pathOf reads the url of a line: a path, and perhaps a query.
func pathOf(text string) (*url.URL, error) {
	path, err := url.Parse(text)
	if err != nil || path.Scheme != "" || path.Host != "" || path.User != nil || !strings.HasPrefix(path.Path, "/") {
		return nil, fmt.Errorf("%w: %q: the url of a line must be a path, such as /v1/chat/completions", template.ErrTemplate, text)
	}
	for segment := range strings.SplitSeq(path.Path, "/") {
		if segment == "." || segment == ".." { // it may lead out of the given path
			return nil, fmt.Errorf("%w: %q has a path with %q in it, which leads elsewhere", template.ErrTemplate, text, segment)
		}
	}
	return path, nil
}

// batchAnswer is what is known of the answer to a request of a batch file.
type batchAnswer struct {
	n      int
	status int    // 0 if there was none
	id     string // given by the service
	body   []byte
	err    error // why there is no result; nil if there is
}

type batchResponse struct {
	Status    int             `json:"status_code"`
	RequestID string          `json:"request_id"`
	Body      json.RawMessage `json:"body"`
}

type batchError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// line returns the result of a request, in the form of its provider.
func (b batchLine) line(a batchAnswer) ([]byte, error) {
	var body json.RawMessage
	if json.Valid(a.body) {
		body = a.body
	} else if a.body != nil { // not JSON: unchanged
		body = items.Of(0, strings.ToValidUTF8(string(a.body), "\uFFFD")).JSON()
	}
	var result any
	if b.Params != nil {
		result = b.anthropic(a, body)
	} else {
		result = b.openAI(a, body)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(result)
	return out.Bytes(), err
}

// presentBatch makes the result of the body.
func (r *Runner) presentBatch(j *jobs.Job, it items.Item, sent *sending) error {
	raw, err := io.ReadAll(j.Out.Reader())
	if err != nil {
		return err
	}
	b, err := parseBatchLine(it)
	if err != nil { // it was parsed for the request
		return err
	}
	line, err := b.line(batchAnswer{n: it.N, status: j.Status, id: sent.id, body: raw})
	if err != nil {
		return err
	}
	j.Out.Release()
	j.Out = process.Bytes(line)
	return nil
}

func (b batchLine) openAI(a batchAnswer, body json.RawMessage) any {
	r := struct {
		ID       string         `json:"id"`
		CustomID string         `json:"custom_id"`
		Response *batchResponse `json:"response"`
		Error    *batchError    `json:"error"`
	}{ID: fmt.Sprintf("item_%d", a.n), CustomID: b.CustomID}
	if a.status != 0 {
		r.Response = &batchResponse{a.status, a.id, body}
	}
	if a.err != nil && a.status < http.StatusBadRequest { // also where there was no answer
		r.Error = &batchError{"request_failed", a.err.Error()}
	}
	return r
}

func (b batchLine) anthropic(a batchAnswer, body json.RawMessage) any {
	type result struct {
		Type    string          `json:"type"`
		Message json.RawMessage `json:"message,omitempty"`
		Error   json.RawMessage `json:"error,omitempty"`
	}
	r := struct {
		CustomID string `json:"custom_id"`
		Result   result `json:"result"`
	}{b.CustomID, result{Type: "succeeded", Message: body}}
	if a.err == nil {
		return r
	}
	if body == nil || a.status < http.StatusBadRequest {
		message := items.Of(0, strings.ToValidUTF8(a.err.Error(), "\uFFFD")).JSON()
		body = json.RawMessage(`{"type":"error","error":{"type":"request_failed","message":` + string(message) + `}}`)
	}
	r.Result = result{Type: "errored", Error: body}
	return r
}
