package executor

import (
	"context"
	"errors"
	"time"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/clock"
)

// batches runs a function that takes many items in one call: a range is a call. A call
// that is refused as too large is made again in two halves. If a call tells which of its
// items failed, the other items count, and a retry gets only the failed ones.
type batches[T, R any] struct {
	fn       func(context.Context, []T) ([]R, error)
	policies []Policy
	items    []T
	out      []R
	sizer    *sizing.Batch // told what calls take; nil if their size is fixed
	kept     kept[T, R]
	chain    func(context.Context) error

	w     *worker
	span  span    // the part of the range that is being run
	open  []int   // items of the part that are still to run; nil is all of them
	next  []T     // those items, as the argument of the next call
	last  []R     // the results of the latest call
	errs  []error // of each of them, the error of the latest call
	whole bool    // the latest call completed all its items
}

func newBatches[T, R any](fn func(context.Context, []T) ([]R, error), policies []Policy, items []T, out []R, sizer *sizing.Batch, k kept[T, R]) *batches[T, R] {
	b := &batches[T, R]{fn: fn, policies: policies, items: items, out: out, sizer: sizer, kept: k}
	b.chain = chain(bind(policies, b.current), b.call)
	return b
}

// current returns what the next call is given, and what the latest one returned, for
// policies that look at them.
func (b *batches[T, R]) current() (*[]T, *[]R) { return &b.next, &b.last }

func (b *batches[T, R]) fork() runner {
	return newBatches(b.fn, b.policies, b.items, b.out, b.sizer, b.kept)
}

func (b *batches[T, R]) usesContext() bool   { return true }
func (b *batches[T, R]) tellsAttempts() bool { return true }

// failed loses the whole part: which of its items succeeded is not known.
func (b *batches[T, R]) failed(at int, s span) span {
	if b.span.Lo == at && b.span.Hi > at {
		return b.span
	}
	return span{Lo: at, Hi: s.Hi}
}

func (b *batches[T, R]) fail(_ *worker, lost span, err error) error {
	return &BatchError{Index: lost.Lo, Size: lost.Hi - lost.Lo, Err: err}
}

// errParts is what a range returns if some of its parts or items failed.
var errParts = errors.New("amorsize: parts of a batch failed")

func (b *batches[T, R]) run(ctx context.Context, w *worker, s span) error {
	w.at, w.returned = s.Lo, false
	b.w = w
	if b.kept.keeper != nil {
		defer b.lost(w)
	}
	defer w.guard()
	err := b.runPart(ctx, s)
	w.returned = true
	switch {
	case len(w.faults) > 0:
		return errParts
	case err == nil && w.unkept != nil:
		return errUnkept
	}
	return err
}

// runPart runs a part of the range, in two halves if it is too large. It leaves in w.at
// the first item that was not handled. It returns only errors that end the run; any other
// error is a fault of the part.
func (b *batches[T, R]) runPart(ctx context.Context, s span) error {
	if b.w.interrupted() {
		return nil
	}
	b.span, b.open, b.errs, b.last = s, nil, nil, nil
	b.next = b.given()
	b.w.attempts = 0
	since, began := b.kept.begin(), b.w.beginPoliced()
	err := b.chain(ctx)
	b.w.policed.end(began)
	switch {
	case err == nil && !b.whole: // a policy answered without calling
		err = &countError{got: 0, want: s.Hi - s.Lo}
	case err != nil && isContextError(ctx, err):
		b.keepPart(ctx, since, err)
		return err
	case err != nil && s.Hi-s.Lo > 1 && b.open == nil && answer.TooLarge(err):
		return b.runHalves(ctx, s)
	}
	b.keepPart(ctx, since, err)
	b.whole, b.next, b.last = false, nil, nil
	b.w.uncalled(s.Len(), err)
	if err != nil {
		b.note(err)
	}
	b.w.at = s.Hi
	return nil
}

