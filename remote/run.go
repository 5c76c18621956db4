package remote

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/amorsize/amorsize/remote/internal/chunking"
	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// Handle is a run with any type of results, as [Cluster.Run] returns it by its name, in any process.
type Handle struct {
	cluster *Cluster
	id      string
	key     string // of this run: a new run of the same name has another key
}

// Run is a run whose results are known to be of type R.
type Run[R any] struct {
	Handle
	out Codec[R]
}

// States of a run.
const (
	Submitting = "submitting" // not all of its items are submitted
	Running    = "running"
	Paused     = "paused"
	Canceled   = "canceled"
	Complete   = "complete" // every item has an outcome
)

// Info is the progress of a run.
type Info struct {
	ID       string
	Function string
	State    string
	Items    int64 // submitted so far
	Done     int64 // have an outcome
	Failed   int64 // of those
	Chunks   int64 // not done
	Created  time.Time
	Finished time.Time // when it was seen to be complete; zero before
	Problem  string    // why a worker does not work it, such as other types of the function
}

// Run returns the run of that name, or [ErrNoRun].
func (c *Cluster) Run(ctx context.Context, id string) (*Handle, error) {
	run, err := c.store.Find(ctx, id)
	if err != nil {
		return nil, &RunError{id, err}
	}
	return &Handle{c, id, run.Key}, nil
}

// Runs returns all runs, the newest first.
func (c *Cluster) Runs(ctx context.Context) ([]Info, error) {
	runs, err := c.store.Runs(ctx, false)
	if err != nil {
		return nil, failed("runs", err)
	}
	all := make([]Info, 0, len(runs))
	for _, r := range runs {
		info, err := c.info(ctx, r)
		if err != nil {
			return nil, failed("runs", err)
		}
		all = append(all, info)
	}
	return all, nil
}

// Attach returns the run of that name, of this function: [ErrNoRun], or [ErrOtherTypes] if it is another
// function's.
func (f *Func[T, R]) Attach(ctx context.Context, cluster *Cluster, id string) (*Run[R], error) {
	if f.invalid != nil {
		return nil, f.invalid
	}
	run, err := cluster.store.Find(ctx, id)
	if err != nil {
		return nil, &RunError{id, err}
	}
	if run.Function != f.id || run.Signature != f.signature() {
		return nil, &RunError{id, fmt.Errorf("%w: it was submitted for %s with %s, and this is %s with %s", ErrOtherTypes, run.Function, run.Signature, f.id, f.signature())}
	}
	return &Run[R]{Handle{cluster, id, run.Key}, f.out}, nil
}

// ID returns the run's name.
func (h *Handle) ID() string { return h.id }

// Info returns the progress of the run. It counts: with millions of items that takes the database some tens of
// milliseconds.
func (h *Handle) Info(ctx context.Context) (Info, error) {
	run, err := h.cluster.store.Run(ctx, h.key)
	if err != nil {
		return Info{}, &RunError{h.id, err}
	}
	info, err := h.cluster.info(ctx, run)
	if err != nil {
		return Info{}, &RunError{h.id, err}
	}
	return info, nil
}

func (c *Cluster) info(ctx context.Context, r store.Run) (Info, error) {
	n, err := c.store.Tally(ctx, r.Key)
	info := Info{ID: r.ID, Function: r.Function, State: Running, Items: r.Items, Done: n.Done, Failed: n.Failed, Chunks: n.Chunks,
		Created: r.Created, Finished: r.Finished, Problem: r.Problem}
	switch {
	case r.State == store.RunCanceled:
		info.State = Canceled
	case r.Sealed && n.Chunks == 0:
		info.State = Complete
	case r.State == store.RunPaused:
		info.State = Paused
	case !r.Sealed:
		info.State = Submitting
	}
	return info, err
}

// Pause stops workers from beginning further chunks of the run. Resume undoes that.
func (h *Handle) Pause(ctx context.Context) error { return h.state(ctx, store.RunPaused) }

// Resume makes workers continue a paused run.
func (h *Handle) Resume(ctx context.Context) error { return h.state(ctx, store.RunOpen) }

