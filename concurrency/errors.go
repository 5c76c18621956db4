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
	// ErrFull is what every [*FullError] is.
	ErrFull = errors.New("concurrency: as many calls are in flight as may be")
	// ErrInvalid is what every [*InvalidError] is.
	ErrInvalid = invalid.ErrInvalid
	// ErrTooManyKeys is what every [*TooManyKeysError] is.
	ErrTooManyKeys = errors.New("concurrency: too many keys in use")
)

// InvalidError says which setting or argument is out of range.
type InvalidError = invalid.Error

// FullError is returned for a call that was not allowed: at once, or having waited for
// Policy.MaxWait. It was not made.
type FullError struct {
	Limit   int // calls that may be in flight
	Waiting int // calls that wait
	// RetryAfter is when there may be room, by what calls take, if all come back who
	// were refused before, each at its time; 100 ms if that is not known yet. Nothing is
	// kept for anybody.
	RetryAfter time.Duration
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%v: %d, and %d wait; retry after %v", ErrFull, e.Limit, e.Waiting, e.RetryAfter)
}

// Unwrap returns [ErrFull].
func (e *FullError) Unwrap() error { return ErrFull }

// Refused tells other policies that the call was not made, and when it may be.
func (e *FullError) Refused() time.Duration { return e.RetryAfter }

// ByPolicy tells them that it was a policy, and not the function, which refused.
func (e *FullError) ByPolicy() {}

// TooManyKeysError is returned at once by a [Keyed] that has no room for another key. The
// call was not made.
type TooManyKeysError struct {
	Keys int // how many there are
}

func (e *TooManyKeysError) Error() string { return fmt.Sprintf("%v: %d", ErrTooManyKeys, e.Keys) }

// Unwrap returns [ErrTooManyKeys].
func (e *TooManyKeysError) Unwrap() error { return ErrTooManyKeys }

// Refused tells other policies that the call was not made. Nobody knows how long the calls
// take that keep all keys in use.
func (e *TooManyKeysError) Refused() time.Duration { return unknownWait }

// ByPolicy tells them that it was a policy, and not the function, which refused.
func (e *TooManyKeysError) ByPolicy() {}

// canceled is the error of a call whose context has ended before its turn.
func canceled(ctx context.Context) error { return answer.Canceled("concurrency", ctx) }
