package request

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// sending is a request with all its redirects. Its time runs while one of them is in flight, and not while one
// waits for the rate, the breaker or a connection.
//
// Its context ends with that of the attempt until something has been sent. From then on it ends only when requests
// in flight are to end, too: work that a server has already done should not be lost.
type sending struct {
	timeout time.Duration // 0 is none
	queues  bool          // waits for one of a limited number of connections

	cancel context.CancelFunc
	unlink []func() bool // from the contexts of the attempt and of the runner

	mu    sync.Mutex
	since time.Time // when the time began to run, zero while it does not
	spent time.Duration
	sent  bool
	timer *time.Timer
	late  bool

	id      string // given by the service
	refusal []byte // the beginning of the body of an unsuccessful status
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
	if alive.Err() != nil {
		s.cancel() // AfterFunc does so later, and a request could be sent before
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

// sendOne notes that something is about to be sent. It reports false if nothing may be sent: the attempt's
// context, which counts until something has been sent, has ended, though the request's own may not have yet.
func (s *sending) sendOne() bool {
	s.mu.Lock()
	s.sent = s.sent || s.unlink[0]()
	may := s.sent
	s.mu.Unlock()
	if may {
		s.runOn()
	}
	return may
}

// runOn starts the time again, unless it runs.
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

// hold stops the time, and returns how much has passed.
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

// waiter is around the transport's policies: their waits do not count as the request's time.
type waiter struct{ base http.RoundTripper }

// RoundTrip makes a request, the first one or one that a server redirects to.
func (w waiter) RoundTrip(req *http.Request) (*http.Response, error) {
	if s, ok := sendingOf(req.Context()); ok {
		s.hold()
	}
	return w.base.RoundTrip(req)
}

// sender is inside the transport's policies: there the request's own time begins.
type sender struct{ base http.RoundTripper }

// RoundTrip sends a request.
func (t sender) RoundTrip(req *http.Request) (*http.Response, error) {
	if s, ok := sendingOf(req.Context()); ok && !s.sendOne() {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	}
	return t.base.RoundTrip(req)
}
