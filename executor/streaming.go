package executor

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// streaming runs the items of a stream for one worker, each through a chain of
// policies.
//
// A claim may be shortened while it is being run: if one of its items turns out slow, the
// results before it are handed over, and the items after it are left to other workers.
// Worker and supervisor synchronize as in the THE protocol of Cilk (Frigo, Leiserson and
// Randall, PLDI 1998): the worker publishes which item it begins and then looks at the
// end; the supervisor moves the end and then looks at the item.
type streaming[T, R any] struct {
	*stream[T, R]
	chain func(context.Context) error
	w     *worker // whose item is being run
	kept  kept[T, R]
	cell  *Result[T, R] // the item being run, and its result

	at       atomic.Int64 // the item being run, of a claim of several
	end      atomic.Int64 // of the claim
	expected atomic.Int64 // nanoseconds per item
	_        [40]byte     // at is written for every item: keep it on its own cache line

	// Of the claim. Guarded by the stream's mu while the claim can be shortened.
	lo, told int            // its first item, and the first that was not handed over
	since    time.Duration  // when item told was begun
	mine     []Result[T, R] // its results
}

func newStreaming[T, R any](s *stream[T, R]) *streaming[T, R] {
	r := &streaming[T, R]{stream: s, kept: kept[T, R]{s.fn.Keeper, s.cfg.past}}
	r.chain = chain(bind(s.cfg.Policies, r.current), r.call)
	return r
}

// current returns the item being run, and its result, for policies that look at them.
func (r *streaming[T, R]) current() (*T, *R) { return &r.cell.Item, &r.cell.Value }

func (r *streaming[T, R]) fork() runner               { return newStreaming(r.stream) }
func (r *streaming[T, R]) usesContext() bool          { return true }
func (r *streaming[T, R]) tellsAttempts() bool        { return true }
func (r *streaming[T, R]) failed(at int, _ span) span { return span{Lo: at, Hi: at + 1} }

// call is the innermost link: one attempt at the current item.
func (r *streaming[T, R]) call(ctx context.Context) (err error) {
	r.w.attempts++
	entered := r.w.enter(1, 1)
	if r.fn.Plain != nil {
		r.cell.Value, err = r.fn.Plain(r.cell.Item)
	} else {
		r.cell.Value, err = r.fn.Context(ctx, r.cell.Item)
	}
	r.w.leave(entered, 1, err)
	return err
}

func (r *streaming[T, R]) run(ctx context.Context, w *worker, s span) (err error) {
	w.at, w.returned = s.Lo, false
	if r.kept.keeper != nil {
		defer r.lost(w, s)
	}
	defer w.guard()
	r.begin(w, s)
	defer r.finish(w, s)
	if s.Hi-s.Lo == 1 {
		if !w.interrupted() {
			err = r.runOne(ctx, w, s.Lo)
		}
	} else {
		err = r.runMany(ctx, w, s)
	}
	w.returned = true
	return err
}

// begin prepares for a claim.
func (r *streaming[T, R]) begin(w *worker, s span) {
	several := s.Hi-s.Lo > 1
	if several {
		w.hurry()
		r.mu.Lock()
		defer r.mu.Unlock()
	}
	r.w, r.lo, r.told, r.since = w, s.Lo, s.Lo, clock.Now()
	if cap(r.mine) < s.Hi-s.Lo {
		r.mine = make([]Result[T, R], s.Hi-s.Lo)
	}
	r.mine = r.mine[:cap(r.mine)]
	if several {
		r.at.Store(int64(s.Lo))
		r.end.Store(int64(s.Hi))
	}
}

// finish hands over the completed results of the claim, also after a panic or a Goexit,
// and records where the claim finally ended.
func (r *streaming[T, R]) finish(w *worker, s span) {
	now := clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Hi-s.Lo > 1 {
		w.to = int(r.end.Load())
		r.at.Store(int64(w.to)) // nothing more can be taken from it
	}
	if n := w.at - r.told; n > 0 {
		r.handOver(w.at, (now-r.since)/time.Duration(n))
	}
}

// handOver hands over the items up to hi; items not timed one by one took share each. mu
// is held.
func (r *streaming[T, R]) handOver(hi int, share time.Duration) {
	mine := r.mine[r.told-r.lo : hi-r.lo]
	for i := range mine {
		if mine[i].Duration == 0 {
			mine[i].Duration = share
		}
	}
	r.results = append(r.results, mine...)
	clear(mine) // don't keep alive what the loop may drop
	if !r.cfg.Unordered {
		r.ranges = append(r.ranges, span{Lo: r.told, Hi: hi})
		r.ring.clear(r.told, hi)
	}
	r.told = hi
	r.wake()
}

// shorten ends the claim after the current item, if that item is stuck, and returns the
// rest of the claim. Completed results are handed over.
func (r *streaming[T, R]) shorten() (rest span) {
	now := clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	at, end := r.at.Load(), r.end.Load()
	if at >= end {
		return span{}
	}
	if !r.cut(at, end) {
		return span{}
	}
	if n := int(at) - r.told; n > 0 {
		// The stuck item has taken most of the time.
		r.handOver(int(at), time.Duration(min(r.expected.Load(), int64(now-r.since)/int64(n))))
	}
	return span{Lo: int(at) + 1, Hi: int(end)}
}

// cut has the claim end behind item at, unless the worker has moved on since it was seen there. mu
// is held.
func (r *streaming[T, R]) cut(at, end int64) bool {
	r.end.Store(at + 1)
	if r.at.Load() == at {
		return true
	}
	r.end.Store(end) // the worker learns of the end only with mu
	return false
}

// reaches publishes that item i is begun, and reports whether it still belongs to the
// claim.
func (r *streaming[T, R]) reaches(i int) bool {
	r.at.Store(int64(i))
	if i < int(r.end.Load()) {
		return true
	}
	r.mu.Lock() // a shortening may be being undone
	defer r.mu.Unlock()
	return i < int(r.end.Load())
}

// open makes item i the current one. With unordered results its place in the ring is free
// from here on, so that a slow item occupies none.
func (r *streaming[T, R]) open(i int) {
	at := r.ring.at(i)
	r.cell = &r.mine[i-r.lo]
	r.cell.Index, r.cell.Item = i, *at
	if !r.cfg.Unordered {
		return
	}
	*at = *new(T)
	if r.ring.block(i).unread.Add(-1) == 0 {
		r.arrivals.MakeRoom()
	}
}

// timedFrom is how long an item in a claim of several must take to be timed individually:
// two clock readings are then 1.5 % of it.
const timedFrom = 5 * time.Microsecond

// runMany runs a claim of several items.
func (r *streaming[T, R]) runMany(ctx context.Context, w *worker, s span) (err error) {
	r.expected.Store(int64(w.itemNanos))
	known := w.itemNanos > 0 || r.cfg.ChunkSize == 0 // then only cheap items are claimed together
	if len(r.cfg.Policies) == 0 && r.kept.keeper == nil && known && w.itemNanos < float64(timedFrom) {
		return r.runCheap(ctx, w, s)
	}
	i := s.Lo
	for ; r.reaches(i); i++ {
		w.at = i
		if w.interrupted() {
			return nil
		}
		if err = r.runOne(ctx, w, i); err != nil {
			return err
		}
	}
	w.at = i
	return nil
}

// runCheap is runMany without policies, for items so cheap that any work besides the call
// would be noticeable.
func (r *streaming[T, R]) runCheap(ctx context.Context, w *worker, s span) (err error) {
	from, failed := s.Lo, 0
	defer func() { w.called += max(0, w.at-s.Lo-failed) }() // also if a panic ends the claim
	if w.tracker != nil {
		w.enterAttempt(r.since, s.Len(), float64(s.Len()))
		defer func() { w.leaveAttempt(clock.Now(), max(0, w.at-from), nil) }()
	}
	i := s.Lo
	for ; r.reaches(i); i++ {
		w.at = i
		if w.interrupted() {
			return nil
		}
		r.open(i)
		w.attempts = 1
		if r.fn.Plain != nil {
			r.cell.Value, err = r.fn.Plain(r.cell.Item)
		} else {
			r.cell.Value, err = r.fn.Context(ctx, r.cell.Item)
		}
		if err == nil {
			continue
		}
		if w.tracker != nil {
			w.leaveAttempt(clock.Now(), i+1-from, err)
			from = i + 1
			w.enterAttempt(clock.Now(), s.Hi-from, float64(s.Hi-from))
		}
		if !isContextError(ctx, err) {
			w.tally.ended(1, err)
		}
		if !r.survives(ctx, w, err) {
			return err
		}
		failed++
	}
	w.at = i
	return nil
}

// runOne runs item i through the policies and times it.
func (r *streaming[T, R]) runOne(ctx context.Context, w *worker, i int) error {
	r.open(i)
	w.attempts = 0
	began := w.beginPoliced()
	if began == 0 {
		began = clock.Now()
	}
	err := r.chain(ctx)
	w.policed.end(began)
	r.cell.Duration = clock.Now() - began
	if r.kept.keeper != nil && (err == nil || ctx.Err() == nil) {
		r.keep(i, err)
	}
	w.uncalled(1, err)
	if err != nil && !r.survives(ctx, w, err) {
		return err
	}
	if w.at = i + 1; w.unkept != nil {
		return errUnkept
	}
	return nil
}
