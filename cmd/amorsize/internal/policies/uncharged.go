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
// had not been made; the breaker then holds the item back.
type uncharged struct {
	set    *Set
	giveUp time.Duration
}

// held is the error of an attempt that is not charged.
type held struct{ error }

// Refused tells the retrier to make the call again: it is the breaker that lets it
// wait. No time at all would mean that there is none to wait for.
func (held) Refused() time.Duration { return time.Millisecond }

// Unwrap returns what the attempt failed with.
func (h held) Unwrap() error { return h.error }

// Do makes the call.
func (u *uncharged) Do(ctx context.Context, call func(context.Context) error) error {
	err := call(ctx)
	f, failed := AsFailure(err)
	since := u.set.openSince.Load()
	if !failed || since == 0 || !f.Retry || IsThrottled(err) || ctx.Err() != nil {
		return err
	}
	if time.Now().UnixNano()-since > int64(u.giveUp) {
		return ErrGaveUp
	}
	return held{err}
}
