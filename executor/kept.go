package executor

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// kept tells a keeper, if there is one, by the caller's numbers.
type kept[T, R any] struct {
	keeper Keeper[T, R]
	past   *past
}

// begin returns the time, where it is wanted.
func (k *kept[T, R]) begin() time.Duration {
	if k.keeper == nil {
		return 0
	}
	return clock.Now()
}

// keep tells what became of item i of the run, which ended then. What fails of that the
// worker notes, and how long it waited.
func (k *kept[T, R]) keep(w *worker, i int, item T, now Outcome[R], ended time.Duration) {
	if err := k.keeper.Keep(k.past.number(i), item, now); err != nil && w.unkept == nil {
		w.unkept = err
	}
	if took := clock.Now() - ended; took > leastWait { // what is less is work
		w.keeping += took
	}
}

// ended is what the item of a worker has come to that did not return: deferred, behind guard.
func (w *worker) ended() error {
	switch {
	case w.panicked != nil:
		return w.panicked
	case !w.returned:
		return ErrGoexit
	}
	return nil
}
