package executor

import (
	"context"

	"github.com/amorsize/amorsize/executor/internal/source"
)

// runner runs ranges of items. The engine knows neither items nor results.
type runner interface {
	// run runs the items of s in order until one fails or w is signalled. It leaves in
	// w.at the first item that it did not complete; with an error, or a panic recorded in
	// w, that is the item that failed. With errParts, the items before it that failed are
	// in w.faults.
	run(ctx context.Context, w *worker, s span) error
	// failed returns the items that are lost when item at of s fails.
	failed(at int, s span) span
	// fail makes the error of the item or batch, nil if the failure is a result instead.
	fail(w *worker, lost span, err error) error
	// fork returns the runner for another worker.
	fork() runner
	// usesContext reports whether calls are given a context.
	usesContext() bool
	// tellsAttempts reports whether the runner tells the worker of each attempt: a claim
	// may have several attempts, or include waits.
	tellsAttempts() bool
}

// liner is a runner whose items may wait in separate lines.
type liner interface {
	// lines returns the lines, nil if there are none.
	lines() source.Lines
}

// shortener is a runner whose claim can be shortened while it is being run.
type shortener interface {
	// shorten returns what the claim is shortened by.
	shorten() span
}
