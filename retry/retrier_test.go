package retry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/retry"
)

var errTest = errors.New("out of order")

// busy is an answer of a service to come back later.
type busy time.Duration

func (b busy) Error() string             { return "busy" }
func (b busy) RetryAfter() time.Duration { return time.Duration(b) }

// refused is the error of a policy that did not make the call.
type refused time.Duration

func (r refused) Error() string          { return "refused" }
func (r refused) Refused() time.Duration { return time.Duration(r) }

// fails is a call that returns errs, one after the other, and then the last for ever.
func fails(calls *int, errs ...error) func(context.Context) error {
	return func(context.Context) error {
		*calls++
		return errs[min(*calls, len(errs))-1]
	}
}

// Cases RT-12 to RT-21 of the Python system.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name     string
		retries  int
		errs     []error
		calls    int
		attempts int // of the ExhaustedError, or 0 for none
	}{
		{"works first time", 3, []error{nil}, 1, 0},
		{"fails twice", 3, []error{errTest, errTest, nil}, 3, 0},
		{"fails as often as allowed", 3, []error{errTest, errTest, errTest, nil}, 4, 0},
		{"fails always", 2, []error{errTest}, 3, 3},
		{"none", retry.NoRetries, []error{errTest}, 1, 1},
		{"unlimited", retry.Unlimited, append(make([]error, 0), append(times(200, errTest), nil)...), 201, 0},
		{"permanent", 3, []error{retry.Permanent(errTest)}, 1, 0},
		{"permanent later", 3, []error{errTest, retry.Permanent(errTest)}, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := retry.MustNew(retry.Policy{MaxRetries: c.retries}).Do(t.Context(), fails(&calls, c.errs...))
				assert.Equal(t, c.calls, calls)
				var exhausted *retry.ExhaustedError
				switch {
				case c.attempts > 0:
					require.ErrorAs(t, err, &exhausted)
					require.ErrorIs(t, err, retry.ErrExhausted)
					require.ErrorIs(t, err, errTest)
					assert.Equal(t, c.attempts, exhausted.Attempts)
					assert.Len(t, exhausted.Errs, c.attempts)
					assert.True(t, exhausted.Ran())
				case c.errs[len(c.errs)-1] == nil:
					require.NoError(t, err)
				default:
					assert.Same(t, errTest, err, "the mark is taken off")
				}
			})
		})
	}
	assert.NoError(t, retry.Permanent(nil))
}

func times(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func TestOnRetryAndDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			err     error
			attempt int
			delay   time.Duration
		}
		var all []told
		r := retry.MustNew(retry.Policy{InitialDelay: 50 * time.Millisecond, MaxRetries: 4, Jitter: retry.JitterNone, OnRetry: func(err error, attempt int, delay time.Duration) {
			all = append(all, told{err, attempt, delay})
			panic("dropped")
		}})
		calls, start := 0, time.Now()
		require.NoError(t, r.Do(t.Context(), fails(&calls, errTest, errTest, errTest, errTest, nil)))
		assert.Equal(t, []told{{errTest, 1, 50 * time.Millisecond}, {errTest, 2, 100 * time.Millisecond}, {errTest, 3, 200 * time.Millisecond}, {errTest, 4, 400 * time.Millisecond}}, all)
		assert.Equal(t, 750*time.Millisecond, time.Since(start))
	})
}

func TestRetryIf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, other := errors.New("a"), errors.New("b"), errors.New("other")
		r := retry.MustNew(retry.Policy{MaxRetries: 1, RetryIf: func(err error) bool { return errors.Is(err, a) || errors.Is(err, b) }})
		for err, want := range map[error]int{a: 2, fmt.Errorf("call: %w", b): 2, other: 1} {
			calls := 0
			require.ErrorIs(t, r.Do(t.Context(), fails(&calls, err)), err)
			assert.Equal(t, want, calls)
		}
	})
}

func TestKeptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		err := retry.MustNew(retry.Policy{MaxRetries: 100}).Do(t.Context(), func(context.Context) error {
			n++
			return fmt.Errorf("error %d", n)
		})
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		assert.Equal(t, 101, exhausted.Attempts)
		require.Len(t, exhausted.Errs, 8)
		assert.EqualError(t, exhausted.Errs[0], "error 1")
		assert.EqualError(t, exhausted.Errs[1], "error 95")
		assert.EqualError(t, exhausted.Errs[7], "error 101")
		assert.EqualError(t, err, "retry: given up after 101 attempts: error 101")
	})
}

