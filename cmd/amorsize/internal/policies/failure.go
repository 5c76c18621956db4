package policies

import (
	"errors"
	"time"
)

// Failure is the outcome of a failed attempt, classified by its kind. Policies see it, and it is the error of a
// failed item.
type Failure struct {
	Err   error
	Retry bool // worth another attempt
	Fatal bool // the whole run is to end
	Items int  // of the job
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the error itself.
func (f *Failure) Unwrap() error { return f.Err }

// Throttled is a Failure by which the service said that calls come too fast. The engine, the limiter and the
// retrier recognize it by its method.
type Throttled struct {
	Failure
	After time.Duration // the wait that the service asked for; 0 if it gave no number
}

// RetryAfter returns the wait that the service asked for.
func (t *Throttled) RetryAfter() time.Duration { return t.After }

// Unwrap returns the failure.
func (t *Throttled) Unwrap() error { return &t.Failure }

// AsFailure returns the failure in err's tree.
func AsFailure(err error) (*Failure, bool) {
	var f *Failure
	ok := errors.As(err, &f)
	return f, ok
}

// IsThrottled reports whether err is a service's refusal.
func IsThrottled(err error) bool {
	var t *Throttled
	return errors.As(err, &t)
}
