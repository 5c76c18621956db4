package transport

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/amorsize/amorsize/concurrency"
)

// Handler returns next under the limit: a server that has room for so many requests at
// once, which finds itself. One that is refused, at once or having waited as long as the
// limiter's policy allows, is answered by 503 with a Retry-After.
//
// What next answers tells the limiter what came of the request: 429, 502, 503, 504 and 529 that
// what is behind the server had no room for it. A request whose client has gone tells
// nothing. A request is in flight until next returns, so requests that are meant to last
// (WebSockets, server-sent events) are to be handled elsewhere.
func Handler(next http.Handler, l *concurrency.Limiter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		permit, err := l.Acquire(r.Context())
		if err != nil {
			refuse(w, err)
			return
		}
		defer permit.Cancel() // after a panic; else it is given back already
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

// refuse answers a request that was not let in.
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
	status int // 0 before the header, and for one that was never written: 200
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
