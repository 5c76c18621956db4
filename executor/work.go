package executor

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// work claims and runs items until there are none left for w.
func (p *pool) work(w *worker) {
	p.lookClosely(w)
	now := clock.Now()
	for ok := true; ok; {
		now, ok = p.claim(w, now)
	}
}

// claim claims items for w and runs them, if there are any for it. It takes and
// returns the time: one reading of the clock ends a claim and begins the next.
func (p *pool) claim(w *worker, now time.Duration) (end time.Duration, ok bool) {
	if !w.working || p.halted.Load() || p.doomed.Load() || p.surplus(w) {
		return now, false
	}
	p.lookAlone(now)
	workers := int(p.limit.Load())
	size := p.sizer.size(w, p.claims.left(), workers)
	if p.batches != nil && p.cfg.ChunkSize == 0 {
		size = p.memory.fit(size, workers)
	}
	if p.claims.feed != nil {
		size = p.claims.feed.allow(size, workers)
	}
	s, ok := p.claims.take(size)
	if !ok {
		return now, false
	}
	if p.claims.feed != nil { // it may have waited for an item
		now = clock.Now()
		if p.running.Load() > p.limit.Load() { // meanwhile the limit has fallen
			p.claims.giveBack(s) // before anybody leaves: someone must be there to run it
			return now, true
		}
	}
	if p.adapts.Load() && (p.cfg.Session != nil || p.shares && p.gate.crowd.Load() > 1) {
		if !p.takeTurn(w) {
			p.claims.giveBack(s)
			return now, false
		}
		now = clock.Now()
	}
	w.claimed, w.heldBack = s, 0
	w.begin(p.epoch.Load(), s.hi-s.lo, now)
	done := p.followUp(w, s, p.runClaim(w, s, now))
	now = p.finishClaim(w, now, done)
	p.giveTurn(w)
	return now, true
}

// takeTurn waits until the runs that share a limit may make one more call. It is false
// if the run is over before.
func (p *pool) takeTurn(w *worker) bool {
	if w.call.hasTurn() { // as it was in a call when the gate was opened
		return true
	}
	patience := max(stalled, 8*time.Duration(p.gate.base.Load()))
	age, taken, ok := p.gate.turns.take(p.ctx.Done(), patience)
	if !ok {
		return false
	}
	if w.call == nil { // nobody could tell it to give the turn back meanwhile
		w.call = newCallContext(p.ctx, p.cfg)
	}
	w.call.takesTurn(&p.gate.turns, age)
	w.turnsTaken.Store(int64(taken))
	return true
}

func (p *pool) giveTurn(w *worker) {
	if !p.shares || w.call == nil {
		return
	}
	if of, age := w.call.endsTurn(); of != nil {
		of.give(age)
	}
}

// runClaim runs s. Where calls wait, the gate is told.
func (p *pool) runClaim(w *worker, s span, now time.Duration) error {
	ctx := p.contextOf(w)
	if !p.adapts.Load() {
		err := w.runner.run(ctx, w, s)
		w.heldBack += w.call.settle()
		return err
	}
	if w.gate == nil {
		w.gate, w.ctx, w.latencies = p.gate, p.ctx, p.latencies
		w.unwatched.Store(false)
		w.call.watch(p.gate, &w.account, p.stirred)
	}
	if p.tells {
		err := w.runner.run(ctx, w, s)
		w.call.settle()
		p.gate.drop(&w.account) // of a call that panicked
		return err
	}
	p.gate.enter(&w.account, now, s.hi-s.lo, float64(s.hi-s.lo))
	err := w.runner.run(ctx, w, s)
	w.heldBack += w.call.settle()
	ran := w.at - s.lo
	if err != nil && !isContextError(p.ctx, err) {
		ran++ // the item that failed
	}
	p.gate.leave(&w.account, clock.Now(), ran, err)
	return err
}

