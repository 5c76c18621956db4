package policies

import (
	"context"
	"errors"
	"time"
)

// ErrGaveUp is the error of an item when the breaker has been open for the maximum time that items wait. The item
// has not failed: it remains.
var ErrGaveUp = errors.New("the service did not recover")

// uncharged is a policy between the retrier and the breaker. An attempt that fails while the breaker is open says
// more about the service than about the item. That holds for an attempt that was in flight when the breaker
// opened, and for the probe. The retrier does not count such an attempt: it is made again, and the breaker makes
// the item wait.
type uncharged struct {
	set    *Set
	giveUp time.Duration
}

// mostPause bounds the time between two attempts that the breaker does not delay.
const mostPause = time.Second

// Do makes the call until it is charged.
func (u *uncharged) Do(ctx context.Context, call func(context.Context) error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, mostPause) {
		err := call(ctx)
		since := u.set.openSince.Load()
		if _, failed := AsFailure(err); !failed || since == 0 {
			return err
		}
		again := u.again(err) && ctx.Err() == nil
		if u.gaveUp(since) && (again || u.endsRun(err)) {
			return ErrGaveUp
		}
		if !again {
			return err
		}
		// It is the breaker that makes it wait. This is for the moment in which the breaker closes, and for an item
		// of another host or key, whose breaker is not the open one.
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// again reports whether a failure is worth an immediate retry.
func (u *uncharged) again(err error) bool {
	f, _ := AsFailure(err)
	return f.Retry && !IsThrottled(err)
}

// endsRun reports whether a failure ends the run when a breaker has been open for too long: with a breaker for
// each key, items are parked, and none waits in a breaker for that long.
func (u *uncharged) endsRun(err error) bool { return u.set.ByKey != nil && ofService(err) }

// gaveUp reports whether a breaker has been open for longer than items wait.
func (u *uncharged) gaveUp(since int64) bool {
	return time.Now().UnixNano()-since > int64(u.giveUp)
}

func ofService(err error) bool { return !ofItem(err) && failed(err) }
