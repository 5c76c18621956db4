package circuitbreaker

import "time"

// windowSteps is how many parts a window has. It moves on by a part at a time.
const windowSteps = 10

// tally counts calls and what came of them.
type tally struct{ calls, failures, slow int }

func (t *tally) add(o tally) {
	t.calls += o.calls
	t.failures += o.failures
	t.slow += o.slow
}

// window counts calls of late.
type window struct {
	step  time.Duration
	began time.Duration // of the part that is being filled
	parts [windowSteps]tally
	at    int // that part
}

func newWindow(length, now time.Duration) *window {
	return &window{step: length / windowSteps, began: now}
}

// move forgets the parts that are out of the window now.
func (w *window) move(now time.Duration) {
	if now < w.began { // the clock of a testing/synctest bubble: another time
		w.reset(now)
	}
	steps := int64((now - w.began) / w.step)
	if steps <= 0 {
		return
	}
	w.began += time.Duration(steps) * w.step
	for range min(steps, windowSteps) {
		w.at = (w.at + 1) % windowSteps
		w.parts[w.at] = tally{}
	}
}

func (w *window) count(now time.Duration, t tally) {
	w.move(now)
	w.parts[w.at].add(t)
}

func (w *window) total(now time.Duration) (sum tally) {
	w.move(now)
	for _, part := range w.parts {
		sum.add(part)
	}
	return sum
}

// reset forgets everything.
func (w *window) reset(now time.Duration) {
	*w = window{step: w.step, began: now}
}