func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{InitialDelay: time.Minute, Jitter: retry.JitterNone})
		cause := errors.New("shut down")

		// Ended before: no call.
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		calls := 0
		err := r.Do(ctx, fails(&calls, nil))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		assert.Zero(t, calls)

		// During the call: its error is kept, and it is not retried.
		ctx, cancel = context.WithCancelCause(t.Context())
		err = r.Do(ctx, func(context.Context) error { calls++; cancel(cause); return errTest })
		for _, want := range []error{context.Canceled, cause, errTest, retry.ErrExhausted} {
			require.ErrorIs(t, err, want)
		}
		assert.Equal(t, 1, calls)

		// During the delay.
		ctx, cancel = context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start := time.Now()
		err = r.Do(ctx, fails(&calls, errTest))
		for _, want := range []error{context.Canceled, cause, errTest} {
			require.ErrorIs(t, err, want)
		}
		assert.Equal(t, time.Second, time.Since(start))

		// A delay that doesn't fit the deadline isn't begun.
		timed, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		start = time.Now()
		err = r.Do(timed, fails(&calls, errTest))
		assert.Zero(t, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errTest)
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		assert.Equal(t, time.Minute, exhausted.Delay)
		assert.ErrorContains(t, err, "before a delay of 1m0s")
		assert.True(t, exhausted.Timeout())
		require.ErrorAs(t, r.Do(t.Context(), fails(&calls, errTest)), &exhausted)
		assert.False(t, exhausted.Timeout())
	})
}

func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{AttemptTimeout: time.Second, MaxRetries: 2, InitialDelay: time.Second, Multiplier: 1, Jitter: retry.JitterNone})
		start := time.Now()
		err := r.Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 5*time.Second, time.Since(start), "three attempts and two delays")
	})
}

func TestMaxElapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{MaxElapsed: 5 * time.Second, MaxRetries: retry.Unlimited, InitialDelay: time.Second, Multiplier: 1, Jitter: retry.JitterNone})
		start, calls := time.Now(), 0
		err := r.Do(t.Context(), func(context.Context) error { calls++; time.Sleep(time.Second); return errTest })
		require.ErrorIs(t, err, retry.ErrMaxElapsed)
		require.ErrorIs(t, err, errTest)
		assert.Equal(t, 3, calls)
		assert.Equal(t, 5*time.Second, time.Since(start))
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{Jitter: retry.JitterNone})
		start, calls := time.Now(), 0
		require.NoError(t, r.Do(t.Context(), fails(&calls, fmt.Errorf("call: %w", busy(7*time.Second)), busy(0), nil)))
		assert.Equal(t, 7*time.Second+200*time.Millisecond, time.Since(start))

		// Longer than MaxDelay: never asked before it wants to be.
		start, calls = time.Now(), 0
		err := r.Do(t.Context(), fails(&calls, errTest, busy(time.Hour), nil))
		assert.Equal(t, 2, calls)
		assert.Equal(t, 100*time.Millisecond, time.Since(start))
		require.ErrorIs(t, err, retry.ErrMaxDelay)
		require.ErrorIs(t, err, busy(time.Hour))
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		assert.Equal(t, time.Hour, exhausted.Delay)
		var answered interface{ RetryAfter() time.Duration }
		require.ErrorAs(t, err, &answered)
		assert.Equal(t, time.Hour, answered.RetryAfter(), "a limiter outside waits for it")
	})
}

// A delay that the service asked for is not taken for one of our own.
func TestDecorrelatedAfterRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var delays []time.Duration
		r := retry.MustNew(retry.Policy{MaxDelay: time.Hour, Jitter: retry.JitterDecorrelated, OnRetry: func(_ error, _ int, d time.Duration) { delays = append(delays, d) }})
		for range 100 {
			require.NoError(t, r.Do(t.Context(), fails(new(int), busy(5*time.Minute), errTest, nil)))
			assert.GreaterOrEqual(t, delays[0], 5*time.Minute)
			assert.LessOrEqual(t, delays[1], 900*time.Millisecond, "three times 300 ms, at most")
			delays = nil
		}
	})
}

// An answer of never is one, whatever MaxDelay is.
func TestNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{MaxDelay: math.MaxInt64})
		calls := 0
		assert.Equal(t, error(refused(math.MaxInt64)), r.Do(t.Context(), fails(&calls, refused(math.MaxInt64))))
		for _, never := range []error{refused(math.MaxInt64), busy(math.MaxInt64)} {
			calls = 0
			err := r.Do(t.Context(), fails(&calls, errTest, never))
			assert.Equal(t, 2, calls)
			require.ErrorIs(t, err, retry.ErrMaxDelay)
			require.ErrorIs(t, err, never)
		}
	})
}

// A limit that always says "in a second" is not asked for ever, and those who are all
// told the same instant don't all come back for each of them.
func TestRefusedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{MaxDelay: 10 * time.Second})
		calls, start := 0, time.Now()
		err := r.Do(t.Context(), fails(&calls, refused(time.Second)))
		assert.Equal(t, 100, calls)
		assert.Greater(t, time.Since(start), 10*time.Minute)
		require.ErrorIs(t, err, retry.ErrRefused)
		assert.Equal(t, &retry.ExhaustedError{Errs: []error{refused(time.Second)}, Cause: retry.ErrRefused}, err)

		// 200 calls, one each 100 ms.
		next, tries := time.Now(), 0
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				assert.NoError(t, r.Do(t.Context(), func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					tries++
					if wait := time.Until(next); wait > 0 {
						return refused(wait)
					}
					next = time.Now().Add(100 * time.Millisecond)
					return nil
				}))
			})
		}
		wg.Wait()
		assert.Less(t, tries, 4000)
	})
}

