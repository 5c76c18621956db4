package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/transport"
)

// attempt makes a job's request. That nothing more is to be started ends its waits
// for the rate and the breaker, not a request that has been sent.
func (r *requester) attempt(ctx context.Context, j *jobs.Job, _ int) error {
	err := r.try(ctx, j)
	if err != nil && r.flags.out == "jsonl" { // an object for every item; a further attempt replaces it
		a := answer{N: j.First().N, Status: j.Status, Took: j.Wall.Seconds(), Err: err.Error()}
		a.Item, a.Item64 = j.First().Told()
		line, _ := jsonLine(a)
		j.Out.Release()
		j.Out = process.Bytes(line)
	}
	return err
}

func (r *requester) try(ctx context.Context, j *jobs.Job) error {
	it := j.First()
	j.Status, j.Wall = 0, 0
	sent := &sending{timeout: r.s.timeout(), queues: r.flags.conns > 0}
	req, err := r.request(sent.begin(ctx, r.alive), it)
	if err != nil {
		sent.end()
		return unsentError{err}
	}
	defer func() { j.Wall = sent.end() }()
	resp, err := r.client.Do(req)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		sent.runOn() // the body is part of it
		if j.Status = resp.StatusCode; !r.success(j.Status) {
			return r.refused(j, resp, sent)
		}
		if j.Out, err = r.keep(resp); err != nil { // it broke off: a part of it is no result, and no answer
			j.Out.Release()
			j.Out, j.Status = process.Capture{}, 0
		}
	}
	switch {
	case err != nil && sent.isLate():
		return &process.TimeoutError{After: sent.timeout}
	case err != nil:
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the URL is the item's, and said already
		}
		return err
	}
	return r.present(j, it, sent.took())
}

// keep reads the body.
func (r *requester) keep(resp *http.Response) (process.Capture, error) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return process.Capture{}, nil // what follows is another protocol: no timeout ends it
	}
	if r.mostBody == 0 {
		return r.files.Keep(resp.Body)
	}
	kept, err := r.files.Keep(io.LimitReader(resp.Body, r.mostBody+1))
	if err == nil && kept.Size() > r.mostBody {
		err = errLarge
	}
	return kept, err
}

// errLarge is the error of a body beyond --max-body.
var errLarge = fmt.Errorf("%w: the response is larger than --max-body", process.ErrCommand)

// sending is a request with all that it is redirected to. Its time runs while one of them
// is under way, and not while one waits for the rate, the breaker or a connection.
//
// Its context ends with that of the attempt as long as nothing has been sent, and from
// then on only when requests under way are to end, too: what a server has done already
// is worth its answer.
type sending struct {
	timeout time.Duration // 0 is none
	queues  bool          // for one of so many connections

	cancel context.CancelFunc
	unlink []func() bool // from the contexts of the attempt and of the requester

	mu    sync.Mutex
	since time.Time // when the time began to run, zero while it does not
	spent time.Duration
	timer *time.Timer
	late  bool
	means transport.Meaning // of the latest response
}

type sendingKey struct{}

// begin returns the context of the request.
func (s *sending) begin(ctx, alive context.Context) context.Context {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	s.cancel = func() { cancel(nil) }
	s.unlink = []func() bool{
		context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) }), // why nothing more is to be started
		context.AfterFunc(alive, s.cancel),
	}
	own = context.WithValue(own, sendingKey{}, s)
	if s.queues {
		own = httptrace.WithClientTrace(own, &httptrace.ClientTrace{
			GetConn:      func(string) { s.hold() },
			DNSStart:     func(httptrace.DNSStartInfo) { s.runOn() },
			ConnectStart: func(string, string) { s.runOn() },
			GotConn:      func(httptrace.GotConnInfo) { s.runOn() },
		})
	}
	return own
}

// sentOne takes note that something is about to be sent.
func (s *sending) sentOne() {
	s.unlink[0]()
	s.runOn()
}

// runOn has the time run from now on, unless it does.
func (s *sending) runOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.since.IsZero() {
		return
	}
	s.since = time.Now()
	if s.timeout > 0 {
		s.timer = time.AfterFunc(s.timeout-s.spent, func() {
			s.mu.Lock()
			s.late = true
			s.mu.Unlock()
			s.cancel()
		})
	}
}

// hold has the time stand still, and returns what has passed of it.
func (s *sending) hold() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	if !s.since.IsZero() {
		s.spent += time.Since(s.since)
		s.since = time.Time{}
	}
	return s.spent
}

// took returns how long the requests have taken.
func (s *sending) took() time.Duration { return s.hold() }

func (s *sending) isLate() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late
}

// end releases the context, and returns how long the requests have taken.
func (s *sending) end() time.Duration {
	took := s.hold()
	for _, unlink := range s.unlink {
		unlink()
	}
	s.cancel()
	return took
}

func sendingOf(ctx context.Context) (*sending, bool) {
	s, ok := ctx.Value(sendingKey{}).(*sending)
	return s, ok
}

// waiter is around the transport's policies: their waits take none of the request's time.
type waiter struct{ base http.RoundTripper }

// RoundTrip makes a request, the first one or one that a server redirects to.
func (w waiter) RoundTrip(req *http.Request) (*http.Response, error) {
	if s, ok := sendingOf(req.Context()); ok {
		s.hold()
	}
	return w.base.RoundTrip(req)
}

// sender is under the transport's policies: there the request's own time begins.
type sender struct{ base http.RoundTripper }

// RoundTrip sends a request.
func (t sender) RoundTrip(req *http.Request) (*http.Response, error) {
	if s, ok := sendingOf(req.Context()); ok {
		s.sentOne()
	}
	return t.base.RoundTrip(req)
}

// meaning keeps what the transport makes of a response: when to come back, too.
func meaning(resp *http.Response, usual transport.Meaning) transport.Meaning {
	if s, ok := sendingOf(resp.Request.Context()); ok {
		s.mu.Lock()
		s.means = usual
		s.mu.Unlock()
	}
	return usual
}
