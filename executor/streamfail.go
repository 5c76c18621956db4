package executor

import (
	"context"

	"github.com/amorsize/amorsize/internal/answer"
)

// What a failed item of a stream causes: the end of the stream, or a result like any other.

func (r *streaming[T, R]) fail(w *worker, lost span, err error) error {
	if own, ok := w.runner.(*streaming[T, R]); ok {
		r = own
	}
	e := &ItemError{Index: lost.Lo, Attempts: w.attempts, Err: answer.Plain(err)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cfg.Errors == Collect { // a Goexit: any other failure is a result already
		r.cell.Err = e
		w.failed++
		w.tally.lose(1)
		r.handOver(lost.Hi, 0)
		return nil
	}
	r.handover.fail(*r.cell, e)
	return e
}

// survives records that the current item has failed. It reports whether that is a result like
// any other.
func (r *streaming[T, R]) survives(ctx context.Context, w *worker, err error) bool {
	r.cell.Value = *new(R)
	e := &ItemError{Index: r.cell.Index, Attempts: w.attempts, Err: answer.Plain(err)}
	if isContextError(ctx, err) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.leave(*r.cell, e)
		return false
	}
	if r.cfg.Errors == FailFast {
		return false
	}
	r.cell.Err = e
	w.failed++
	w.tally.lose(1)
	return true
}
