package executor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The errors of the items of a batch are found in that of the batch, in the order of the items. An item that is said to have
// failed without an error has none.
func TestABatchHasTheErrorsOfItsItems(t *testing.T) {
	odd, even, last := errors.New("odd"), errors.New("even"), errors.New("last")
	e := &PartialError{Failed: map[int]error{7: last, 1: odd, 3: nil, 2: even}}
	require.Equal(t, []error{odd, even, last}, e.Unwrap())
	for _, err := range []error{odd, even, last} {
		require.ErrorIs(t, e, err)
	}
	require.Empty(t, (&PartialError{}).Unwrap())
}

// The texts of a timeout and of a panic say what the function returned, and whose it was, where that is known.
func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"the call took longer than 1s":                              &TimeoutError{After: time.Second},
		"the call took longer than 2s":                              &TimeoutError{After: 2 * time.Second, Err: context.DeadlineExceeded},
		"the call took longer than 3s: odd":                         &TimeoutError{After: 3 * time.Second, Err: errors.New("odd")},
		"amorsize: item 0: panic: odd\n\nstack":                     &PanicError{Index: 0, Value: "odd", Stack: []byte("stack")},
		"amorsize: panic outside of the items' calls: odd\n\nstack": &PanicError{Index: -1, Value: "odd", Stack: []byte("stack")},
		"item 3: odd":                                  &ItemError{Index: 3, Attempts: 1, Err: errors.New("odd")},
		"item 3 (after 2 attempts): odd":               &ItemError{Index: 3, Attempts: 2, Err: errors.New("odd")},
		"item 3: given up after 2 attempts: odd":       &ItemError{Index: 3, Attempts: 2, Err: errors.New("given up after 2 attempts: odd")},
		"batch of items 3 to 5: odd":                   &BatchError{Index: 3, Size: 3, Err: errors.New("odd")},
		"batch of 3 items from 3 on: odd":              &BatchError{Index: 3, Size: 3, Err: errors.New("odd"), apart: true},
		"amorsize: run stopped: context canceled":      &CanceledError{Err: context.Canceled, Cause: context.Canceled},
		"amorsize: run stopped: context canceled: odd": &CanceledError{Err: context.Canceled, Cause: errors.New("odd")},
		"2 items of the batch failed: item 1 of it: a": &PartialError{Failed: map[int]error{4: errors.New("b"), 1: errors.New("a")}},
		"no item of the batch failed":                  &PartialError{},
	} {
		require.EqualError(t, err, want)
	}
}
