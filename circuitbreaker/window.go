package circuitbreaker

import (
	"sync/atomic"
	"time"
)

// windowSteps is how many parts a window has. It moves by one part at a time.
const windowSteps = 10

// tally counts calls and their outcomes.
type tally struct{ calls, failures, slow int }

func (t *tally) add(o tally) {
	t.calls += o.calls
	t.failures += o.failures
	t.slow += o.slow
}

// window counts recent calls. Successes are counted without a lock, all other outcomes
// with the breaker's lock.
type window struct {
	length time.Duration // of a part
	began  time.Duration
	parts  [windowSteps]part
	// watched is set while a success may be the call that reaches MinimumCalls, and so
	// open the breaker.
	watched atomic.Bool
}

// part counts the calls of one step since the window began. If a whole window passes
// between reading the step and counting a success, it counts in a later step.
type part struct {
	step                  atomic.Int64
	calls, failures, slow atomic.Int64
}

func newWindow(length, now time.Duration) *window {
	return &window{length: length / windowSteps, began: now}
}

// at returns the step of an instant and its part, which may still belong to another step.
// The instant may be before the window began, because the clock of a testing/synctest
// bubble differs.
func (w *window) at(now time.Duration) (int64, *part) {
	step := int64((now - w.began) / w.length)
	return step, &w.parts[uint64(step)%windowSteps]
}

// success counts a success. It is false if that needs the lock: for the first call of a
// step, and while the window is watched.
func (w *window) success(now time.Duration) bool {
	step, p := w.at(now)
	if p.step.Load() != step || w.watched.Load() {
		return false
	}
	p.calls.Add(1)
	return true
}

func (w *window) count(now time.Duration, t tally) {
	step, p := w.at(now)
	if p.step.Load() != step {
		p.calls.Store(0)
		p.failures.Store(0)
		p.slow.Store(0)
		p.step.Store(step)
	}
	p.calls.Add(int64(t.calls))
	p.failures.Add(int64(t.failures))
	p.slow.Add(int64(t.slow))
}

// total sums up the parts that are within the window now.
func (w *window) total(now time.Duration) (sum tally) {
	step, _ := w.at(now)
	for i := range w.parts {
		p := &w.parts[i]
		if age := step - p.step.Load(); age >= 0 && age < windowSteps {
			sum.add(tally{int(p.calls.Load()), int(p.failures.Load()), int(p.slow.Load())})
		}
	}
	return sum
}