// What an earlier attempt asked for has been waited for: only what it was remains.
func TestLatestAttemptSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{MaxRetries: 2})
		var answered interface{ RetryAfter() time.Duration }
		var asBusy busy
		err := r.Do(t.Context(), fails(new(int), fmt.Errorf("call: %w", busy(time.Second)), errTest))
		require.ErrorIs(t, err, busy(time.Second))
		require.ErrorAs(t, err, &asBusy)
		assert.NotErrorAs(t, err, &answered)

		err = r.Do(t.Context(), fails(new(int), busy(2*time.Second), busy(time.Second)))
		require.ErrorAs(t, err, &answered)
		assert.Equal(t, time.Second, answered.RetryAfter())
	})
}

// A call that was refused before it was made is no attempt: it is made when it may
// be, or given up.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{MaxRetries: 1, Jitter: retry.JitterNone, OnRetry: func(_ error, attempt int, _ time.Duration) { assert.Equal(t, 1, attempt) }})
		start, calls := time.Now(), 0
		require.NoError(t, r.Do(t.Context(), fails(&calls, refused(time.Second), refused(time.Second), errTest, refused(2*time.Second), nil)))
		assert.Equal(t, 4*time.Second+100*time.Millisecond, time.Since(start))
		assert.Equal(t, 5, calls)
		for _, after := range []refused{0, refused(time.Hour)} {
			calls = 0
			assert.Equal(t, error(after), r.Do(t.Context(), fails(&calls, after)), "not retried blindly")
			assert.Equal(t, 1, calls)
			err := r.Do(t.Context(), fails(new(int), errTest, after))
			require.ErrorIs(t, err, errTest)
			require.ErrorIs(t, err, after)
			var exhausted *retry.ExhaustedError
			require.ErrorAs(t, err, &exhausted)
			assert.Equal(t, 1, exhausted.Attempts)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := r.Do(ctx, fails(&calls, refused(2*time.Second)))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, refused(2*time.Second))
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		assert.False(t, exhausted.Ran())
	})
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := retry.MustNewBudget(retry.BudgetPolicy{Ratio: 0.2, PerSecond: 2, Most: 10})
		r := retry.MustNew(retry.Policy{MaxRetries: 100, InitialDelay: 1, MaxDelay: 1, Jitter: retry.JitterNone, Budget: budget})
		calls := 0
		err := r.Do(t.Context(), fails(&calls, errTest))
		require.ErrorIs(t, err, retry.ErrBudget)
		require.ErrorIs(t, err, errTest, "the root is kept")
		assert.Equal(t, 11, calls)
		time.Sleep(time.Second)
		assert.InDelta(t, 2, budget.Left(), 1e-6)
		for range 5 {
			require.NoError(t, r.Do(t.Context(), fails(new(int), nil)))
		}
		assert.InDelta(t, 3, budget.Left(), 1e-6)
		time.Sleep(time.Hour)
		assert.InDelta(t, 10, budget.Left(), 1e-6)
	})
}

func TestPanicAndGoexit(t *testing.T) {
	r := retry.MustNew(retry.Policy{AttemptTimeout: time.Hour})
	calls := 0
	assert.PanicsWithValue(t, "boom", func() {
		_ = r.Do(t.Context(), func(context.Context) error { calls++; panic("boom") })
	})
	assert.Equal(t, 1, calls)
}

func TestBadArguments(t *testing.T) {
	r := retry.MustNew(retry.Policy{})
	var none context.Context
	require.ErrorIs(t, r.Do(none, func(context.Context) error { return nil }), retry.ErrInvalid)
	require.ErrorIs(t, r.Do(t.Context(), nil), retry.ErrInvalid)
	_, err := retry.Call[int](t.Context(), r, nil)
	require.ErrorIs(t, err, retry.ErrInvalid)
}

func TestAllocations(t *testing.T) {
	r := retry.MustNew(retry.Policy{})
	ctx := t.Context()
	call := func(context.Context) error { return nil }
	wrapped := retry.Wrap(r, func(_ context.Context, i int) (int, error) { return i, nil })
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = r.Do(ctx, call) }))
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = wrapped(ctx, 1) }))
}

// A refusal that is waited for takes no place among the errors that are kept.
func TestRefusalsDropNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{MaxRetries: 20, InitialDelay: 1, Jitter: retry.JitterNone})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		n := 0
		err := r.Do(ctx, func(context.Context) error {
			if n++; n == 9 {
				time.AfterFunc(5*time.Second, cancel)
				return refused(10 * time.Second)
			}
			return fmt.Errorf("error %d", n)
		})
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		assert.Equal(t, 8, exhausted.Attempts)
		assert.Len(t, exhausted.Errs, 8)
	})
}

// A callback that panics changes nothing, and is seen.
func TestPanicOfOnRetry(t *testing.T) {
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{OnRetry: func(error, int, time.Duration) { panic("boom") }})
		require.NoError(t, r.Do(t.Context(), fails(new(int), errTest, errTest, nil)))
		assert.EqualValues(t, 2, r.Panics())
	})
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), "the first one only")
	assert.Contains(t, log.String(), "callback=retry.Policy.OnRetry panic=boom")
}
