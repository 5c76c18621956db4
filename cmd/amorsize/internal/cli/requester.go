package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/transport"
)

// requester makes the requests of a session.
type requester struct {
	s        *session
	flags    *httpFlags
	method   template.Template
	path     template.Template // of the URL, up to its query
	query    template.Template // from its question mark on
	whole    bool              // the URL is the item
	body     *template.Template
	key      *template.Template
	headers  []headerLine
	ok       [][2]int
	client   *http.Client
	base     *http.Transport
	files    process.Files
	bearer   string
	cookies  []cookie
	mostBody int64
	alive    context.Context // ends when requests under way are to end, too
}

type headerLine struct {
	name  string
	value template.Template
}

func newRequester(s *session, h *httpFlags, address string) (r *requester, err error) {
	r = &requester{s: s, flags: h, whole: address == "{}" || h.raw}
	scope := s.scope
	scope.Strict = true
	path, query := address, ""
	if i := strings.IndexByte(address, '?'); i >= 0 {
		path, query = address[:i], address[i:]
	}
	if r.path, err = template.Parse(path, scope); err != nil {
		return nil, exit.Usage(err)
	}
	if r.query, err = template.Parse(query, scope); err != nil {
		return nil, exit.Usage(err)
	}
	if !strings.Contains(address, "://") && !strings.HasPrefix(address, "{") {
		return nil, exit.Usagef("%q is no URL: begin it with http:// or https://", address)
	}
	s.what = address
	if err := r.parse(scope); err != nil {
		return nil, err
	}
	if s.out, err = output.New(s.term, s.flags.output.config(false, false), s.scope); err != nil {
		return nil, err
	}
	return r, r.connect()
}

// connect makes the client: the transport has the limiter and the breakers, the
// engine the retries.
func (r *requester) connect() error {
	base, _ := http.DefaultTransport.(*http.Transport)
	r.base = base.Clone()
	r.base.MaxIdleConns, r.base.MaxIdleConnsPerHost = 0, 1<<14
	r.base.MaxConnsPerHost = r.flags.conns
	r.base.MaxResponseHeaderBytes = 1 << 20
	if err := r.flags.secure(r.base); err != nil {
		return err
	}
	set := r.s.set
	config := transport.Config{Base: sender{r.base}, Limiter: set.Limiter, Breaker: set.BreakerPolicy, Means: meaning}
	t, err := transport.New(config)
	if err != nil {
		return exit.Usage(err)
	}
	r.client = &http.Client{Transport: waiter{t}, CheckRedirect: redirect}
	if r.flags.keep {
		if r.client.Jar, err = newJar(); err != nil {
			return err
		}
	}
	r.alive, r.s.killed = context.WithCancel(context.Background())
	return nil
}

func (r *requester) close() {
	r.base.CloseIdleConnections()
	r.files.Close()
}

// address returns the URL of an item, whose text is a part of a path segment or of a
// value in the query, unless it is taken as it is.
func (r *requester) address(it items.Item) (string, error) {
	inPath, inQuery := url.PathEscape, queryEscape
	if r.whole {
		inPath, inQuery = nil, nil
	}
	path, err := r.path.Expand(it, 0, inPath)
	if err != nil {
		return "", err
	}
	if !r.whole {
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." { // escaped or not, that is another path
				return "", fmt.Errorf("%w: %q has a path with %q in it, which leads elsewhere; --no-escape sends it", template.ErrTemplate, path, segment)
			}
		}
	}
	query, err := r.query.Expand(it, 0, inQuery)
	return path + query, err
}

// queryEscape escapes what ends a value in a query, and what stands for a space there.
func queryEscape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func (r *requester) dryRun() error {
	for it := range r.s.input.All() {
		address, err := r.address(it)
		if err != nil {
			return exit.Usage(err)
		}
		method, err := r.methodOf(it)
		if err != nil {
			return exit.Usage(err)
		}
		if err := r.s.term.Text([]byte(method+" "+address+"\n"), false); err != nil {
			return err
		}
	}
	return r.s.input.Err()
}

func (r *requester) request(ctx context.Context, it items.Item) (*http.Request, error) {
	address, err := r.address(it)
	if err != nil {
		return nil, err
	}
	method, err := r.methodOf(it)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	text := ""
	if r.body != nil {
		if text, err = r.body.Expand(it, 0, nil); err != nil {
			return nil, err
		}
		body = strings.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "amorsize/"+version())
	if r.body != nil && json.Valid([]byte(text)) {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	r.setCookies(req)
	if err := r.setHeaders(req, it); err != nil {
		return nil, err
	}
	if r.key != nil {
		value, err := r.key.Expand(it, 0, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Idempotency-Key", value)
	}
	return req, nil
}

// setHeaders sets the headers that were given: each as often as it was, in place of ours.
func (r *requester) setHeaders(req *http.Request, it items.Item) error {
	given := map[string]bool{}
	for _, h := range r.headers {
		value, err := h.value.Expand(it, 0, nil)
		if err != nil {
			return err
		}
		if strings.EqualFold(h.name, "Host") {
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