// Cancel ends the run for good: items that have not begun never will, and results of items in flight are not kept.
// Earlier results stay.
func (h *Handle) Cancel(ctx context.Context) error { return h.state(ctx, store.RunCanceled) }

func (h *Handle) state(ctx context.Context, state string) error {
	if err := h.cluster.store.SetState(ctx, h.key, state); err != nil {
		return &RunError{h.id, err}
	}
	h.cluster.news.tell()
	return nil
}

// Remove deletes the whole run, and cancels it first if it is not complete. It deletes a bounded number of rows at
// a time, so that workers are not delayed.
func (h *Handle) Remove(ctx context.Context) error {
	if err := h.cluster.store.Remove(ctx, h.key); err != nil {
		return &RunError{h.id, err}
	}
	return nil
}

// Prune removes the runs that were complete or canceled before a time, and returns their names.
func (c *Cluster) Prune(ctx context.Context, before time.Time) (removed []string, err error) {
	runs, err := c.store.Runs(ctx, false)
	if err != nil {
		return nil, failed("prune", err)
	}
	for _, r := range runs {
		over := r.State == store.RunCanceled && r.Created.Before(before) || !r.Finished.IsZero() && r.Finished.Before(before)
		if !over {
			continue
		}
		if err := c.store.Remove(ctx, r.Key); err != nil {
			return removed, &RunError{r.ID, err}
		}
		removed = append(removed, r.ID)
	}
	return removed, nil
}

// Wait returns when every item has an outcome, with the number of failures. It returns earlier with [ErrCanceled]
// if the run was canceled, or when ctx ends. It needs no worker in this process, but if there is none anywhere it
// waits for one. While it waits it looks for workers that have died.
func (h *Handle) Wait(ctx context.Context) (Info, error) {
	wait := h.cluster.lookout()
	for {
		news := h.cluster.news.wait()
		complete, err := h.cluster.store.Finish(ctx, h.key)
		if errors.Is(err, store.ErrNoRun) || ctx.Err() != nil {
			return Info{}, &RunError{h.id, cmpErr(context.Cause(ctx), err)}
		}
		if complete {
			return h.Info(ctx)
		}
		if err == nil {
			if run, err := h.cluster.store.Run(ctx, h.key); err == nil && run.State == store.RunCanceled {
				return Info{}, &RunError{h.id, ErrCanceled}
			}
		}
		wait.next(ctx, news, err != nil)
	}
}

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// Failure is an item that failed.
type Failure struct {
	Index    int
	Attempts int
	Error    string
	Item     []byte // encoded
	At       time.Time
}

// Failures yields the items that have failed so far, in order: the run's dead letters. An error ends it.
func (h *Handle) Failures(ctx context.Context) iter.Seq2[Failure, error] {
	return func(yield func(Failure, error) bool) {
		const page = 500
		for from := int64(0); ; {
			failures, err := h.cluster.store.Failures(ctx, h.key, from, store.Failed, page)
			if err != nil {
				yield(Failure{}, &RunError{h.id, err})
				return
			}
			for _, f := range failures {
				if !yield(Failure{int(f.Item), f.Attempts, f.Error, f.Payload, f.At}, nil) {
					return
				}
				from = f.Item + 1
			}
			if len(failures) < page {
				return
			}
		}
	}
}

// RetryFailed runs the failed items again, and returns how many there are. Their results replace the failures:
// loops over results that reach such an item from now on wait for it.
func (h *Handle) RetryFailed(ctx context.Context) (items int, err error) {
	items, err = h.cluster.store.Retry(ctx, h.key, func(key string, round int, failures []store.Failure) []store.Chunk {
		var chunks []store.Chunk
		for len(failures) > 0 {
			n := min(len(failures), chunking.Probe)
			c := store.Chunk{Key: store.Key{Run: key, Round: round, Start: failures[0].Item}, Count: n}
			for _, f := range failures[:n] {
				c.Items = frame.Append(c.Items, store.Indexed(f.Item, f.Payload))
			}
			chunks = append(chunks, c)
			failures = failures[n:]
		}
		return chunks
	})
	if err != nil {
		return items, &RunError{h.id, err}
	}
	h.cluster.news.tell()
	return items, nil
}
