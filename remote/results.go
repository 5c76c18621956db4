package remote

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// Result is the outcome of an item: Value, or Err, which is an [*ItemError]. With Index -1, Err is why there are
// no further results.
type Result[R any] struct {
	Index int
	Value R
	Err   error
}

// Results yields the outcomes of the items, in order, as they come. It may be called from any process and any
// number of times. It ends with the run. If ctx ends, or the run is canceled, the last result says so with Index
// -1.
//
// While the database is away it waits.
func (r *Run[R]) Results(ctx context.Context) iter.Seq[Result[R]] { return r.ResultsFrom(ctx, 0) }

// ResultsFrom is [Run.Results], starting at an item.
func (r *Run[R]) ResultsFrom(ctx context.Context, index int) iter.Seq[Result[R]] {
	return r.results(ctx, index, true)
}

// Unordered yields the outcomes of the items in no particular order, about the order in which they end: for a run
// whose slowest item should not delay the others.
func (r *Run[R]) Unordered(ctx context.Context) iter.Seq[Result[R]] { return r.results(ctx, 0, false) }

func (r *Run[R]) results(ctx context.Context, from int, ordered bool) iter.Seq[Result[R]] {
	return func(yield func(Result[R]) bool) {
		decoded(ctx, &r.Handle, r.out, int64(max(from, 0)), ordered, yield)
	}
}

// RawResults yields encoded results, in order: for programs that do not know the run's function.
func (h *Handle) RawResults(ctx context.Context) iter.Seq[Result[[]byte]] {
	return func(yield func(Result[[]byte]) bool) {
		asTheyAre := Codec[[]byte]{
			Decode:    func(data []byte) ([]byte, error) { return data, nil },
			DecodeAll: func(all [][]byte) ([][]byte, error) { return all, nil },
		}
		decoded(ctx, h, asTheyAre, 0, true, yield)
	}
}

// decoded yields results from an item on.
func decoded[R any](ctx context.Context, h *Handle, out Codec[R], from int64, ordered bool, yield func(Result[R]) bool) {
	h.each(ctx, from, ordered, func(o outcomes, from int64) bool {
		values, wrong := out.all(o.data)
		for i, value := range values {
			r := Result[R]{Index: int(o.start) + i, Value: value}
			if f := o.failed[i]; f != nil {
				r = Result[R]{Index: r.Index, Err: h.itemError(f)}
			} else if err := wrong[i]; err != nil {
				r = Result[R]{Index: r.Index, Err: &RunError{h.id, fmt.Errorf("the result of item %d: %w", r.Index, err)}}
			}
			if int64(r.Index) >= from && !yield(r) {
				return false
			}
		}
		return true
	}, func(err error) { yield(Result[R]{Index: -1, Err: err}) })
}

func (h *Handle) itemError(f *store.Failure) error {
	return &ItemError{Run: h.id, Index: int(f.Item), Attempts: f.Attempts, Message: f.Error}
}

// outcomes are those of a chunk: the encoded results, "null" for an item that failed.
type outcomes struct {
	start  int64
	data   [][]byte
	failed map[int]*store.Failure
}

// visit receives outcomes, of which those before an item are not wanted, and returns false to stop.
type visit func(o outcomes, from int64) bool

// page bounds how many chunks' results are in memory.
const page = 16

// each visits outcomes until the run has ended, and calls stopped if it ends earlier.
func (h *Handle) each(ctx context.Context, from int64, ordered bool, visit visit, stopped func(error)) {
	wait := h.cluster.lookout()
	seen := &gaps{next: from, from: from, ordered: ordered}
	for {
		news := h.cluster.news.wait()
		found, left, err := h.visitNew(ctx, seen, visit)
		if left {
			return
		}
		if err == nil && found {
			wait.reset()
			continue
		}
		if err == nil {
			var over bool
			if over, err = h.over(ctx, seen); over || errors.Is(err, ErrCanceled) {
				if err != nil {
					stopped(&RunError{h.id, err})
				}
				return
			}
		}
		if ctx.Err() != nil || errors.Is(err, store.ErrNoRun) {
			stopped(&RunError{h.id, cmpErr(context.Cause(ctx), err)})
			return
		}
		wait.next(ctx, news, err != nil)
	}
}

