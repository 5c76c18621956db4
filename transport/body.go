package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// keptBody is how much of the body of an unsuccessful response is read ahead, so that its
// connection can be reused before the delay ends.
const keptBody = 64 << 10

// patience is how long the next attempt waits for the rest of the previous body. Mostly
// it is already there.
const patience = 100 * time.Millisecond

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
	if body != nil && body != http.NoBody {
		x.upload = &upload{ReadCloser: body}
		req.Body = x.upload
	}
	return req, nil
}

// upload is a request's body that remembers why it could not be read: that is not the
// host's fault.
//
// It may still be read when the attempt has ended, and then fails because it was closed.
type upload struct {
	io.ReadCloser
	closed atomic.Bool
	failed atomic.Pointer[error]
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !u.closed.Load() {
		u.failed.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (u *upload) Close() error {
	u.closed.Store(true)
	return u.ReadCloser.Close()
}

// err returns why the body could not be read, if it was read.
func (u *upload) err() error {
	if u == nil || u.failed.Load() == nil {
		return nil
	}
	return *u.failed.Load()
}

// keep makes the response outlive the attempt: the request's context ends when the body
// has been read or closed.
func (x *exchange) keep(cancel context.CancelCauseFunc) {
	x.resp.Request = x.req
	switch {
	case x.resp.Body == nil, x.resp.Body == http.NoBody:
		cancel(nil)
	case x.resp.StatusCode == http.StatusSwitchingProtocols:
		// The body is the connection itself, so the context ends only with the caller's.
	default:
		x.resp.Body = &body{ReadCloser: x.resp.Body, done: func() { cancel(nil) }}
	}
}

// body is a response's body that tells when it has been read or closed.
type body struct {
	io.ReadCloser
	done func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.done()
	}
	return n, err
}

func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// fetch starts to read ahead the body of a response whose request may be sent again. The
// caller may still read it.
func (x *exchange) fetch() {
	if x.t.retrier == nil || x.resp.Body == nil || x.resp.Body == http.NoBody {
		return
	}
	b := &ahead{rest: x.resp.Body, done: make(chan struct{})}
	b.close = sync.OnceValue(b.rest.Close)
	x.resp.Body = b
	go b.fetch()
}

// ahead is a body that its own goroutine reads ahead, up to keptBody. The goroutine ends
// when that has arrived or the body is closed. Only a reader waits for a body that
// stalls.
type ahead struct {
	rest  io.ReadCloser
	close func() error // of rest, once

	done chan struct{} // closed when the following is set
	read bytes.Buffer
	err  error
}

func (a *ahead) fetch() {
	defer close(a.done)
	if _, a.err = io.CopyN(&a.read, a.rest, keptBody); errors.Is(a.err, io.EOF) {
		_ = a.close() // which frees the connection
	}
}

// await waits until the read-ahead has finished, at most for the given time.
func (a *ahead) await(most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-a.done:
	case <-timer.C:
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	<-a.done
	switch {
	case a.read.Len() > 0:
		return a.read.Read(p)
	case a.err != nil:
		return 0, a.err
	}
	return a.rest.Read(p)
}

func (a *ahead) Close() error {
	err := a.close()
	<-a.done
	return err
}

// discard closes the response of an attempt that will be repeated. The rest of it is too
// large or too late to be worth reading.
func (x *exchange) discard() {
	if x.resp != nil && x.resp.Body != nil {
		if a, ok := x.resp.Body.(*ahead); ok {
			a.await(patience)
		}
		_ = x.resp.Body.Close()
	}
	x.resp = nil
}

// repeatable reports whether the request's body can be sent again.
func (x *exchange) repeatable() bool {
	return x.req.Body == nil || x.req.Body == http.NoBody || x.req.GetBody != nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
