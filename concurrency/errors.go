package concurrency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/invalid"
)

// Sentinels, for errors.Is.
var (
	// ErrFull matches every [*FullError].
	ErrFull = errors.New("concurrency: the limit is reached")
	// ErrInvalid matches every [*InvalidError].
	ErrInvalid = invalid.ErrInvalid
	// ErrTooManyKeys matches every [*TooManyKeysError].
	ErrTooManyKeys = errors.New("concurrency: too many keys in use")
)

// InvalidError says which setting or argument is out of range.
type InvalidError = invalid.Error

// FullError is returned for a call that was not allowed: at once, or after a wait of
// Policy.MaxWait. The call was not made.
type FullError struct {
	Limit   int // calls that may be in flight
	Waiting int // waiting calls
	// RetryAfter is when there may be room, estimated from the latency, if all calls that
	// were refused before come back, each at its time; 100 ms if that is not known yet. No
	// room is reserved.
	RetryAfter time.Duration
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%v: %d in flight, %d waiting; retry after %v", ErrFull, e.Limit, e.Waiting, e.RetryAfter)
}

// Unwrap returns [ErrFull].
func (e *FullError) Unwrap() error { return ErrFull }

// Refused tells other policies that the call was not made, and when it may be.
func (e *FullError) Refused() time.Duration { return e.RetryAfter }

// ByPolicy tells them that a policy refused, and not the function.
func (e *FullError) ByPolicy() {}

// TooManyKeysError is returned at once by a [Keyed] that has no room for another key. The
// call was not made.
type TooManyKeysError struct {
	Keys int // how many there are
}

func (e *TooManyKeysError) Error() string { return fmt.Sprintf("%v: %d", ErrTooManyKeys, e.Keys) }

// Unwrap returns [ErrTooManyKeys].
func (e *TooManyKeysError) Unwrap() error { return ErrTooManyKeys }

// Refused tells other policies that the call was not made. It is not known how long the
// calls that keep all keys in use will take.
func (e *TooManyKeysError) Refused() time.Duration { return unknownWait }

// ByPolicy tells them that a policy refused, and not the function.
func (e *TooManyKeysError) ByPolicy() {}

// canceled is the error of a call whose context has ended before its turn.
func canceled(ctx context.Context) error { return answer.Canceled("concurrency", ctx) }
