// Package request makes the requests of amorsize http.
package request

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

// Config says what to request. Where noted, texts are templates with placeholders.
type Config struct {
	URL            string   // a template
	Raw            bool     // items are inserted unchanged
	Method         string   // a template; "" is GET, with a body POST
	Headers        []string // templates "Name: value"
	Body           string   // a template, or @file with one
	BearerEnv      string   // the environment variable with a token
	Cookies        string   // "name=value; name=value"
	KeepCookies    bool     // cookies that servers set are sent back
	IdempotencyKey string   // a template
	UserAgent      string
	Connection     Connection

	OK          string // statuses that are a success, "200-299,404"
	Form        Form   // of results
	MaxBody     int64  // bytes of a response; 0 is no bound
	RetryUnsafe bool   // methods that are not idempotent are retried, too

	Key   string       // a template: items of each key have their own rate and breaker; "{host}" is the URL's host
	Batch bool         // items are requests of a batch file
	Hedge bool         // a request that takes long is sent a second time
	Meter *usage.Meter // reads what calls cost; nil is none
}

// Form is what a result is made of.
type Form string

// The forms of a result.
const (
	Body   Form = "body"
	Status Form = "status"
	JSONL  Form = "jsonl" // an object with the item, status, time and body
	Batch  Form = "batch" // a line of a batch file's results
)

// Spec is a request that has been checked. It is safe for concurrent use.
type Spec struct {
	cfg     Config
	method  template.Template
	path    template.Template // of the URL, up to its query
	query   template.Template // from its question mark on
	whole   bool              // the URL is the item
	body    *template.Template
	idKey   *template.Template // of Idempotency-Key
	headers []headerLine
	ok      [][2]int
	bearer  string
	cookies []cookie
	keyOf   *template.Template // nil if it is the host
	origin  *url.URL           // of the requests of a batch file, nil without one
}

type headerLine struct {
	name  string
	value template.Template
}

// Parse checks a request for items of that scope. The error is one of usage.
func Parse(cfg Config, scope template.Scope) (s *Spec, err error) {
	s = &Spec{cfg: cfg, whole: cfg.URL == "{}" || cfg.Raw}
	scope.Strict = true
	if cfg.Batch {
		if s.origin, err = originOf(cfg.URL); err != nil {
			return nil, err
		}
	}
	path, query := cfg.URL, ""
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path, query = path[:i], path[i:]
	}
	if s.path, err = template.Parse(path, scope); err != nil {
		return nil, exit.Usage(err)
	}
	if s.query, err = template.Parse(query, scope); err != nil {
		return nil, exit.Usage(err)
	}
	if !strings.Contains(path, "://") && !strings.HasPrefix(path, "{") {
		return nil, exit.Usagef("%q is not a URL: it must begin with http:// or https://", cfg.URL)
	}
	return s, s.parse(scope)
}

// What returns what is requested, for a person.
func (s *Spec) What() string { return s.cfg.URL }

// Preview returns the method and the URL of an item's request.
func (s *Spec) Preview(it items.Item) (string, error) {
	if s.origin != nil {
		line, err := s.lineOf(it)
		return line.method + " " + line.address, err
	}
	address, err := s.address(it)
	if err != nil {
		return "", err
	}
	method, err := s.methodOf(it)
	return method + " " + address, err
}

// address returns the URL of an item. Its text is a part of a path segment or of a value in the query, unless it
// is inserted unchanged.
func (s *Spec) address(it items.Item) (string, error) {
	inPath, inQuery := url.PathEscape, queryEscape
	if s.whole {
		inPath, inQuery = nil, nil
	}
	path, err := s.path.Expand(it, 0, inPath)
	if err != nil {
		return "", err
	}
	if !s.whole {
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." { // escaped or not, that is another path
				return "", fmt.Errorf("%w: %q has a path with %q in it, which leads elsewhere; --no-escape sends it", template.ErrTemplate, path, segment)
			}
		}
	}
	query, err := s.query.Expand(it, 0, inQuery)
	return path + query, err
}

// queryEscape escapes characters that end a value in a query or mean a space there.
func queryEscape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// request returns the request for an item, without cookies.
func (s *Spec) request(ctx context.Context, it items.Item) (*http.Request, error) {
	line, err := s.lineOf(it)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if line.body != nil {
		body = bytes.NewReader(line.body)
	}
	req, err := http.NewRequestWithContext(ctx, line.method, line.address, body)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = strings.ReplaceAll(req.URL.RawQuery, " ", "%20") // a space would end the target
	req.Header.Set("User-Agent", s.cfg.UserAgent)
	if line.body != nil && json.Valid(line.body) {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+s.bearer)
	}
	if err := s.setHeaders(req, it); err != nil {
		return nil, err
	}
	if s.idKey != nil {
		value, err := s.idKey.Expand(it, 0, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Idempotency-Key", value)
	}
	return req, nil
}

// line is a request without its headers.
type line struct {
	method, address string
	body            []byte // nil is none
}

// lineOf returns the request line and the body for an item.
func (s *Spec) lineOf(it items.Item) (l line, err error) {
	if s.origin != nil {
		b, err := parseBatchLine(it)
		if err != nil {
			return l, err
		}
		return s.ofBatch(b)
	}
	if l.address, err = s.address(it); err != nil {
		return l, err
	}
	if l.method, err = s.methodOf(it); err != nil || s.body == nil {
		return l, err
	}
	text, err := s.body.Expand(it, 0, nil)
	l.body = []byte(text)
	return l, err
}

// setHeaders sets the given headers: each as often as given, in place of ours.
func (s *Spec) setHeaders(req *http.Request, it items.Item) error {
	given := map[string]bool{}
	for _, h := range s.headers {
		value, err := h.value.Expand(it, 0, nil)
		if err != nil {
			return err
		}
		if strings.EqualFold(h.name, "Host") {
			if strings.ContainsAny(value, " /") { // net/http would send what stands before it
				return fmt.Errorf("%w: %q is no value of Host", template.ErrTemplate, value)
			}
			req.Host = value
		}
		key := http.CanonicalHeaderKey(h.name)
		if !given[key] {
			req.Header.Del(key)
		}
		given[key] = true
		req.Header.Add(h.name, value)
	}
	return nil
}
