package executor

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
)

// Signals to a worker, looked at before every item.
const (
	goOn  = iota
	halt  // start no further item
	split // hand back the rest of the range and claim anew
)

// worker is one goroutine that runs items, the caller's own or a helper. All of it is that
// goroutine's own, but for what is atomic: that may be read by whoever reviews the run,
// and the signal be set.
type worker struct {
	signal atomic.Uint32
	_      [60]byte // looked at before every item, written seldom: a line of its own

	latest
	done    <-chan struct{} // of the caller's context, while no one else would signal
	policed policed         // what the policies take

	runner   runner
	call     *callContext  // what its calls are given, nil if they are given none
	heldBack time.Duration // how long the calls of the claim were, from within the function
	keeping  time.Duration // how long the keeper had the claim wait, as for a disk
	called   int           // calls of the claim that went well, and are not told yet
	timed    bool          // the calls of the claim have been told of how long they took
	claimed  span          // the range being run
	lanes    *source.Lanes // to be told that nothing holds back an item; nil where nobody waits for that

	pacer   *pacer // see hurry; nil of the caller
	place          // in the crew
	watched        // its attempts
	account        // of its claims
}

// place is where a worker stands in its crew, which alone writes it.
type place struct {
	seat     int           // index in the crew's list
	working  bool          // it is there
	admitted *atomic.Int64 // the process-wide count that it is part of, nil for none
}

// latest is what a runner says of the range that it was given last.
type latest struct {
	at       int         // the item being run, or the first not run
	to       int         // where the range ends, which may have been cut meanwhile
	returned bool        // it returned of its own accord
	panicked *PanicError // what it panicked with
	attempts int         // calls of the function for the item being run
	faults   []fault     // with errParts, what failed
	unkept   error       // why an outcome could not be kept
}

// passed tells that nothing holds back the item any more: another one of its line may go.
func (w *worker) passed() {
	if w.lanes != nil {
		w.lanes.Passed(w.claimed.Lo)
	}
}

// did tells that the item is done with.
func (w *worker) did() {
	if w.lanes != nil {
		w.lanes.Done(w.claimed.Lo)
	}
}

// interrupted reports whether no further item should be started.
func (w *worker) interrupted() bool {
	if w.signal.Load() != goOn {
		return true
	}
	if w.done == nil {
		return false
	}
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// hurry has the run be looked at soon: a claim of several items begins, and one of them
// may be slow.
func (w *worker) hurry() {
	if w.pacer != nil {
		w.pacer.hurry()
	}
}

// endOf returns s without what was taken from it while w was in the midst of it.
func (w *worker) endOf(s span) span {
	s.Hi = min(s.Hi, w.to)
	return s
}

// context returns what the calls of w are given.
func (w *worker) context(run context.Context) context.Context {
	if w.call != nil {
		return w.call
	}
	return run
}

// guard is deferred around user code. It turns a panic into a note; for a
// Goexit, which cannot be stopped, it leaves returned unset.
func (w *worker) guard() {
	if w.returned {
		return
	}
	if v := recover(); v != nil {
		w.panicked = &PanicError{Index: w.at, Value: v, Stack: debug.Stack()}
		w.returned = true
	}
}

// shorten has w leave what is left of its claim, but for the item being run, to others.
// It returns what can be claimed at once; the rest w hands back itself.
func (w *worker) shorten() (rest span, shortened bool) {
	if r, ok := w.runner.(shortener); ok {
		rest = r.shorten()
		return rest, rest.Len() > 0
	}
	return span{}, w.signal.CompareAndSwap(goOn, split)
}

// failedClaim takes note that an item failed, where attempts are not told one by one.
func (w *worker) failedClaim(err error) {
	if !w.runner.tellsAttempts() {
		w.tally.ended(1, err)
	}
}

// panickedCalls takes note that so many calls panicked, unless it was a policy that did.
func (w *worker) panickedCalls(calls int) {
	if w.attempts > 0 || !w.runner.tellsAttempts() {
		w.tally.ended(calls, &PanicError{})
	}
}

// tellCalls tells of the calls of a claim that went well, and how long they took, unless each has
// been told.
func (w *worker) tellCalls(items int, took time.Duration) {
	w.tally.ended(w.called, nil)
	// Of calls through policies that were not measured, what they waited is not known, unless there
	// was no time to.
	if w.tracker == nil && !w.timed && (!w.runner.tellsAttempts() || took <= leastWait*time.Duration(items)) {
		w.tally.record(took, items)
	}
	w.called, w.timed = 0, false
}

// refused takes note that so many items failed with err: without a call, if there was none.
func (w *worker) refused(items int, err error) {
	if w.attempts == 0 && !w.cutOff(err) {
		w.tally.unmade(items)
	}
}

// cutOff reports whether err says that the run is over, and nothing else.
func (w *worker) cutOff(err error) bool { return w.call != nil && isContextError(w.call, err) }

// inPolicies reports whether a policy around the function has the call, as far as that is
// known.
func (w *worker) inPolicies() bool {
	return w.policed.measuring.Load() && !w.policed.inside.Load()
}
