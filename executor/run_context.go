package executor

import (
	"context"
	"sync"
)

// runContext is the context of a run's calls: the caller's, but it ends with the
// run, too. Most calls never ask for that, so what it takes is made for the first
// who does: that saves small runs three allocations.
type runContext struct {
	context.Context // the caller's

	mu     sync.Mutex
	own    context.Context
	cancel context.CancelCauseFunc
	ended  bool
	cause  error
}

// made returns the context that ends with the run. mu is held.
func (c *runContext) made() context.Context {
	if c.own == nil {
		c.own, c.cancel = context.WithCancelCause(c.Context)
		if c.ended {
			c.cancel(c.cause)
		}
	}
	return c.own
}

// end ends the context; only the first cause counts.
func (c *runContext) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended, c.cause = true, cause
	}
	if c.own != nil {
		c.cancel(cause)
	}
}

// Done implements [context.Context].
func (c *runContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made().Done()
}

// Err implements [context.Context].
func (c *runContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own == nil && !c.ended {
		return c.Context.Err()
	}
	return c.made().Err()
}

// Value implements [context.Context]. What the context package looks for, a parent
// that it knows, is found in the context that was made.
func (c *runContext) Value(key any) any {
	c.mu.Lock()
	own := c.own
	c.mu.Unlock()
	if own != nil {
		return own.Value(key)
	}
	return c.Context.Value(key)
}
