package executor

import (
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// kept passes outcomes to a keeper, if there is one, by the caller's numbers.
type kept[T, R any] struct {
	keeper Keeper[T, R]
	past   *past
}

// begin returns the time, if there is a keeper.
func (k *kept[T, R]) begin() time.Duration {
	if k.keeper == nil {
		return 0
	}
	return clock.Now()
}

// keep passes on the outcome of item i, which ended at ended. The worker records an error of
// the keeper, and how long it took.
func (k *kept[T, R]) keep(w *worker, i int, item T, now Outcome[R], ended time.Duration) {
	if err := k.keeper.Keep(k.past.number(i), item, now); err != nil && w.unkept == nil {
		w.unkept = err
	}
	if took := clock.Now() - ended; took > leastWait { // less than that counts as work
		w.keeping += took
	}
}

// ended returns the outcome of an item whose call did not return. It is deferred, after
// guard.
func (w *worker) ended() error {
	switch {
	case w.panicked != nil:
		return w.panicked
	case !w.returned:
		return ErrGoexit
	}
	return nil
}
