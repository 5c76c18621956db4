package remote

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// FailedError says how many items of [Func.Execute] failed; it also wraps the first of their errors.
type FailedError struct {
	Run    string
	Failed int
	First  error // an [*ItemError]
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("remote: run %s: %d items failed, the first: %v", e.Run, e.Failed, e.First)
}

// Unwrap returns the first item's error.
func (e *FailedError) Unwrap() error { return e.First }

// Execute submits items, works them in this process and in all other workers of the cluster, and returns the
// results in order, like the in-process call. Failed items have a zero value, and cause a [*FailedError].
//
// With a [RunID] it continues where an earlier call ended, and the run's rows stay; without, they are removed at
// the end. On one machine it cannot be faster than [amorsize.Execute]: an item costs some microseconds on its way
// through the database.
func (f *Func[T, R]) Execute(ctx context.Context, cluster *Cluster, items []T, opts ...SubmitOption) ([]R, error) {
	how := submitting{}
	for _, opt := range opts {
		opt(&how)
	}
	keep := how.id != ""
	if err := how.validate(); err != nil {
		return nil, err
	}
	if f.invalid != nil {
		return nil, f.invalid
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var worker sync.WaitGroup
	worker.Go(func() {
		if err := (Worker{only: how.id}).Work(working, cluster); err != nil {
			stop(err)
		}
	})
	out, err := f.through(working, cluster, items, append(slices.Clone(opts), RunID(how.id), Total(len(items))))
	if problem := context.Cause(working); err != nil && problem != nil {
		err = problem // the worker's error, or why ctx ended
	}
	stop(nil)
	worker.Wait()
	if !keep && ctx.Err() == nil {
		if run, is := cluster.Run(ctx, how.id); is == nil {
			err = cmpErr(err, run.Remove(ctx))
		}
	}
	return out, err
}

// through submits items and gathers their results.
func (f *Func[T, R]) through(ctx context.Context, cluster *Cluster, items []T, opts []SubmitOption) ([]R, error) {
	run, err := f.Submit(ctx, cluster, slices.Values(items), opts...)
	if err != nil {
		return nil, err
	}
	return gather(ctx, run, len(items))
}

func gather[R any](ctx context.Context, run *Run[R], items int) ([]R, error) {
	out := make([]R, items)
	var failed *FailedError
	for r := range run.Results(ctx) {
		switch {
		case r.Index < 0:
			return out, r.Err
		case r.Err == nil:
			out[r.Index] = r.Value
		case failed == nil:
			failed = &FailedError{Run: run.id, Failed: 1, First: r.Err}
		default:
			failed.Failed++
		}
	}
	if failed != nil {
		return out, failed
	}
	return out, nil
}
