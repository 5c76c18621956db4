package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

// ErrConfig matches every [*ConfigError], for errors.Is.
var ErrConfig = errors.New("amorsize: invalid configuration")

// ErrGoexit is the cause of an item's error when the function called
// [runtime.Goexit], as t.FailNow does.
//
// It is returned for items that a helper ran, and so for all items of a stream. The caller's own goroutine
// runs items too: the first ones and its share of the others. A Goexit there can't be stopped: the run stops
// and is waited for, the report is written, and then the goroutine ends as it would in a plain loop.
var ErrGoexit = errors.New("amorsize: the function called runtime.Goexit")

// ErrResultCount is the cause of a batch's error when the batch function
// returned more or fewer results than it was given items.
var ErrResultCount = errors.New("amorsize: wrong number of results")

// ErrNotRun is the cause of the error of an item that a stream took from its input but did not run, because
// the stream ended first.
var ErrNotRun = errors.New("amorsize: not run")

// ConfigError says which setting is invalid. No item has been run.
type ConfigError struct {
	Field string // the setting's name: "Workers", or "fn" for the function itself
	Value any    // what it was set to
	Range string // what it may be
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("amorsize: %s = %v: must be %s", e.Field, e.Value, e.Range)
}

// Unwrap returns [ErrConfig].
func (e *ConfigError) Unwrap() error { return ErrConfig }

// ItemError is the failure of one item. It does not hold the item.
type ItemError struct {
	Index    int   // of the item
	Attempts int   // how often the function was called for it: 0 if a policy refused, or the stream ended first
	Err      error // what the function, or a policy around it, returned
}

func (e *ItemError) Error() string {
	cause := fmt.Sprint(e.Err)
	after := fmt.Sprintf("after %d attempts", e.Attempts)
	if e.Attempts < 2 || strings.Contains(cause, after) { // a retrier's error says it already
		return fmt.Sprintf("item %d: %s", e.Index, cause)
	}
	return fmt.Sprintf("item %d (%s): %s", e.Index, after, cause)
}

// Unwrap returns the item's own error.
func (e *ItemError) Unwrap() error { return e.Err }

// BatchError is the failure of one call of a batch function.
type BatchError struct {
	Index int // of the batch's first item
	Size  int // items in the batch
	Err   error
	apart bool // known items, which were not run, lie between its items
}

func (e *BatchError) Error() string {
	if e.apart {
		return fmt.Sprintf("batch of %d items from %d on: %v", e.Size, e.Index, e.Err)
	}
	return fmt.Sprintf("batch of items %d to %d: %v", e.Index, e.Index+e.Size-1, e.Err)
}

// Unwrap returns the batch's own error.
func (e *BatchError) Unwrap() error { return e.Err }

// PartialError is returned by a batch function that completed only some of its items. The function still
// returns a result for each item; those of failed items do not count. Each failed item is an [*ItemError]
// with its own error, and a retry gets only the failed items.
type PartialError struct {
	Failed map[int]error // by the item's index in the batch that the function was given
}

func (e *PartialError) Error() string {
	for _, i := range slices.Sorted(maps.Keys(e.Failed)) {
		return fmt.Sprintf("%d items of the batch failed: item %d of it: %v", len(e.Failed), i, e.Failed[i])
	}
	return "no item of the batch failed"
}

// Unwrap returns the errors of the items, ordered by index.
func (e *PartialError) Unwrap() []error {
	var all []error
	for _, i := range slices.Sorted(maps.Keys(e.Failed)) {
		if e.Failed[i] != nil {
			all = append(all, e.Failed[i])
		}
	}
	return all
}

// within reports whether e fits a batch with these numbers of items and results, and has an error for each
// failed item.
func (e *PartialError) within(items, results int) bool {
	for i, err := range e.Failed {
		if i < 0 || i >= items || err == nil {
			return false
		}
	}
	return results == items && len(e.Failed) > 0
}

// itemCause is why an item of a batch failed, and the error of the batch.
type itemCause struct{ own, batch error }

func (e *itemCause) Error() string   { return e.own.Error() }
func (e *itemCause) Unwrap() []error { return []error{e.own, e.batch} }

// tooLargeError is a refusal as too large. Repeating the same call would not help.
type tooLargeError struct{ err error }

func (e *tooLargeError) Error() string   { return e.err.Error() }
func (e *tooLargeError) Unwrap() error   { return e.err }
func (e *tooLargeError) Permanent() bool { return true }

// Errors is what a run with [Collect] returns when items failed: an
// [*ItemError] or [*BatchError] for each, ordered by index.
type Errors struct {
	errs []error
}

// shownErrors is how many failures Errors prints.
const shownErrors = 5

func (e *Errors) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d failed", len(e.errs))
	for i, err := range e.errs {
		if i == shownErrors {
			fmt.Fprintf(&b, "; and %d more", len(e.errs)-i)
			break
		}
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + err.Error())
	}
	return b.String()
}

// Unwrap returns the failures, ordered by index.
func (e *Errors) Unwrap() []error { return e.errs }

// CanceledError is returned by a run that its context ended. It matches both the context's error and its
// cause.
type CanceledError struct {
	Err   error // of the context: [context.Canceled] or [context.DeadlineExceeded]
	Cause error // [context.Cause] of the context
}

func canceled(ctx context.Context) error {
	return &CanceledError{Err: ctx.Err(), Cause: context.Cause(ctx)}
}

func (e *CanceledError) Error() string {
	if e.Cause == nil || errors.Is(e.Err, e.Cause) {
		return fmt.Sprintf("amorsize: run stopped: %v", e.Err)
	}
	return fmt.Sprintf("amorsize: run stopped: %v: %v", e.Err, e.Cause)
}

// Unwrap returns the context's error and its cause.
func (e *CanceledError) Unwrap() []error { return []error{e.Err, e.Cause} }

// PanicError is what a run panics with in its caller when the function
// panicked, after everything that ran has ended.
type PanicError struct {
	Index int    // of the item; -1 if the panic was not an item's, but for example of a stream's input or a keeper
	Value any    // the value of the original panic
	Stack []byte // the stack of the goroutine that panicked, at that time
}

func (e *PanicError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("amorsize: panic outside of the items' calls: %v\n\n%s", e.Value, e.Stack)
	}
	return fmt.Sprintf("amorsize: item %d: panic: %v\n\n%s", e.Index, e.Value, e.Stack)
}

// asPanic wraps the value of a panic that did not come from the function.
func asPanic(v any) *PanicError {
	return &PanicError{Index: -1, Value: v, Stack: debug.Stack()}
}

// before reports whether e takes precedence over other as the panic of the run.
func (e *PanicError) before(other *PanicError) bool {
	return other == nil || e.Index >= 0 && (other.Index < 0 || e.Index < other.Index)
}

// Unwrap returns the original value if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// isContextError reports whether err is what a call returns because ctx ended.
func isContextError(ctx context.Context, err error) bool {
	if ctx.Err() == nil {
		return false
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Cause(ctx))
}

// countError is an ErrResultCount with the numbers.
type countError struct{ got, want int }

func (e *countError) Error() string {
	return fmt.Sprintf("the batch function returned %d results for %d items", e.got, e.want)
}

func (e *countError) Unwrap() error { return ErrResultCount }
