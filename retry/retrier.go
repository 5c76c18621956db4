package retry

import (
	"context"
	"errors"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/waiting"
)

// Retrier makes calls, and repeats them if they fail. It is safe for concurrent use, has
// no state except its [Budget], and no goroutine.
type Retrier struct {
	p      Policy
	given  Policy
	panics callback.Panics
}

// New returns a retrier, or an [*InvalidError].
func New(p Policy) (*Retrier, error) {
	valid, err := p.validate()
	if err != nil {
		return nil, err
	}
	return &Retrier{p: valid, given: p}, nil
}

// Policy returns the settings that the retrier was made with.
func (r *Retrier) Policy() Policy { return r.given }

// Panics returns how many times OnRetry has panicked. A panic does not affect the
// retrier; the first is logged.
func (r *Retrier) Panics() int64 { return r.panics.Count() }

// MustNew is [New] for settings that are known to be valid; it panics if not.
func MustNew(p Policy) *Retrier {
	r, err := New(p)
	if err != nil {
		panic(err)
	}
	return r
}

// Do makes the call until it succeeds, and then returns nil. Otherwise it returns
//   - the call's own error, if it is not worth a retry and there was no retry before;
//   - an [*ExhaustedError] with the errors of the attempts;
//   - the context's error and its cause, if ctx ended before the first attempt.
//
// A panic of the call passes to the caller; it is not retried.
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
	panics   *callback.Panics
	by       *told         // the retrier, for listeners
	begun    time.Duration // the first attempt, if MaxElapsed is set
	attempts int           // calls made, without refusals
	refusals int           // in a row
	delay    time.Duration // the latest computed delay, with jitter
	errs     []error
}

func (r *Retrier) start() series {
	s := series{Policy: &r.p, panics: &r.panics, by: (*told)(r)}
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

// run continues after an attempt that returned err.
func (s *series) run(ctx context.Context, call func(context.Context) error, err error) error {
	for err != nil {
		delay, end := s.next(ctx, err)
		if end != nil {
			return end
		}
		line := waiting.Line{}
		if s.refusals == 0 {
			line.By = s.by
		}
		if cause := sleep(ctx, delay, line); cause != nil {
			return s.exhausted(cause, 0)
		}
		err = s.attempt(ctx, call)
	}
	if s.Budget != nil {
		s.Budget.succeeded()
	}
	return nil
}

// next records a failed attempt. It returns the delay before the next one, or the final
// error.
func (s *series) next(ctx context.Context, err error) (time.Duration, error) {
	err, after, refused := answer.NotMade(err)
	refused = refused && !s.ranOut(err, after)
	err, permanent := unmarked(err)
	if refused {
		s.refusals++
		if wait, ok := s.awaitable(ctx, after); ok && !permanent {
			return wait, nil
		}
	} else {
		s.refusals = 0
		s.attempts++
	}
	s.note(err)
	switch {
	case ctx.Err() != nil:
		return 0, s.exhausted(contextError(ctx), 0)
	case permanent, !refused && s.RetryIf != nil && !s.RetryIf(err):
		if len(s.errs) == 1 {
			return 0, err
		}
		return 0, s.exhausted(nil, 0)
	case refused:
		return 0, s.refused(ctx, err, after)
	case s.attempts > s.MaxRetries:
		return 0, s.exhausted(nil, 0)
	}
	return s.retry(ctx, err)
}

// ranOut reports whether a refusal means that the attempt had too little time left: the
// next attempt may have enough.
func (s *series) ranOut(err error, after time.Duration) bool {
	return after == 0 && s.AttemptTimeout > 0 && errors.Is(err, context.DeadlineExceeded)
}

// unmarked reports whether err is marked as not worth a retry, and returns it without the
// mark of [Permanent].
func unmarked(err error) (cause error, permanent bool) {
	var mark *permanentError
	if !errors.As(err, &mark) {
		return err, answer.Permanent(err)
	}
	if mark == err { //nolint:errorlint // only a mark on the outside can be taken off
		return mark.err, true
	}
	return err, true
}

// retry returns the delay before a retry, or why there is none.
func (s *series) retry(ctx context.Context, err error) (time.Duration, error) {
	s.delay = s.Policy.delay(s.attempts, max(s.delay, s.InitialDelay))
	delay := s.delay
	after, told := answer.RetryAfter(err)
	if !told { // a policy inside the function may know, too
		after, told = answer.Refused(err)
	}
	if told {
		if s.tooLong(after) {
			return 0, s.exhausted(ErrMaxDelay, after)
		}
		delay = max(delay, s.asked(after))
	}
	if cause := s.fits(ctx, delay); cause != nil {
		return 0, s.exhausted(cause, delay)
	}
	if s.Budget != nil && !s.Budget.take() {
		return 0, s.exhausted(ErrBudget, 0)
	}
	if s.OnRetry != nil {
		s.panics.Run("retry.Policy.OnRetry", func() { s.OnRetry(err, s.attempts, delay) })
	}
	return delay, nil
}

// awaitable returns how long to wait for a call that was refused before it was made, and
// whether to wait at all. If the refusal has no time, the call would be refused again.
// Each refusal in a row makes the wait longer, as a retry would. Otherwise many calls
// that were told the same instant, of which only one can pass, would all come back each
// time.
func (s *series) awaitable(ctx context.Context, after time.Duration) (time.Duration, bool) {
	if s.refusals >= maxRefusals || ctx.Err() != nil || after <= 0 || s.tooLong(after) {
		return 0, false
	}
	wait := s.asked(after)
	if s.refusals > 1 {
		wait = max(wait, s.Policy.delay(s.refusals-1, s.InitialDelay))
	}
	if s.fits(ctx, wait) != nil {
		wait = after
	}
	return wait, s.fits(ctx, wait) == nil
}

// refused returns the error of a call that was refused and is not waited for: the refusal
// itself if nothing needs to be added.
func (s *series) refused(ctx context.Context, err error, after time.Duration) error {
	cause := s.fits(ctx, after)
	switch {
	case cause != nil:
	case s.refusals >= maxRefusals:
		return s.exhausted(ErrRefused, 0)
	case s.attempts == 0:
		return err
	case s.tooLong(after):
		cause = ErrMaxDelay
	}
	return s.exhausted(cause, after)
}

// note keeps err as one of the first and the latest errors.
func (s *series) note(err error) {
	if len(s.errs) == keptErrors {
		copy(s.errs[1:], s.errs[2:])
		s.errs = s.errs[:keptErrors-1]
	}
	s.errs = append(s.errs, err)
}

// fits returns why a delay is not possible, or nil.
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

// sleep waits, and returns why it ended early, or nil.
func sleep(ctx context.Context, d time.Duration, line waiting.Line) error {
	defer waiting.Begin(ctx, line).End()
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	return nil
}

// Wrap returns fn with retries. It allocates nothing for a call that succeeds at once.
func Wrap[T, R any](r *Retrier, fn func(context.Context, T) (R, error)) func(context.Context, T) (R, error) {
	return answer.Wrap(fn, func(ctx context.Context, item T, fn func(context.Context, T) (R, error)) (R, error) {
		return Call(ctx, r, func(ctx context.Context) (R, error) { return fn(ctx, item) })
	})
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
