package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/retry"
)

// A mark within what is around it stays: only one on the outside is taken off.
func TestPermanentWithinAnother(t *testing.T) {
	r := retry.MustNew(retry.Policy{MaxRetries: 3})
	outer := fmt.Errorf("item 7: %w", retry.Permanent(errTest))
	calls := 0
	require.Equal(t, outer, r.Do(t.Context(), fails(&calls, outer)))
	require.Equal(t, 1, calls)
	require.Equal(t, errTest, r.Do(t.Context(), fails(&calls, retry.Permanent(errTest))))
}

// Refusals in a row are waited for as retries would be: the second for the first delay,
// the third for the second.
func TestRefusalsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{InitialDelay: time.Second, Multiplier: 2, Jitter: retry.JitterNone})
		calls, start := 0, time.Now()
		no := refused(10 * time.Millisecond)
		require.NoError(t, r.Do(t.Context(), fails(&calls, no, no, no, nil)))
		require.Equal(t, 10*time.Millisecond+time.Second+2*time.Second, time.Since(start))
	})
}

// An attempt whose own time ran out while a policy held it back was an attempt: the
// next one may have more luck.
func TestRefusedForTheAttemptsTime(t *testing.T) {
	for _, timeout := range []time.Duration{1, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := retry.MustNew(retry.Policy{MaxRetries: 2, AttemptTimeout: timeout, InitialDelay: time.Millisecond, Jitter: retry.JitterNone})
			calls := 0
			err := r.Do(t.Context(), func(ctx context.Context) error {
				calls++
				<-ctx.Done()
				return &noTime{ctx.Err()}
			})
			var exhausted *retry.ExhaustedError
			require.ErrorAs(t, err, &exhausted)
			require.Equal(t, 3, exhausted.Attempts)
			require.Equal(t, 3, calls)
		})
	}
}

// noTime is the error of a policy whose caller has no time left.
type noTime struct{ error }

func (n *noTime) Refused() time.Duration { return 0 }
func (n *noTime) Unwrap() error          { return n.error }

// A given-up call is a timeout if what ended it, or else its last failure, was one.
func TestTimeoutOfExhausted(t *testing.T) {
	timeout := context.DeadlineExceeded
	for want, errs := range map[bool][]*retry.ExhaustedError{
		true:  {{Errs: []error{errTest, timeout}}, {Errs: []error{timeout}}, {Cause: timeout, Errs: []error{errTest}}},
		false: {{}, {Errs: []error{timeout, errTest}}, {Cause: retry.ErrBudget, Errs: []error{timeout}}},
	} {
		for _, err := range errs {
			require.Equal(t, want, err.Timeout(), "%v", err)
		}
	}
}

// What is permanent after a retry tells of both attempts; with a single one it is the call's own.
func TestPermanentAfterRetry(t *testing.T) {
	r := retry.MustNew(retry.Policy{InitialDelay: 1, MaxDelay: 1})
	calls := 0
	err := r.Do(t.Context(), fails(&calls, errTest, retry.Permanent(errors.New("no"))))
	var exhausted *retry.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	require.Equal(t, 2, exhausted.Attempts)
	require.Len(t, exhausted.Errs, 2)
	require.Zero(t, exhausted.Delay)
	require.EqualError(t, err, "retry: given up after 2 attempts: no")
}
