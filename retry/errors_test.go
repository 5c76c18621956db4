package retry_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/retry"
)

// What is said once is not said again, and what there is not is not said.
func TestTextOfExhausted(t *testing.T) {
	other := errors.New("other")
	both := fmt.Errorf("%w: %w", errTest, retry.ErrMaxElapsed)
	for says, err := range map[string]retry.ExhaustedError{
		"":                                   {},
		": out of order":                     {Errs: []error{errTest}},
		": other":                            {Errs: []error{errTest, other}},
		": retry: out of time":               {Cause: retry.ErrMaxElapsed},
		": retry: out of time: other":        {Errs: []error{errTest, other}, Cause: retry.ErrMaxElapsed},
		": out of order: retry: out of time": {Errs: []error{other, both}, Cause: retry.ErrMaxElapsed, Delay: time.Second},
		", before a delay of 1ns: retry: out of time: other": {Errs: []error{other}, Cause: retry.ErrMaxElapsed, Delay: 1},
		", before a delay of 2s: retry: out of time":         {Cause: retry.ErrMaxElapsed, Delay: 2 * time.Second},
	} {
		err.Attempts = 2
		require.EqualError(t, &err, "retry: given up after 2 attempts"+says)
		err.Attempts = 1
		require.EqualError(t, &err, "retry: given up after 1 attempt"+says)
	}
}

// Only the latest attempt says what is to be done, of however many.
func TestWhoSaysWhatIsToBeDone(t *testing.T) {
	for n := range 3 {
		errs := append(times(n, busy(time.Second)), errTest)
		var answered interface{ RetryAfter() time.Duration }
		require.NotErrorAs(t, &retry.ExhaustedError{Errs: errs}, &answered)
		require.ErrorAs(t, &retry.ExhaustedError{Errs: append(errs, busy(2*time.Second))}, &answered)
		require.Equal(t, 2*time.Second, answered.RetryAfter())
	}
}
