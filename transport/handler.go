package transport

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/amorsize/amorsize/concurrency"
)

// Handler returns next with a limit on requests in flight, which the limiter finds itself. A
// request that is refused, at once or after the longest wait of the limiter's policy, gets a
// 503 with a Retry-After.
//
// The status that next writes tells the limiter the outcome: 429, 502, 503, 504 and 529 mean
// that the backend was overloaded. A request whose client has gone is ignored. A request is in
// flight until next returns, so long-lived requests (WebSockets, server-sent events) must be
// handled without it.
func Handler(next http.Handler, l *concurrency.Limiter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		permit, err := l.Acquire(r.Context())
		if err != nil {
			refuse(w, err)
			return
		}
		defer permit.Cancel() // after a panic; otherwise it was already returned
		recorded := &recorder{ResponseWriter: w}
		next.ServeHTTP(recorded, r)
		if r.Context().Err() != nil {
			return
		}
		switch recorded.status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, statusOverloaded:
			permit.Done(&StatusError{Code: recorded.status})
		default:
			permit.Done(nil)
		}
	})
}

// refuse answers a request that was not admitted.
func refuse(w http.ResponseWriter, err error) {
	var full *concurrency.FullError
	if errors.As(err, &full) {
		seconds := (full.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
}

// recorder is a response writer that remembers the status.
type recorder struct {
	http.ResponseWriter
	status int // 0 before the header; if it stays 0, the status is 200
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 { // after the informational ones
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush is for handlers that ask for an [http.Flusher], as older ones do.
func (r *recorder) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }
