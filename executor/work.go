package executor

import (
	"errors"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// What a worker does: claim after claim, as long as there are items for it.

// work is what a helper does, in its own goroutine. It records panics that did not come from
// the function, and a Goexit.
func (r *run) work(w *worker) {
	defer func() {
		if v := recover(); v != nil {
			r.outcome.panics(asPanic(v), span{})
		} else if !w.returned && w.size.Load() > 0 {
			r.goexit(w)
		}
		r.sharing.part(w)
	}()
	r.cfg.labels.enter()
	r.claimAll(w)
}

// claimAll claims and runs items until there are none left for w.
func (r *run) claimAll(w *worker) {
	now, ok := clock.Now(), true
	claim := func() bool {
		now, ok = r.claim(w, now)
		return ok
	}
	r.scheduler.share.measure(w, claim)
	for ok {
		now, ok = r.claim(w, now)
	}
}

// claim claims items for w and runs them, if there are any for it. It takes and
// returns the time: one reading of the clock ends a claim and begins the next.
func (r *run) claim(w *worker, now time.Duration) (end time.Duration, ok bool) {
	if !w.working || r.over.Load() || r.surplus(w) {
		return now, false
	}
	if r.crew.running.Load() <= 1 {
		r.room.lookAlone(now, &r.scheduler.pacer)
	}
	workers := int(r.crew.limit.Load())
	s, waited, ok := r.source.Take(r.claimSize(w, workers), workers)
	if !ok {
		return now, false
	}
	if r.over.Load() { // since then: the items may have been returned by a worker whose call was already made
		r.source.Return(s)
		return now, false
	}
	if waited {
		now = clock.Now()
		if r.crew.running.Load() > r.crew.limit.Load() { // the limit has fallen since
			r.source.Return(s) // before leaving: a worker must remain to run it
			return now, true
		}
	}
	if r.scheduler.waits() {
		if now, ok = r.beginWaiting(w, now); !ok {
			r.source.Return(s)
			return now, false
		}
	}
	w.claimed, w.heldBack, w.keeping = s, 0, 0
	w.begin(r.scheduler.epoch.number.Load(), s.Len(), now)
	if r.scheduler.waits() { // calls may just have been found to be I/O-bound
		r.watchAttempts(w)
	}
	done := r.followUp(w, s, r.runClaim(w, s, now))
	w.did()
	now = r.finishClaim(w, now, done)
	r.sharing.giveTurn(w)
	return now, true
}

// surplus removes w if there are more workers than the limit. The caller leaves as well if
// calls are I/O-bound: all other workers may be stuck in long calls, and then the limit would
// not hold. If calls are CPU-bound, their claims are short, and a helper in the caller's
// place would only cost more.
func (r *run) surplus(w *worker) bool {
	if w == r.caller && !r.scheduler.waits() || !r.crew.retire(w) {
		return false
	}
	r.sharing.part(w)
	return true
}

// claimSize returns how many items w should claim, as one of workers.
func (r *run) claimSize(w *worker, workers int) int {
	size := r.scheduler.sizer.Size(w.itemNanos, r.source.Left(), workers)
	if r.batches != nil && r.cfg.ChunkSize == 0 {
		size = r.room.fit(size, workers)
	}
	return size
}

// beginWaiting prepares for a claim of I/O-bound calls: the tracker is told of the attempts
// of w from here on, and if other runs make such calls, w waits for its turn. ok is false if
// the run ends first.
func (r *run) beginWaiting(w *worker, now time.Duration) (later time.Duration, ok bool) {
	r.watchAttempts(w)
	if !r.sharing.inTurn() {
		return now, true
	}
	if !r.sharing.takeTurn(w) {
		return now, false
	}
	return clock.Now(), true
}

// watchAttempts starts telling the tracker of the attempts of w.
func (r *run) watchAttempts(w *worker) {
	if w.tracker == nil {
		w.watch(r.sharing.tracker, r.ctx)
		w.call.watch(r.sharing.tracker, &w.attempt, &r.scheduler.pacer)
	}
}

// runClaim runs s. If calls are I/O-bound, the tracker is told: by the runner, if a claim is
// not one attempt.
func (r *run) runClaim(w *worker, s span, now time.Duration) error {
	w.to = s.Hi
	defer r.cfg.labels.claim()()
	ctx := w.context(r.ctx)
	if r.runner.tellsAttempts() {
		err := w.runner.run(ctx, w, s)
		if held := w.call.settle(); w.tracker == nil { // otherwise waits for policies don't count for the claim
			w.heldBack += held
		}
		w.dropAttempt() // of a call that panicked
		return err
	}
	w.enterAttempt(now, s.Len(), float64(s.Len()))
	err := w.runner.run(ctx, w, s)
	w.called += w.at - s.Lo
	w.heldBack += w.call.settle()
	if w.tracker != nil {
		ran := w.at - s.Lo
		if err != nil && !isContextError(r.ctx, err) {
			ran++ // the item that failed
		}
		w.leaveAttempt(clock.Now(), ran, err)
	}
	return err
}

// finishClaim accounts for a claim of w of which items were run.
func (r *run) finishClaim(w *worker, began time.Duration, items int) (now time.Duration) {
	now = clock.Now()
	took := now - began - w.keeping // the keeper's time is not the items' time, and does not mean that they wait
	counts := w.end(r.scheduler.epoch.number.Load(), items, took, w.heldBack)
	w.tellCalls(items, took-w.heldBack)
	if items > 0 {
		r.room.ended.Add(int64(items))
		r.scheduler.sizer.Record(items, took)
		r.events.chunk(items, took)
	}
	r.scheduler.reviewed(now, counts)
	return now
}

// followUp takes the outcome of running s, handles items that failed, and runs the rest of s.
// It returns how many were run.
func (r *run) followUp(w *worker, s span, err error) int {
	first := s.Lo
	s = w.endOf(s)
	for w.at < s.Hi || err != nil || w.panicked != nil || !w.returned {
		lost, more := r.settle(w, s, err)
		if !more {
			return lost.Hi - first
		}
		if s.Lo = lost.Hi; s.Len() == 0 {
			break
		}
		err = r.runClaim(w, s, clock.Now())
		s = w.endOf(s)
	}
	return s.Hi - first
}

// settle handles a span that was not completed: an item failed, panicked or was cut off, or w
// was signalled. It returns the items that are lost, and whether w continues with the items
// after them.
func (r *run) settle(w *worker, s span, err error) (lost span, more bool) {
	lost = span{Lo: w.at, Hi: w.at}
	r.noteFaults(w)
	switch {
	case w.panicked != nil || !w.returned: // the latter is a panic(nil) under GODEBUG=panicnil=1
		lost = w.runner.failed(w.at, s)
		w.panickedCalls(lost.Len())
		r.outcome.panics(w.panicked, lost)
		w.returned = true
	case err == nil && w.signal.Load() == goOn: // the caller's context has ended
		r.outcome.halt()
	case err == nil: // signalled
	case isContextError(r.ctx, err): // it only says that the run has ended
		r.outcome.halt() // at once: the item must not be returned and run again
	default:
		if !errors.Is(err, errParts) && !errors.Is(err, errUnkept) {
			lost = w.runner.failed(w.at, s)
			w.failedClaim(err)
			r.outcome.fail(w.runner.fail(w, lost, err), lost)
		}
		if r.cfg.Errors == Collect && !r.over.Load() {
			return lost, true
		}
	}
	w.signal.CompareAndSwap(split, goOn)
	r.source.Return(span{Lo: lost.Hi, Hi: s.Hi}) // if the run has ended, nothing claims it
	return lost, false
}

// noteFaults records what failed within a range.
func (r *run) noteFaults(w *worker) {
	for _, f := range w.faults {
		r.outcome.fail(f.err, f.span)
	}
	w.faults = w.faults[:0]
	if w.unkept != nil {
		r.outcome.lose(w.unkept)
	}
}

// goexit records that fn ended the goroutine of w within a claim.
func (r *run) goexit(w *worker) {
	r.noteFaults(w)
	w.did()
	lost := w.runner.failed(w.at, w.claimed)
	if !w.runner.tellsAttempts() {
		w.called += w.at - w.claimed.Lo
	}
	w.tally.ended(lost.Len(), ErrGoexit)
	r.outcome.fail(r.runner.fail(w, lost, ErrGoexit), lost)
	r.source.Return(span{Lo: lost.Hi, Hi: w.endOf(w.claimed).Hi})
	ran, took := lost.Hi-w.claimed.Lo, clock.Now()-time.Duration(w.began.Load())
	w.end(-1, ran, took, 0)
	w.tellCalls(ran, took)
	r.events.chunk(ran, took)
}
