package executor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// outcome is the outcome of a run: whether it must stop, and what went wrong.
type outcome struct {
	mode ErrorMode
	ctx  *runContext  // of the calls; ends with the first failure, in FailFast
	over *atomic.Bool // no further item is to start; set first of all
	stop stopped      // is told so

	told     atomic.Bool // stop has been called
	mu       sync.Mutex
	failed   []fault
	panicked *PanicError
	exited   bool  // the caller's goroutine ended outside of an item
	unkept   error // why the outcome of an item could not be kept
	past     *past
	tally    *tally
}

// stopped is told once that no further item is to start.
type stopped interface{ stop() }

// halt keeps any further item from starting.
func (o *outcome) halt() {
	o.over.Store(true)
	if !o.told.Swap(true) {
		o.stop.stop()
	}
}

// fail records a failure, and stops the run with FailFast. A nil err is not recorded: the
// failure is a result of the stream.
func (o *outcome) fail(err error, lost span) {
	if err == nil {
		return
	}
	o.past.place(err)
	o.tally.lose(lost.Len())
	o.mu.Lock()
	o.failed = append(o.failed, fault{lost, err})
	o.mu.Unlock()
	if o.mode == FailFast {
		o.halt()
		o.ctx.end(err)
	}
}

// panics records a panic and stops the run. Of several panics the one of the lowest item is
// raised in the caller.
func (o *outcome) panics(e *PanicError, lost span) {
	if e == nil {
		e = &PanicError{Index: lost.Lo}
	}
	if lost.Len() > 0 { // otherwise the panic is not an item's
		o.past.place(e)
		o.tally.lose(lost.Len())
	}
	o.mu.Lock()
	if e.before(o.panicked) {
		o.panicked = e
	}
	if lost.Len() > 0 {
		o.failed = append(o.failed, fault{lost, e})
	}
	o.mu.Unlock()
	o.halt()
	o.ctx.end(e)
}

// exit stops the run because the caller's goroutine ends, outside of an item.
func (o *outcome) exit() {
	o.mu.Lock()
	o.exited = true
	o.mu.Unlock()
	o.halt()
	o.ctx.end(ErrGoexit)
}

// lose stops the run because the outcome of an item could not be kept: later outcomes would
// be lost as well.
func (o *outcome) lose(err error) {
	o.mu.Lock()
	if o.unkept == nil {
		o.unkept = err
	}
	o.mu.Unlock()
	o.halt()
	o.ctx.end(err)
}

// catch is deferred around code that runs outside of a worker: it records panics.
func (o *outcome) catch() {
	if v := recover(); v != nil {
		o.panics(asPanic(v), span{})
	}
}

// sort orders the failures by the caller's numbers, and adds those of an earlier run. It is
// called when nothing can fail any more.
func (o *outcome) sort() {
	o.failed = o.past.renumber(o.failed)
	slices.SortFunc(o.failed, func(a, b fault) int { return a.Lo - b.Lo })
}

// lost returns the items that failed.
func (o *outcome) lost() []span {
	lost := make([]span, len(o.failed))
	for i, f := range o.failed {
		lost[i] = f.span
	}
	return lost
}

// err returns the error of the run. unfinished says that items were not run. parent is the
// caller's context.
func (o *outcome) err(parent context.Context, unfinished bool) error {
	var errs []error
	if o.panicked != nil {
		errs = append(errs, o.panicked)
	}
	if err := o.failure(); err != nil {
		errs = append(errs, err)
	}
	if o.exited {
		errs = append(errs, ErrGoexit)
	}
	if o.unkept != nil {
		errs = append(errs, o.unkept)
	}
	if unfinished && parent.Err() != nil {
		errs = append(errs, canceled(parent))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// failure returns the error for the failures of items; nil if there are none, or after a
// panic.
func (o *outcome) failure() error {
	switch {
	case len(o.failed) == 0 || o.panicked != nil:
		return nil
	case o.mode == FailFast:
		return o.failed[0].err
	}
	all := &Errors{}
	for _, f := range o.failed {
		if f.err != nil {
			all.errs = append(all.errs, f.err)
		}
	}
	return all
}