// contextOf returns what the calls of w are given.
func (p *pool) contextOf(w *worker) context.Context {
	if w.call != nil {
		return w.call
	}
	return p.ctx
}

// finishClaim accounts for a claim of w of which items were run.
func (p *pool) finishClaim(w *worker, began time.Duration, items int) (now time.Duration) {
	now = clock.Now()
	counts := w.end(p.epoch.Load(), items, now-began, w.heldBack)
	if items > 0 {
		p.ran.Add(int64(items))
		p.sizer.record(items, now-began)
		p.events.chunk(items, now-began)
	}
	// A review is due when enough has been seen, and every now and then.
	if p.solo.Load() || p.gate.due.Load() || counts && p.arrivals.Add(1) >= p.needed.Load() || now >= time.Duration(p.reviewAt.Load()) {
		p.review(now)
	}
	return now
}

// followUp takes what running s has come to, sees to items that failed, and
// runs what is left of s. It returns how many were run.
func (p *pool) followUp(w *worker, s span, err error) int {
	first := s.lo
	s = p.endOf(w, s)
	for w.at < s.hi || err != nil || w.panicked != nil || !w.returned {
		lost, more := p.outcome(w, s, err)
		if !more {
			return lost.hi - first
		}
		if s.lo = lost.hi; s.lo == s.hi {
			break
		}
		err = p.runClaim(w, s, clock.Now())
		s = p.endOf(w, s)
	}
	return s.hi - first
}

// outcome sees to a span that was not completed: an item failed, panicked or
// was cut off, or w was signalled. It returns the items that are lost, and
// whether w goes on with those behind them.
func (p *pool) outcome(w *worker, s span, err error) (lost span, more bool) {
	lost = span{w.at, w.at}
	p.noteFaults(w)
	switch {
	case w.panicked != nil || !w.returned: // the latter is a panic(nil) under GODEBUG=panicnil=1
		lost = w.runner.failed(w.at, s)
		p.panics(w.panicked, lost)
		w.returned = true
	case err == nil: // signalled
	case isContextError(p.ctx, err): // the run is over, and that is all this says
		p.halt() // here and now: the item must not be handed back and run again
	default:
		if !errors.Is(err, errParts) {
			lost = w.runner.failed(w.at, s)
			p.fail(w.runner.fail(w, lost, err), lost)
		}
		if p.cfg.Errors == Collect && !p.halted.Load() {
			return lost, true
		}
	}
	rest := span{lost.hi, s.hi}
	if w.signal.CompareAndSwap(split, goOn) && !p.halted.Load() {
		p.claims.giveBack(rest)
		return lost, false
	}
	p.cutOff(rest)
	return lost, false
}

// noteFaults takes note of what failed within a range.
func (p *pool) noteFaults(w *worker) {
	for _, f := range w.faults {
		p.fail(f.err, f.span)
	}
	w.faults = w.faults[:0]
}

// goexit takes note that fn ended the goroutine of w in the midst of a claim.
func (p *pool) goexit(w *worker) {
	p.noteFaults(w)
	lost := w.runner.failed(w.at, w.claimed)
	rest := span{lost.hi, p.endOf(w, w.claimed).hi}
	p.fail(p.runner.fail(w, lost, ErrGoexit), lost)
	if p.halted.Load() {
		p.cutOff(rest)
	} else {
		p.claims.giveBack(rest)
	}
	ran, took := lost.hi-w.claimed.lo, clock.Now()-time.Duration(w.began.Load())
	w.end(-1, ran, took, 0)
	defer p.catch()
	p.events.chunk(ran, took)
}

// asPanic wraps the value of a panic that was not of the function.
func asPanic(v any) *PanicError {
	return &PanicError{Index: -1, Value: v, Stack: debug.Stack()}
}

// catch is deferred around calls of observers outside of a worker: it takes
// note of their panics.
func (p *pool) catch() {
	if v := recover(); v != nil {
		p.panics(asPanic(v), span{})
	}
}
