package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/transport"
)

// httpFlags say what is requested.
type httpFlags struct {
	method    string
	headers   []string
	body      string
	bearer    string
	ok        string
	conns     int
	http1     bool
	out       string
	key       string
	retryPost bool
	raw       bool
}

func (f *httpFlags) group() group {
	g := newGroup("Request")
	s := g.set
	s.StringVarP(&f.method, "method", "X", "", "the `method` (default GET, with --body POST)")
	s.StringArrayVarP(&f.headers, "header-line", "H", nil, "a `\"Name: value\"` with placeholders")
	s.StringVar(&f.body, "body", "", "the body: a `template`, or @file with one; {} is the item")
	s.StringVar(&f.bearer, "bearer-env", "", "send the value of this environment `variable` as a bearer token")
	s.StringVar(&f.ok, "ok", "200-299", "statuses that are a success: `200-299,404`")
	s.IntVar(&f.conns, "max-conns", 0, "no more connections to a host (default: no bound)")
	s.BoolVar(&f.http1, "http1", false, "don't use HTTP/2")
	s.StringVar(&f.out, "out", "body", "results are the `body`, the status, or jsonl: an object with item, status, time and body")
	s.StringVar(&f.key, "idempotency-key", "", "send this `template` as Idempotency-Key, which makes any method worth a retry: {#}")
	s.BoolVar(&f.retryPost, "retry-post", false, "retry methods that are not idempotent, too")
	s.BoolVar(&f.raw, "no-escape", false, "put items into the URL as they are")
	return g
}

func newHTTP() *cobra.Command {
	var f runFlags
	var h httpFlags
	c := &cobra.Command{
		Use:   "http [flags] URL-template [::: item...]",
		Short: "Make a request per item, without a process for each",
		Long: `Make a request per item, without a process for each, as many at a time as pay.

Placeholders are those of run; in the URL they are escaped, unless the URL is {}.
A 429, and a 503 with Retry-After, holds back all requests for as long as the
service asks; RateLimit and X-RateLimit headers are heeded. 408, 500, 502, 503,
504 and lost connections are retried for methods that are idempotent. Statuses
that are not --ok are failures; their bodies are not results.`,
		Example: `  amorsize http --rate 50/s 'https://api.example.com/v1/users/{}' < ids
  amorsize http -a urls -k --out status {}
  amorsize http --jsonl --body @order.json --idempotency-key '{id}' https://api.example.com/orders < orders`,
		RunE: func(c *cobra.Command, args []string) error { return runHTTP(c, &f, &h, args, nil) },
	}
	bindHTTP(c, &f, &h)
	return c
}

func bindHTTP(c *cobra.Command, f *runFlags, h *httpFlags) {
	groups := []group{f.input.group(), h.group(), f.size.group(false)}
	groups = append(groups, f.policy.groups(3, "8")...)
	addGroups(c, append(groups, f.output.group())...)
	f.grace = defaultGrace
}

func runHTTP(c *cobra.Command, f *runFlags, h *httpFlags, args []string, source *items.Source) error {
	argv, list, given := splitItems(args)
	if len(argv) != 1 {
		return usagef("want one URL, with {} where the item goes; items follow ::: or come from standard input")
	}
	if f.output.json && f.output.results == "" {
		return usagef("--json writes the summary to standard output, where results go: add --results DIR, or write it to a file with --summary FILE")
	}
	f.policy.o.HTTP, f.size.batch = true, "1"
	s, err := f.open(c, "http", argv, list, given)
	if err != nil {
		return err
	}
	if source != nil {
		if err := s.reopen(*source); err != nil {
			return err
		}
	}
	defer func() { _ = s.input.Close() }()
	r, err := newRequester(s, h, argv[0])
	if err != nil {
		return err
	}
	if f.output.dryRun {
		return r.dryRun()
	}
	defer r.close()
	s.set.Again = r.again
	return s.run(jobs.Config{Attempt: r.attempt, Within: true, Caps: jobs.Caps{Files: 2 * fileSlots()}})
}

// requester makes the requests of a session.
type requester struct {
	s       *session
	flags   *httpFlags
	method  string
	url     template.Template
	whole   bool // the URL is the item
	body    *template.Template
	key     *template.Template
	headers []headerLine
	ok      [][2]int
	client  *http.Client
	base    *http.Transport
	files   process.Files
	bearer  string
	alive   context.Context // ends when requests under way are to end, too
}

type headerLine struct {
	name  string
	value template.Template
}

