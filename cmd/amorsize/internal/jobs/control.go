package jobs

import (
	"context"
	"errors"
	"fmt"
)

// Why a run ends before its items do.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrTerminated  = errors.New("terminated")
	ErrDeadline    = errors.New("the deadline has passed")
	ErrHalted      = errors.New("too many failures")
	ErrFatal       = errors.New("a failure that ends the run")
	ErrGaveUp      = errors.New("the service did not recover")
	ErrLog         = errors.New("the log can't be written")
	ErrOutput      = errors.New("the results can't be written")
	ErrPipe        = errors.New("the reader of the results has closed its end")
)

// Control ends a run early: nothing more is started, running jobs may end. It is safe for concurrent use.
type Control struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// NewControl returns a control.
func NewControl(parent context.Context) *Control {
	c := &Control{}
	c.ctx, c.cancel = context.WithCancelCause(parent)
	return c
}

// Stop ends the run for that reason, unless it has been stopped before.
func (c *Control) Stop(reason error) { c.cancel(reason) }

// Stopf is Stop with details.
func (c *Control) Stopf(reason error, format string, args ...any) {
	c.Stop(fmt.Errorf("%w: "+format, append([]any{reason}, args...)...))
}

// Stopped returns the reason, nil if there is none.
func (c *Control) Stopped() error {
	if c.ctx.Err() == nil {
		return nil
	}
	return context.Cause(c.ctx)
}

// Context ends when the run is stopped.
func (c *Control) Context() context.Context { return c.ctx }
