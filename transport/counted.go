package transport

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/internal/answer"
)

// counted makes an attempt with a permit of the host's limit on what is in flight. The host
// is busy with it until the body has come, so it is given back then; by what came of the
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

// Close takes a body for answered that was not read to its end: many who read one know
// where that is.
func (c *counted) Close() error {
	defer c.permit.Done(nil)
	return c.ReadCloser.Close()
}

// comes reports whether there is a body to come. That of a 101 is the connection, which
// lasts as long as its users want.
func (x *exchange) comes() bool {
	return x.resp != nil && x.resp.Body != nil && x.resp.Body != http.NoBody &&
		x.resp.StatusCode != http.StatusSwitchingProtocols
}