func newRequester(s *session, h *httpFlags, address string) (r *requester, err error) {
	r = &requester{s: s, flags: h, whole: address == "{}" || h.raw, method: h.method}
	scope := s.scope
	scope.Strict = true
	if r.url, err = template.Parse(address, scope); err != nil {
		return nil, usage(err)
	}
	if !strings.Contains(address, "://") && !strings.HasPrefix(address, "{") {
		return nil, usagef("%q is no URL: begin it with http:// or https://", address)
	}
	s.what = address
	if err := r.parse(scope); err != nil {
		return nil, err
	}
	if s.emitter, err = newEmitter(s.term, s.flags.output, s.scope, false); err != nil {
		return nil, err
	}
	return r, r.connect()
}

// parse reads the flags of the request.
func (r *requester) parse(scope template.Scope) (err error) {
	h := r.flags
	if h.body != "" {
		text := h.body
		if name, file := strings.CutPrefix(text, "@"); file {
			raw, err := os.ReadFile(name)
			if err != nil {
				return usagef("--body: %w", err)
			}
			text = string(raw)
		}
		loose := scope
		loose.Strict = false // JSON has braces of its own
		t, err := template.Parse(text, loose)
		if err != nil {
			return usage(err)
		}
		r.body = &t
	}
	if r.method == "" {
		if r.method = http.MethodGet; r.body != nil {
			r.method = http.MethodPost
		}
	}
	r.method = strings.ToUpper(r.method)
	if h.key != "" {
		t, err := template.Parse(h.key, scope)
		if err != nil {
			return usage(err)
		}
		r.key = &t
	}
	for _, line := range h.headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return usagef("--header-line %q: want \"Name: value\"", line)
		}
		t, err := template.Parse(strings.TrimSpace(value), scope)
		if err != nil {
			return usage(err)
		}
		r.headers = append(r.headers, headerLine{strings.TrimSpace(name), t})
	}
	if h.bearer != "" {
		if r.bearer = os.Getenv(h.bearer); r.bearer == "" {
			return usagef("--bearer-env %s: the variable is not set", h.bearer)
		}
	}
	if !oneOf(h.out, "body", "status", "jsonl") {
		return usagef("--out %q: want body, status or jsonl", h.out)
	}
	if h.conns < 0 {
		return usagef("--max-conns %d: want 1 or more", h.conns)
	}
	r.ok, err = parseStatuses(h.ok)
	return err
}

func parseStatuses(text string) (list [][2]int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, both := strings.Cut(strings.TrimSpace(part), "-")
		if !both {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 100 || to > 599 || from > to {
			return nil, usagef("--ok %q: want statuses as 200-299,404", text)
		}
		list = append(list, [2]int{from, to})
	}
	return list, nil
}

// connect makes the client: the transport has the limiter and the breakers, the
// engine the retries.
func (r *requester) connect() error {
	base, _ := http.DefaultTransport.(*http.Transport)
	r.base = base.Clone()
	r.base.MaxIdleConns, r.base.MaxIdleConnsPerHost = 0, 1<<14
	r.base.MaxConnsPerHost = r.flags.conns
	if r.flags.http1 {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		r.base.Protocols, r.base.ForceAttemptHTTP2 = protocols, false
	}
	set := r.s.set
	config := transport.Config{Base: sender{r.base}, Limiter: set.Limiter, Breaker: set.BreakerPolicy}
	t, err := transport.New(config)
	if err != nil {
		return usage(err)
	}
	r.client = &http.Client{Transport: t}
	r.alive, r.s.killed = context.WithCancel(context.Background())
	return nil
}

func (r *requester) close() {
	r.base.CloseIdleConnections()
	r.files.Close()
}

func (r *requester) address(it items.Item) (string, error) {
	escape := url.PathEscape
	if r.whole {
		escape = nil
	}
	return r.url.Expand(it, 0, escape)
}

