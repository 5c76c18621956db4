package executor

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/histogram"
	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/waiting"
)

// tally counts the calls of a run for its report and its listeners. A nil *tally counts nothing.
// Any goroutine may call it. Its lock is held for a few additions only, and never while foreign
// code runs.
type tally struct {
	lost atomic.Int64 // items that failed

	mu       sync.Mutex
	closed   bool // the run has ended: goroutines left behind no longer count
	calls    Calls
	latency  histogram.Histogram
	policies map[waiting.Policy]string // the policies seen, with their last state
	tell     func(PolicyState)         // called for changes; nil without listeners
}

// newTally returns nil if nothing observes the run.
func newTally(watched bool) *tally {
	if !watched {
		return nil
	}
	return new(tally)
}

// maxPolicies is for how many policies of a run states and waits are reported.
const maxPolicies = 64

// fewestCalls is how many calls are needed to know their variation.
const fewestCalls = 6

// record counts how long a number of calls took together.
func (t *tally) record(took time.Duration, calls int) {
	if t == nil || calls <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.latency.Add(took/time.Duration(calls), calls)
	}
}

// ended counts a number of calls that ended with err, which may be nil. If a batch tells which of
// its items failed, the others count as successful.
func (t *tally) ended(calls int, err error) {
	if t == nil || calls <= 0 {
		return
	}
	var failed Failures                // without the lock: this calls methods of the errors
	partial, ok := err.(*PartialError) //nolint:errorlint // only the batch function's own tells of its items
	if ok && len(partial.Failed) <= calls {
		for _, err := range partial.Failed {
			failed.add(err, 1)
		}
	} else {
		failed.add(err, calls)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.calls.Ended += int64(calls)
	t.calls.Failed.Merge(failed)
}

// add counts a number of calls that ended with err.
func (f *Failures) add(err error, calls int) {
	if err == nil {
		return
	}
	of := &f.Other
	lost, _ := answer.Lost(err)
	if _, refused := answer.Refused(err); refused { // by a policy within the function
		of = &f.Refused
	} else if _, panicked := err.(*PanicError); panicked { //nolint:errorlint // of a nested run it is an error like others
		of = &f.Panicked
	} else if answer.TimedOut(err) {
		of = &f.TimedOut
	} else if lost {
		of = &f.Overloaded
	}
	*of += int64(calls)
}

// retried counts calls that were retries.
func (t *tally) retried(calls int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls.Retried += int64(calls)
}

// unmade counts items for which policies refused to call the function.
func (t *tally) unmade(items int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls.NotMade += int64(items)
}

// lose counts items that failed.
func (t *tally) lose(items int) {
	if t != nil {
		t.lost.Add(int64(items))
	}
}

// failures returns how many items failed.
func (t *tally) failures() int {
	if t == nil {
		return 0
	}
	return int(t.lost.Load())
}

// waited counts a wait that has ended.
func (t *tally) waited(by waiting.Policy, took time.Duration) {
	if t == nil || by == nil {
		return
	}
	kind, name := by.Kind(), cmp.Or(by.Name(), by.Kind())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	at := slices.IndexFunc(t.calls.Waits, func(w Wait) bool { return w.Kind == kind && w.Name == name })
	switch {
	case at >= 0:
	case len(t.calls.Waits) == maxPolicies:
		return
	default:
		at = len(t.calls.Waits)
		t.calls.Waits = append(t.calls.Waits, Wait{Kind: kind, Name: name})
	}
	w := &t.calls.Waits[at]
	w.Calls++
	w.Total += took
	w.Times.Add(took, 1)
}

// meets records that a policy holds a call back. The first time, it looks at the policy.
func (t *tally) meets(line waiting.Line) {
	if t == nil || line.By == nil || line.OneOfMany { // one of many: the output could not distinguish the keys
		return
	}
	t.mu.Lock()
	_, known := t.policies[line.By]
	t.mu.Unlock()
	if !known {
		t.look(line.By)
	}
}

// look reports a policy whose state has changed. No lock is held, since it takes the policy's
// lock.
func (t *tally) look(p waiting.Policy) {
	if t == nil {
		return
	}
	state, left := p.State()
	t.mu.Lock()
	before, known := t.policies[p]
	if t.closed || !known && len(t.policies) == maxPolicies || known && state == before {
		t.mu.Unlock()
		return
	}
	if t.policies == nil {
		t.policies = map[waiting.Policy]string{}
	}
	t.policies[p] = state
	tell := t.tell
	t.mu.Unlock()
	if tell != nil && state != before {
		tell(PolicyState{Kind: p.Kind(), Name: cmp.Or(p.Name(), p.Kind()), State: state, Left: left})
	}
}

// lookAll looks at all policies that were seen, and returns those in an unusual state.
func (t *tally) lookAll() (states []PolicyState) {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	all := make([]waiting.Policy, 0, len(t.policies))
	for p := range t.policies {
		all = append(all, p)
	}
	t.mu.Unlock()
	for _, p := range all {
		t.look(p)
		if state, left := p.State(); state != "" {
			states = append(states, PolicyState{Kind: p.Kind(), Name: cmp.Or(p.Name(), p.Kind()), State: state, Left: left})
		}
	}
	slices.SortFunc(states, func(a, b PolicyState) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return states
}

// snapshot returns the counts so far.
func (t *tally) snapshot() *Calls {
	if t == nil {
		return &Calls{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	calls := t.calls
	calls.Latency = t.latency
	copied := calls.clone()
	return &copied
}

// close returns the final counts: nothing is counted any more.
func (t *tally) close() Calls {
	if t == nil {
		return Calls{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	calls := t.calls
	calls.Latency = t.latency
	return calls
}

// variation returns the coefficient of variation of the calls so far, 0 if unknown.
func (t *tally) variation() float64 {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.latency.Count() < fewestCalls {
		return 0
	}
	return t.latency.Variation()
}

// summary returns how long the calls took; base is the time without load.
func (t *tally) summary(base time.Duration) Latencies {
	if t == nil {
		return Latencies{Base: base}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h := &t.latency
	return Latencies{Base: base, P50: h.Quantile(0.5), P90: h.Quantile(0.9), P99: h.Quantile(0.99), Max: h.Max()}
}
