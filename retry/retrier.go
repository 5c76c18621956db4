package retry

import (
	"context"
	"errors"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
)

// Retrier makes calls, and makes them again if they fail. It is safe for
// concurrent use, has no state but its [Budget], and no goroutine.
type Retrier struct {
	p     Policy
	given Policy
}

// New returns a retrier, or an [*InvalidError].
func New(p Policy) (*Retrier, error) {
	valid, err := p.validate()
	if err != nil {
		return nil, err
	}
	return &Retrier{p: valid, given: p}, nil
}

// Policy returns the settings that the retrier was made of.
func (r *Retrier) Policy() Policy { return r.given }

// MustNew is [New] for settings that are known to be valid; it panics if not.
func MustNew(p Policy) *Retrier {
	r, err := New(p)
	if err != nil {
		panic(err)
	}
	return r
}

// Do makes the call until it succeeds, and returns nil then. Else it returns
//   - the call's own error, if that is not worth a retry and there was none;
//   - an [*ExhaustedError] with what came of the attempts;
//   - the context's error and its cause, if ctx ended before the first attempt.
//
// A panic of the call goes on to the caller; it is not retried.
func (r *Retrier) Do(ctx context.Context, call func(context.Context) error) error {
	switch {
	case ctx == nil:
		return bad("ctx", nil, "a context")
	case call == nil:
		return bad("call", nil, "a function")
	case ctx.Err() != nil:
		return contextError(ctx)
	}
	if r.p.MaxElapsed > 0 || r.p.AttemptTimeout > 0 || r.p.Budget != nil {
		s := r.start()
		return s.run(ctx, call, s.attempt(ctx, call))
	}
	err := call(ctx)
	if err == nil {
		return nil
	}
	s := r.start()
	return s.run(ctx, call, err)
}

// series is the attempts at one call. It lives on the stack of Do.
type series struct {
	*Policy
	begun    time.Duration // the first attempt, if MaxElapsed is set
	attempts int           // calls made, and not refused
	delay    time.Duration // the latest
	errs     []error
}

func (r *Retrier) start() series {
	s := series{Policy: &r.p}
	if s.MaxElapsed > 0 {
		s.begun = clock.Now()
	}
	return s
}

// attempt makes the call once.
func (s *series) attempt(ctx context.Context, call func(context.Context) error) error {
	if s.AttemptTimeout == 0 {
		return call(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, s.AttemptTimeout)
	defer cancel()
	return call(ctx)
}

// run goes on after an attempt that returned err.
func (s *series) run(ctx context.Context, call func(context.Context) error, err error) error {
	for err != nil {
		delay, end := s.next(ctx, err)
		if end != nil {
			return end
		}
		if cause := sleep(ctx, delay); cause != nil {
			return s.exhausted(cause, 0)
		}
		err = s.attempt(ctx, call)
	}
	if s.Budget != nil {
		s.Budget.succeeded()
	}
	return nil
}

// next takes note of a failed attempt. It returns the delay before the next one,
// or the error with which there is none.
func (s *series) next(ctx context.Context, err error) (time.Duration, error) {
	after, refused := answer.Refused(err)
	if refused && after == 0 && s.AttemptTimeout > 0 && errors.Is(err, context.DeadlineExceeded) {
		refused = false // it was the attempt that had no time left: the next may have
	}
	var permanent *permanentError
	isPermanent := errors.As(err, &permanent)
	if isPermanent && permanent == err { //nolint:errorlint // only a mark on the outside can be taken off
		err = permanent.err
	}
	if wait, ok := s.awaitable(ctx, after, refused); ok && !isPermanent {
		return wait, nil
	}
	s.note(err)
	if !refused {
		s.attempts++
	}
	switch {
	case ctx.Err() != nil:
		return 0, s.exhausted(contextError(ctx), 0)
	case isPermanent, !refused && s.RetryIf != nil && !s.RetryIf(err):
		if s.attempts <= 1 && len(s.errs) == 1 {
			return 0, err
		}
		return 0, s.exhausted(nil, 0)
	case refused:
		cause := s.fits(ctx, after)
		if s.attempts == 0 && cause == nil {
			return 0, err
		}
		return 0, s.exhausted(cause, after)
	case s.attempts > s.MaxRetries:
		return 0, s.exhausted(nil, 0)
	}
	return s.retry(ctx, err)
}

// retry returns the delay before a retry, or why there is none.
func (s *series) retry(ctx context.Context, err error) (time.Duration, error) {
	s.delay = s.Policy.delay(s.attempts, max(s.delay, s.InitialDelay))
	if after, ok := answer.RetryAfter(err); ok {
		s.delay = min(max(s.delay, after), s.MaxDelay)
	}
	if cause := s.fits(ctx, s.delay); cause != nil {
		return 0, s.exhausted(cause, s.delay)
	}
	if s.Budget != nil && !s.Budget.take() {
		return 0, s.exhausted(ErrBudget, 0)
	}
	if s.OnRetry != nil {
		callback.Run(func() { s.OnRetry(err, s.attempts, s.delay) })
	}
	return s.delay, nil
}

// awaitable reports whether a call is waited for that was refused before it was
// made. One that says no time would be refused again, and one longer than MaxDelay is
// too long.
func (s *series) awaitable(ctx context.Context, after time.Duration, refused bool) (time.Duration, bool) {
	return after, refused && ctx.Err() == nil && after > 0 && after <= s.MaxDelay && s.fits(ctx, after) == nil
}

// note keeps err, if it is among the first and the latest ones.
func (s *series) note(err error) {
	if len(s.errs) == keptErrors {
		copy(s.errs[1:], s.errs[2:])
		s.errs = s.errs[:keptErrors-1]
	}
	s.errs = append(s.errs, err)
}

// fits returns why a delay can't be had, or nil.
func (s *series) fits(ctx context.Context, delay time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && delay >= time.Until(deadline) {
		return context.DeadlineExceeded
	}
	if s.MaxElapsed > 0 && delay > s.MaxElapsed-(clock.Now()-s.begun) {
		return ErrMaxElapsed
	}
	return nil
}

func (s *series) exhausted(cause error, delay time.Duration) error {
	return &ExhaustedError{Attempts: s.attempts, Errs: s.errs, Cause: cause, Delay: delay}
}

// sleep waits, and returns why it did not wait to the end.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	return nil
}

// Wrap returns fn with retries. It allocates nothing for a call that succeeds at once.
func Wrap[T, R any](r *Retrier, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return func(ctx context.Context, item T) (R, error) {
		return Call(ctx, r, func(ctx context.Context) (R, error) { return fn(ctx, item) })
	}
}

// Call makes one call with retries and returns what its last attempt returned.
func Call[R any](ctx context.Context, r *Retrier, fn func(context.Context) (R, error)) (R, error) {
	var result R
	if fn == nil {
		return result, bad("fn", nil, "a function")
	}
	err := r.Do(ctx, func(ctx context.Context) (err error) {
		result, err = fn(ctx)
		return err
	})
	return result, err
}