func (b *batches[T, R]) runHalves(ctx context.Context, s span) error {
	middle := s.Lo + (s.Hi-s.Lo+1)/2
	for _, half := range []span{{Lo: s.Lo, Hi: middle}, {Lo: middle, Hi: s.Hi}} {
		if err := b.runPart(ctx, half); err != nil || b.w.at < half.Hi || b.w.unkept != nil {
			return err
		}
	}
	return nil
}

// note records the failure of the part: of the whole part, or of the items that failed.
func (b *batches[T, R]) note(err error) {
	if b.open == nil {
		b.w.faults = append(b.w.faults, fault{b.span, b.fail(b.w, b.span, err)})
		return
	}
	for i, at := range b.open {
		b.w.faults = append(b.w.faults, fault{span{Lo: at, Hi: at + 1}, &ItemError{Index: at, Attempts: b.w.attempts, Err: b.causeOf(i, err)}})
	}
}

// causeOf returns why the i-th of the open items failed, in a part that failed with err.
func (b *batches[T, R]) causeOf(i int, err error) error {
	own := b.errs[i]
	if own == nil {
		return err
	}
	if partial, ok := err.(*PartialError); !ok || partial.Failed == nil { //nolint:errorlint // only the function's own says no more than the items'
		return &itemCause{own, err}
	}
	return own
}

// call is the innermost link: one attempt at the remaining items of the part.
func (b *batches[T, R]) call(ctx context.Context) (err error) {
	b.w.attempts++
	b.whole = false
	items := b.next
	entered := b.w.enter(len(items), b.cost(len(items)))
	began := clock.Now()
	result, err := b.fn(ctx, items)
	b.last = result
	now := clock.Now()
	held := b.w.call.heldFor(now)
	took := now - began - held
	var partial *PartialError
	switch {
	case err == nil && len(result) != len(items):
		err = &countError{got: len(result), want: len(items)}
	case err == nil:
		b.whole = true
		b.keep(result, nil)
	case errors.As(err, &partial) && partial.within(len(items), len(result)):
		b.keep(result, partial)
	case answer.TooLarge(err) && len(items) > 1:
		err = &tooLargeError{err}
	}
	b.tell(len(items), took, err)
	b.w.leave(entered, len(items), err)
	return err
}

// given returns the items of the next call.
func (b *batches[T, R]) given() []T {
	if b.open == nil {
		// The capacity ends with the batch: an append by fn cannot reach the next one.
		return b.items[b.span.Lo:b.span.Hi:b.span.Hi]
	}
	items := make([]T, len(b.open))
	for i, at := range b.open {
		items[i] = b.items[at]
	}
	return items
}

// keep stores the results of a call, except for the items that failed: those remain for
// the next call.
func (b *batches[T, R]) keep(result []R, partial *PartialError) {
	if partial == nil && b.open == nil && b.kept.past == nil {
		copy(b.out[b.span.Lo:b.span.Hi], result)
		return
	}
	var open []int
	var errs []error
	for i := range result {
		at := b.span.Lo + i
		if b.open != nil {
			at = b.open[i]
		}
		if partial != nil {
			if err, failed := partial.Failed[i]; failed {
				open, errs = append(open, at), append(errs, err)
				continue
			}
		}
		b.out[b.kept.past.number(at)] = result[i]
	}
	if partial == nil && b.open == nil {
		return
	}
	b.open, b.errs = open, errs
	b.next = b.given()
}

// tell tells the sizer the outcome of a call.
func (b *batches[T, R]) tell(items int, took time.Duration, err error) {
	switch {
	case b.sizer == nil:
	case err == nil:
		b.sizer.Succeeded(items, took)
	default:
		if _, _, notMade := answer.NotMade(err); !notMade {
			var partial *PartialError
			if !errors.As(err, &partial) {
				b.sizer.Failed(items, answer.TooLarge(err))
			}
		}
	}
}

// cost returns what a call costs, relative to one of the settled size.
func (b *batches[T, R]) cost(items int) float64 {
	if b.sizer == nil {
		return 1
	}
	return b.sizer.Cost(items)
}
