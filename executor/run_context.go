package executor

import (
	"context"
	"sync"
)

// runContext is the context of a run's calls: the caller's, but it ends with the run,
// too. Most calls never use that, so the derived context is made on first use: that saves
// small runs three allocations.
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

// Value implements [context.Context]. The context package's own key finds the derived
// context.
func (c *runContext) Value(key any) any {
	c.mu.Lock()
	own := c.own
	c.mu.Unlock()
	if own != nil {
		return own.Value(key)
	}
	return c.Context.Value(key)
}
