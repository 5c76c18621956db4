package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/transport"
)

// attempt makes a job's request. That nothing more is to be started ends its waits
// for the rate and the breaker, not a request that has been sent.
func (r *requester) attempt(ctx context.Context, j *jobs.Job, _ int) error {
	err := r.try(ctx, j)
	if err != nil && r.flags.out == "jsonl" { // an object for every item; a further attempt replaces it
		line, _ := jsonLine(answer{N: j.First().N, Item: j.First().JSON(), Status: j.Status, Took: j.Wall.Seconds(), Err: err.Error()})
		j.Out = process.Bytes(line)
	}
	return err
}

func (r *requester) try(ctx context.Context, j *jobs.Job) error {
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
		j.Out, err = r.keep(resp)
		_ = resp.Body.Close()
		if err != nil { // it broke off: a part of it is no result, and no answer
			j.Out.Release()
			j.Out, j.Status = process.Capture{}, 0
		}
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

// keep reads the body.
func (r *requester) keep(resp *http.Response) (process.Capture, error) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return process.Capture{}, nil // what follows is another protocol: no timeout ends it
	}
	kept, err := r.files.Keep(io.LimitReader(resp.Body, r.mostBody+1))
	if err == nil && kept.Size() > r.mostBody {
		err = errLarge
	}
	return kept, err
}

// errLarge is the error of a body beyond --max-body.
var errLarge = fmt.Errorf("%w: the response is larger than --max-body", process.ErrCommand)

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
		a := answer{N: it.N, Item: it.JSON(), Status: j.Status, Took: took.Seconds()}
		if err := a.hold(raw); err != nil {
			return err
		}
		line, err := jsonLine(a)
		if err != nil {
			return err
		}
		j.Out = process.Bytes(line)
	}
	return nil
}

// answer is what --out jsonl writes of an item: a body or an error.
type answer struct {
	N      int             `json:"n"`
	Item   json.RawMessage `json:"item"`
	Status int             `json:"status"` // 0 if there was no answer
	Took   float64         `json:"took_s"`
	Body   json.RawMessage `json:"body,omitempty"`
	Body64 []byte          `json:"body64,omitempty"`
	Err    string          `json:"error,omitempty"`
}

// hold takes a body: JSON as it is, text as a string, and other bytes, which JSON does
// not have, as base64 by another name.
func (a *answer) hold(body []byte) (err error) {
	switch {
	case !utf8.Valid(body):
		a.Body64 = body
	case json.Valid(body):
		a.Body = body
	default:
		a.Body, err = json.Marshal(string(body))
	}
	return err
}

func jsonLine(a answer) ([]byte, error) {
	raw, err := json.Marshal(a)
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
		return !errors.Is(seen.Err, errLarge) && !errors.As(seen.Err, &bad) && !errors.Is(seen.Err, template.ErrTemplate)
	}
	return false
}
