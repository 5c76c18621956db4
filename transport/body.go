package transport

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// keptBody is how much of the body of a response that is retried is read, so that
// its connection can be used again at once and not after the delay.
const keptBody = 64 << 10

// request returns the request of the next attempt.
func (x *exchange) request(ctx context.Context) (*http.Request, error) {
	body := x.req.Body
	if x.sent && body != nil && body != http.NoBody {
		var err error
		if body, err = x.req.GetBody(); err != nil {
			return nil, err
		}
	}
	x.sent = true
	req := x.req.WithContext(ctx)
	req.Body = body
	return req, nil
}

// keep makes the response one that outlives the attempt: reading it isn't bound to
// the attempt's context, and closing it frees the request's own.
func (x *exchange) keep(cancel context.CancelCauseFunc) {
	switch {
	case x.resp.Body == nil:
		cancel(nil)
		return
	case x.resp.StatusCode == http.StatusSwitchingProtocols:
		return // the body is the connection; the context ends with the caller's
	}
	x.resp.Body = &body{ReadCloser: x.resp.Body, closed: func() { cancel(nil) }}
}

// body is a response's body that tells when it is closed.
type body struct {
	io.ReadCloser
	closed func()
}

func (b *body) Close() error {
	defer b.closed()
	return b.ReadCloser.Close()
}

// buffer reads the rest of a small body and frees its connection; the caller may
// still get to read it.
func (x *exchange) buffer() {
	if x.resp == nil || x.resp.Body == nil {
		return
	}
	var read bytes.Buffer
	n, err := io.CopyN(&read, x.resp.Body, keptBody)
	if n == keptBody || err != io.EOF { //nolint:errorlint // io.CopyN returns it bare
		rest := x.resp.Body
		x.resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(&read, rest), rest}
		return
	}
	_ = x.resp.Body.Close()
	x.resp.Body = io.NopCloser(&read)
}

// discard drains and closes the response of an attempt that is made again.
func (x *exchange) discard() {
	if x.resp == nil {
		return
	}
	if x.resp.Body != nil {
		_, _ = io.CopyN(io.Discard, x.resp.Body, keptBody)
		_ = x.resp.Body.Close()
	}
	x.resp = nil
}

// repeatable reports whether the request's body can be had again.
func (x *exchange) repeatable() bool {
	return x.req.Body == nil || x.req.Body == http.NoBody || x.req.GetBody != nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
