package policies

import (
	"context"
	"errors"
	"time"
)

// ErrGaveUp is the error of an item when the breaker has been open for as long as
// items are held back at most. The item has not failed: it is left.
var ErrGaveUp = errors.New("the service did not come back")

// uncharged is a policy between the retrier and the breaker: an attempt that fails
// while the breaker is open says more of the service than of the item, be it one
// that was under way when it opened or the probe. To the retrier it is as if it
// had not been made: it is made again, and the breaker holds the item back.
type uncharged struct {
	set    *Set
	giveUp time.Duration
}

// mostPause bounds the time between two attempts that the breaker does not hold back.
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
		// It is the breaker that has it wait. This is for the moment in which it closes; and for an
		// item of another host or key, whose breaker is not the one that is open.
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// again reports whether a failure is worth another attempt at once.
func (u *uncharged) again(err error) bool {
	f, _ := AsFailure(err)
	return f.Retry && !IsThrottled(err)
}

// endsRun reports whether a failure ends the run when a breaker has been open for too long: with
// one for each key, items are parked, and none waits in a breaker for so long.
func (u *uncharged) endsRun(err error) bool { return u.set.ByKey != nil && ofService(err) }

// gaveUp reports whether a breaker has been open for longer than items are held back.
func (u *uncharged) gaveUp(since int64) bool {
	return time.Now().UnixNano()-since > int64(u.giveUp)
}

func ofService(err error) bool { return !ofItem(err) && failed(err) }
