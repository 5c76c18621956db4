package executor

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
)

// Signals to a worker, checked before every item.
const (
	goOn  = iota
	halt  // start no further item
	split // return the rest of the range and claim again
)

// worker is one goroutine that runs items, the caller's own or a helper. Only that goroutine uses
// the fields, except the atomic ones: reviews may read those, and set the signal.
type worker struct {
	signal atomic.Uint32
	_      [60]byte // read before every item, written rarely: on its own cache line

	latest
	done    <-chan struct{} // of the caller's context, while nothing else would signal
	policed policed         // time spent in policies

	runner   runner
	call     *callContext  // context for its calls, nil if they get none
	heldBack time.Duration // how long policies inside the function held back the calls of the claim
	keeping  time.Duration // how long the keeper made the claim wait, for example for a disk
	called   int           // successful calls of the claim that are not counted yet
	unmade   int           // items of the claim for which no call was made
	timed    bool          // the times of the claim's calls have been recorded
	claimed  span          // the range being run
	lanes    *source.Lanes // to be told that nothing holds back an item; nil if that is not needed

	pacer   *pacer // see hurry; nil for the caller
	place          // in the crew
	watched        // its attempts
	account        // of its claims
}

// place is a worker's place in its crew, which alone writes it.
type place struct {
	seat     int           // index in the crew's list
	working  bool          // it is in the crew
	admitted *atomic.Int64 // the process-wide counter that includes it, nil for none
}

// latest is what a runner reports about its latest range.
type latest struct {
	at       int         // the item being run, or the first not run
	to       int         // where the range ends, which may have been shortened
	returned bool        // it returned normally
	panicked *PanicError // what it panicked with
	attempts int         // calls of the function for the item being run
	faults   []fault     // with errParts, what failed
	unkept   error       // why an outcome could not be kept
}

// passed tells that nothing holds back the item any more: the next one of its line may start.
func (w *worker) passed() {
	if w.lanes != nil {
		w.lanes.Passed(w.claimed.Lo)
	}
}

// did tells that the item is finished.
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

// hurry makes the run be reviewed soon: a claim of several items begins, and one of them may be
// slow.
func (w *worker) hurry() {
	if w.pacer != nil {
		w.pacer.hurry()
	}
}

// endOf returns s without what was taken from it while w was running it.
func (w *worker) endOf(s span) span {
	s.Hi = min(s.Hi, w.to)
	return s
}

// context returns the context for the calls of w.
func (w *worker) context(run context.Context) context.Context {
	if w.call != nil {
		return w.call
	}
	return run
}

// guard is deferred around user code. It records a panic; for a Goexit, which cannot be stopped, it
// leaves returned unset.
func (w *worker) guard() {
	if w.returned {
		return
	}
	if v := recover(); v != nil {
		w.panicked = &PanicError{Index: w.at, Value: v, Stack: debug.Stack()}
		w.returned = true
	}
}

// shorten makes w leave the rest of its claim, after the current item, to other workers. It returns
// what can be claimed at once; w itself returns the remainder.
func (w *worker) shorten() (rest span, shortened bool) {
	if r, ok := w.runner.(shortener); ok {
		rest = r.shorten()
		return rest, rest.Len() > 0
	}
	return span{}, w.signal.CompareAndSwap(goOn, split)
}

// failedClaim records that an item failed, if attempts are not recorded one by one.
func (w *worker) failedClaim(err error) {
	if !w.runner.tellsAttempts() {
		w.tally.ended(1, err)
	}
}

// panickedCalls records that a number of calls panicked, unless a policy panicked.
func (w *worker) panickedCalls(calls int) {
	if w.attempts > 0 || !w.runner.tellsAttempts() {
		w.tally.ended(calls, &PanicError{})
	}
}

// tellCalls counts the successful calls of a claim, and how long they took, unless each has been
// counted.
func (w *worker) tellCalls(items int, took time.Duration) {
	w.tally.ended(w.called, nil)
	// For unmeasured calls through policies it is not known how long they waited, unless there was
	// no time for a wait.
	if w.tracker == nil && !w.timed && (!w.runner.tellsAttempts() || took <= leastWait*time.Duration(items)) {
		w.tally.record(took, items-w.unmade)
	}
	w.called, w.unmade, w.timed = 0, 0, false
}

// uncalled records a number of items that have ended with err, if no call was made for them: a policy refused,
// or answered itself.
func (w *worker) uncalled(items int, err error) {
	if w.attempts > 0 || err != nil && w.cutOff(err) { // what was cut off is not among the items of the claim that have ended
		return
	}
	if w.unmade += items; err != nil {
		w.tally.unmade(items)
	}
}

// cutOff reports whether err only says that the run has ended.
func (w *worker) cutOff(err error) bool { return w.call != nil && isContextError(w.call, err) }

// inPolicies reports whether the call is in a policy around the function, as far as known.
func (w *worker) inPolicies() bool {
	return w.policed.measuring.Load() && !w.policed.inside.Load()
}