func (r *requester) dryRun() error {
	for it := range r.s.input.All() {
		address, err := r.address(it)
		if err != nil {
			return usage(err)
		}
		if err := r.s.term.Text([]byte(r.method+" "+address+"\n"), false); err != nil {
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
	var body io.Reader
	text := ""
	if r.body != nil {
		if text, err = r.body.Expand(it, 0, nil); err != nil {
			return nil, err
		}
		body = strings.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
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
	for _, h := range r.headers {
		value, err := h.value.Expand(it, 0, nil)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(h.name, "Host") {
			req.Host = value
		}
		req.Header.Set(h.name, value)
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

// attempt makes a job's request. That nothing more is to be started ends its waits
// for the rate and the breaker, not a request that has been sent.
func (r *requester) attempt(ctx context.Context, j *jobs.Job, _ int) error {
	it := j.First()
	j.Status, j.Wall = 0, 0
	sent := &sending{timeout: r.s.timeout()}
	sent.ctx, sent.cancel = context.WithCancel(r.alive)
	defer sent.end()
	req, err := r.request(context.WithValue(ctx, sendingKey{}, sent), it)
	if err != nil {
		return err
	}
	defer func() {
		if !sent.began.IsZero() {
			j.Wall = time.Since(sent.began)
		}
	}()
	resp, err := r.client.Do(req)
	if err == nil {
		j.Status = resp.StatusCode
		j.Out, err = r.files.Keep(resp.Body)
		_ = resp.Body.Close()
	}
	switch {
	case err != nil && sent.late.Load():
		return &process.TimeoutError{After: sent.timeout}
	case err != nil:
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the URL is the item's, and said already
		}
		return err
	case !r.success(j.Status):
		return r.refused(j, resp)
	}
	return r.present(j, it, time.Since(sent.began))
}

// sending is a request from when it is sent, after all waits.
type sending struct {
	ctx     context.Context
	cancel  context.CancelFunc
	timeout time.Duration
	began   time.Time
	timer   *time.Timer
	late    atomic.Bool
}

type sendingKey struct{}

func (s *sending) end() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cancel()
}

// sender is under the transport's policies: there the request's own time begins.
type sender struct{ base http.RoundTripper }

// RoundTrip sends a request in the context of its own.
func (s sender) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, ok := req.Context().Value(sendingKey{}).(*sending)
	if !ok {
		return s.base.RoundTrip(req)
	}
	sent.began = time.Now()
	if sent.timeout > 0 && sent.timer == nil {
		sent.timer = time.AfterFunc(sent.timeout, func() {
			sent.late.Store(true)
			sent.cancel()
		})
	}
	return s.base.RoundTrip(req.WithContext(sent.ctx))
}

func (r *requester) success(status int) bool {
	for _, span := range r.ok {
		if status >= span[0] && status <= span[1] {
			return true
		}
	}
	return false
}

// refused returns the error of a status that is no success, and has the body be
// what the failure says.
func (r *requester) refused(j *jobs.Job, resp *http.Response) error {
	body := j.Out
	j.Out = process.Capture{}
	j.Outcome.Err = process.Bytes(bytes.Clone(body.Tail(300)))
	body.Release()
	status := transport.StatusError{Code: resp.StatusCode}
	after, said := retryAfter(resp.Header.Get("Retry-After"), time.Now())
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable && said {
		return &transport.ThrottledError{StatusError: status, After: after}
	}
	return &status
}

// retryAfter reads the header, in seconds or as a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// present makes the result of the body.
func (r *requester) present(j *jobs.Job, it items.Item, took time.Duration) error {
	switch r.flags.out {
	case "status":
		j.Out.Release()
		j.Out = process.Bytes([]byte(strconv.Itoa(j.Status) + "\n"))
	case "jsonl":
		raw, err := io.ReadAll(j.Out.Reader())
		if err != nil {
			return err
		}
		j.Out.Release()
		line, err := jsonLine(it, j.Status, took, raw)
		if err != nil {
			return err
		}
		j.Out = process.Bytes(line)
	}
	return nil
}

func jsonLine(it items.Item, status int, took time.Duration, body []byte) ([]byte, error) {
	line := struct {
		N      int             `json:"n"`
		Item   json.RawMessage `json:"item"`
		Status int             `json:"status"`
		Took   float64         `json:"took_s"`
		Body   json.RawMessage `json:"body"`
	}{it.N, it.JSON(), status, took.Seconds(), body}
	if !json.Valid(body) {
		text, err := json.Marshal(strings.ToValidUTF8(string(body), "\uFFFD"))
		if err != nil {
			return nil, err
		}
		line.Body = text
	}
	raw, err := json.Marshal(line)
	return append(raw, '\n'), err
}

var idempotent = map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "PUT": true, "DELETE": true}

// again tells what is worth a retry: what may be different the next time, if the
// request does no harm twice.
func (r *requester) again(seen policies.Seen) bool {
	if errors.Is(seen.Err, circuitbreaker.ErrOpen) {
		return false
	}
	if !idempotent[r.method] && r.key == nil && !r.flags.retryPost {
		return false
	}
	switch seen.Status {
	case 0, 408, 425, 500, 502, 503, 504:
		var bad *url.Error
		return !errors.As(seen.Err, &bad) && !errors.Is(seen.Err, template.ErrTemplate)
	}
	return false
}
