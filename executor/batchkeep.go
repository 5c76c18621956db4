package executor

import (
	"context"
	"slices"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// What a keeper is told about batches: the outcome of each single item.

// keepPart passes on the outcomes of the items of the part, which has ended with err. Items
// that an attempt completed are done, even if the part failed. Failures after the end of the
// run are not passed on.
func (b *batches[T, R]) keepPart(ctx context.Context, since time.Duration, err error) {
	if b.kept.keeper == nil {
		return
	}
	ended := clock.Now()
	share := (ended - since) / time.Duration(b.span.Len())
	failed := b.failures(err)
	for at := b.span.Lo; at < b.span.Hi; at++ {
		now := Outcome[R]{Attempts: b.w.attempts, Took: share, Err: failed(at)}
		switch {
		case now.Err == nil:
			now.Value = b.out[b.kept.past.number(at)]
		case ctx.Err() != nil:
			continue
		}
		b.kept.keep(b.w, at, b.items[at], now, ended)
		ended = clock.Now()
	}
}

// failures returns a function that says why an item failed. It must be called for the items of
// the part in order.
func (b *batches[T, R]) failures(err error) func(at int) error {
	if err == nil {
		return func(int) error { return nil }
	}
	if b.open == nil {
		return func(int) error { return err }
	}
	i := 0
	return func(at int) error {
		if i == len(b.open) || b.open[i] != at {
			return nil
		}
		i++
		return b.causeOf(i-1, err)
	}
}

// lost passes on the outcomes of the items of a part that panicked, or ended its goroutine.
func (b *batches[T, R]) lost(w *worker) {
	err := w.ended()
	if err == nil || w.at >= b.span.Hi {
		return
	}
	for at := b.span.Lo; at < b.span.Hi; at++ {
		now := Outcome[R]{Err: err, Attempts: w.attempts}
		if b.open != nil && !slices.Contains(b.open, at) { // an attempt completed it
			now.Value, now.Err = b.out[b.kept.past.number(at)], nil
		}
		b.kept.keep(w, at, b.items[at], now, clock.Now())
	}
}
