package executor

import (
	"errors"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// What a worker does: claim after claim, as long as there is one for it.

// work is what a helper does, in a goroutine of its own: it takes note of panics that did
// not come from the function, and of a Goexit.
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
	if r.over.Load() { // meanwhile: it may have been handed back by one whose call was made
		r.source.Return(s)
		return now, false
	}
	if waited {
		now = clock.Now()
		if r.crew.running.Load() > r.crew.limit.Load() { // meanwhile the limit has fallen
			r.source.Return(s) // before anybody leaves: someone must be there to run it
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
	if r.scheduler.waits() { // it may have been found just now
		r.watchAttempts(w)
	}
	done := r.followUp(w, s, r.runClaim(w, s, now))
	w.did()
	now = r.finishClaim(w, now, done)
	r.sharing.giveTurn(w)
	return now, true
}

// surplus counts w out if there are more workers than the limit. The caller leaves as well
// where calls wait: it may be all the others that are stuck in long ones, and then the limit
// would not hold. Where they compute, their claims are short, and a helper in its place would
// only cost more.
func (r *run) surplus(w *worker) bool {
	if w == r.caller && !r.scheduler.waits() || !r.crew.retire(w) {
		return false
	}
	r.sharing.part(w)
	return true
}

// claimSize returns how many items w should claim, as one of so many workers.
func (r *run) claimSize(w *worker, workers int) int {
	size := r.scheduler.sizer.Size(w.itemNanos, r.source.Left(), workers)
	if r.batches != nil && r.cfg.ChunkSize == 0 {
		size = r.room.fit(size, workers)
	}
	return size
}

// beginWaiting prepares for a claim of calls that wait: the attempts of w are told from here
// on, and if others make such calls, it waits for its turn. ok is false if the run is over
// before.
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

// watchAttempts has the attempts of w told from here on.
func (r *run) watchAttempts(w *worker) {
	if w.tracker == nil {
		w.watch(r.sharing.tracker, r.ctx)
		w.call.watch(r.sharing.tracker, &w.attempt, &r.scheduler.pacer)
	}
}

// runClaim runs s. Where calls wait, the tracker is told: by the runner, if a claim is not
// one attempt.
func (r *run) runClaim(w *worker, s span, now time.Duration) error {
	w.to = s.Hi
	defer r.cfg.labels.claim()()
	ctx := w.context(r.ctx)
	if r.runner.tellsAttempts() {
		err := w.runner.run(ctx, w, s)
		if held := w.call.settle(); w.tracker == nil { // else what policies took is not the claim's
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
	took := now - began - w.keeping // that is neither the items' time, nor says that they wait
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

// followUp takes what running s has come to, sees to items that failed, and
// runs what is left of s. It returns how many were run.
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

// settle sees to a span that was not completed: an item failed, panicked or
// was cut off, or w was signalled. It returns the items that are lost, and
// whether w goes on with those behind them.
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
	case isContextError(r.ctx, err): // the run is over, and that is all this says
		r.outcome.halt() // here and now: the item must not be handed back and run again
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
	r.source.Return(span{Lo: lost.Hi, Hi: s.Hi}) // if the run is over, nobody takes it
	return lost, false
}

// noteFaults takes note of what failed within a range.
func (r *run) noteFaults(w *worker) {
	for _, f := range w.faults {
		r.outcome.fail(f.err, f.span)
	}
	w.faults = w.faults[:0]
	if w.unkept != nil {
		r.outcome.lose(w.unkept)
	}
}

// goexit takes note that fn ended the goroutine of w in the midst of a claim.
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
	defer r.outcome.catch()
	r.events.chunk(ran, took)
}
