package remote

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote/internal/store"
	"github.com/amorsize/amorsize/retry"
)

// RegisterBatches is [RegisterContext] for a function that takes many items at once, as [amorsize.ExecuteBatches]
// does: its batches are parts of a chunk. A worker runs its chunks one after the other. The number of batches in
// flight is measured again for each chunk. A batch that fails is a failure of each of its items.
func RegisterBatches[T, R any](name string, fn func(context.Context, []T) ([]R, error), opts ...amorsize.Option) *Func[T, R] {
	f := &Func[T, R]{id: name, batch: fn, opts: opts, in: JSON[T](), out: JSON[R]()}
	if fn != nil {
		// the name, options and codecs are checked with it; it is never called
		f.fn = func(context.Context, T) (r R, err error) { return r, errors.New("remote: a function of batches") }
	}
	f.invalid = f.validate()
	f.invalid = errors.Join(f.invalid, registered.add(f))
	return f
}

// batches is the pipe of a function that takes many items at once.
type batches[T, R any] struct {
	fn     *Func[T, R]
	ctx    context.Context //nolint:containedctx // that of all items, as flow's stream has it
	limits limits
	turn   chan struct{}
	pace   pace
	giving chan struct{}
	given  sync.Once
}

func (b *batches[T, R]) work(ctx context.Context, c store.Chunk) (store.Done, error) {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-b.giving:
		return store.Done{}, errGivenBack
	case <-ctx.Done():
		return store.Done{}, errGivenBack
	}
	l, err := newLoad(b.fn, c)
	if err != nil {
		return store.Done{}, err
	}
	b.pace.begin()
	defer func() { b.pace.end(l.count()) }()
	items := make([]T, l.limit)
	for n := range items {
		items[n] = l.decoded[l.at(n)]
	}
	var report amorsize.Report
	opts := append(b.fn.options(), amorsize.WithReport(&report))
	out, err := amorsize.ExecuteBatches(b.ctx, b.guarded, items, opts...)
	if b.ctx.Err() != nil {
		return store.Done{}, errGivenBack
	}
	b.settle(l, out, &report, err)
	done := l.packed(b.fn, b.limits.resultBytes)
	if rate := b.pace.news(); rate > 0 {
		done.Rate, done.Function = rate, b.fn.id
	}
	return done, nil
}

// guarded turns a panic into the batch's failure.
func (b *batches[T, R]) guarded(ctx context.Context, items []T) (out []R, err error) {
	panicked := true
	out, err = guard(func() ([]R, error) {
		out, err := b.fn.batch(ctx, items)
		panicked = false
		return out, err
	})
	if panicked {
		err = retry.Permanent(err)
	}
	return out, err
}

// settle gives each item of a chunk its result or its error.
func (b *batches[T, R]) settle(l *load[T, R], out []R, report *amorsize.Report, err error) {
	failures := []error{err}
	var many *amorsize.Errors
	if errors.As(err, &many) {
		failures = many.Unwrap()
	}
	for n := range l.limit {
		if report.Valid(n) {
			l.values[l.at(n)] = out[n]
			continue
		}
		l.errs[l.at(n)] = cmpErr(failureOf(failures, n), err)
		if l.errs[l.at(n)] == nil {
			l.errs[l.at(n)] = amorsize.ErrNotRun
		}
	}
	l.fed = l.limit
}

// failureOf finds the failure of an item among those of items and batches.
func failureOf(failures []error, n int) error {
	at := slices.IndexFunc(failures, func(err error) bool {
		var batch *amorsize.BatchError
		if errors.As(err, &batch) {
			return n >= batch.Index && n < batch.Index+batch.Size
		}
		var item *amorsize.ItemError
		return errors.As(err, &item) && item.Index == n
	})
	if at < 0 {
		return nil
	}
	var batch *amorsize.BatchError
	if errors.As(failures[at], &batch) {
		return batch.Err // its index is that in the chunk, which means nothing to the caller
	}
	return failures[at]
}

func (b *batches[T, R]) give()         { b.given.Do(func() { close(b.giving) }) }
func (b *batches[T, R]) close()        {}
func (b *batches[T, R]) ended() bool   { return false }
func (b *batches[T, R]) rate() float64 { return b.pace.rate() }