// over says whether all outcomes were visited.
func (h *Handle) over(ctx context.Context, seen *gaps) (bool, error) {
	run, err := h.cluster.store.Run(ctx, h.key)
	if err != nil {
		return false, err
	}
	if run.Sealed && seen.complete(run.Items) {
		_, err := h.cluster.store.Finish(ctx, h.key)
		return err == nil, err
	}
	if run.State == store.RunCanceled {
		return false, ErrCanceled
	}
	return false, nil
}

// visitNew visits outcomes that are available and were not visited.
func (h *Handle) visitNew(ctx context.Context, seen *gaps, visit visit) (found, left bool, err error) {
	for _, span := range seen.spans() {
		results, err := h.cluster.store.Results(ctx, h.key, span, page)
		if err != nil {
			return found, false, err
		}
		for _, r := range results {
			if !seen.takes(r.Start) {
				break
			}
			ok, err := h.visitChunk(ctx, seen, r, visit)
			if err != nil || !ok {
				return found, err == nil, err
			}
			found = true
			seen.add(r.Start, r.Count)
		}
	}
	return found, false, nil
}

// visitChunk visits the outcomes of a chunk.
func (h *Handle) visitChunk(ctx context.Context, seen *gaps, r store.Result, visit visit) (more bool, err error) {
	failures, err := h.failures(ctx, r)
	if err != nil {
		return false, err
	}
	o := outcomes{start: r.Start, data: make([][]byte, r.Count), failed: map[int]*store.Failure{}}
	rest := r.Data
	for i := range o.data {
		var failed bool
		if o.data[i], failed, rest, err = frame.NextOutcome(rest); err != nil {
			return false, err
		}
		if !failed {
			continue
		}
		f := failures[r.Start+int64(i)]
		switch {
		case f == nil:
			return false, fmt.Errorf("item %d failed, but its error is missing", r.Start+int64(i))
		case f.State == store.Mended:
			o.data[i] = f.Value
		default:
			o.data[i], o.failed[i] = nothing, f
		}
	}
	return visit(o, seen.from), nil
}

// nothing replaces the result of an item that failed.
var nothing = []byte("null")

// failures returns the failures of a chunk, once none of its items is being run again.
func (h *Handle) failures(ctx context.Context, r store.Result) (map[int64]*store.Failure, error) {
	if r.Failed == 0 {
		return nil, nil
	}
	wait := h.cluster.lookout()
	for {
		news := h.cluster.news.wait()
		all, err := h.cluster.store.Failures(ctx, h.key, r.Start, "", r.Count)
		if err != nil {
			return nil, err
		}
		found, again := map[int64]*store.Failure{}, false
		for i := range all {
			if f := &all[i]; f.Item < r.Start+int64(r.Count) {
				found[f.Item] = f
				again = again || f.State == store.Again
			}
		}
		if !again {
			return found, nil
		}
		wait.next(ctx, news, false)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// lookout waits for others' changes: news of this process, or a periodic look at the database. While it waits,
// this process also looks for workers that have died.
type lookout struct {
	cluster *Cluster
	pause   time.Duration
	reaped  time.Time
}

func (c *Cluster) lookout() *lookout {
	return &lookout{cluster: c, pause: shortest, reaped: time.Now()}
}

const (
	shortest = 5 * time.Millisecond
	longest  = 250 * time.Millisecond
	away     = 2 * time.Second // while the database is away
)

func (w *lookout) reset() { w.pause = shortest }

func (w *lookout) next(ctx context.Context, news <-chan struct{}, lost bool) {
	most := longest
	if lost {
		most = away
	}
	timer := time.NewTimer(w.pause)
	defer timer.Stop()
	w.pause = min(w.pause*3/2, most)
	select {
	case <-ctx.Done():
	case <-news:
	case <-timer.C:
	}
	if ctx.Err() == nil && time.Since(w.reaped) >= w.cluster.cfg.Heartbeat {
		w.reaped = time.Now()
		w.cluster.reap(ctx)
	}
}
