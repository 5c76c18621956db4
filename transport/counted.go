package transport

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/internal/answer"
)

// counted makes an attempt with a permit of the host's concurrency limit. The host is busy
// until the body has arrived, so the permit is returned then. It is returned after the
// header if that is a refusal, or if there is no body.
func (x *exchange) counted(ctx context.Context, host string, attempt func(context.Context) error) error {
	permit, err := x.t.inFlight.Acquire(ctx, host)
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			permit.Cancel() // a panic
		}
	}()
	err = attempt(ctx)
	kept = true
	if err != nil || !x.comes() {
		permit.Done(answer.Plain(err))
		return err
	}
	x.resp.Body = &counted{x.resp.Body, permit}
	return nil
}

// counted is a response's body whose request is in flight until it has been read or closed.
type counted struct {
	io.ReadCloser
	permit concurrency.Permit
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		c.permit.Done(nil)
	case err != nil:
		c.permit.Done(err)
	}
	return n, err
}

// Close counts the request as answered even if the body was not read to its end: many
// readers know where it ends.
func (c *counted) Close() error {
	defer c.permit.Done(nil)
	return c.ReadCloser.Close()
}

// comes reports whether a body will come. The body of a 101 is the connection itself, which
// may last for any time.
func (x *exchange) comes() bool {
	return x.resp != nil && x.resp.Body != nil && x.resp.Body != http.NoBody &&
		x.resp.StatusCode != http.StatusSwitchingProtocols
}
