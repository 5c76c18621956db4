package amorsize_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/retry"
)

// overloaded is an error type as the guide has one.
type overloaded struct{ after time.Duration }

func (e overloaded) Error() string { return "no room" }

// StatusCode says that the service has no room.
func (e overloaded) StatusCode() int { return 503 }

// RetryAfter says when to come back: retriers and limiters heed it.
func (e overloaded) RetryAfter() time.Duration { return e.after }

// The code of docs/errors.md.
func TestGuideOfErrors(t *testing.T) {
	ctx, texts := t.Context(), []string{"1", "x", "3"}
	parse := func(_ context.Context, text string) (int, error) { return strconv.Atoi(text) }

	results, err := amorsize.ExecuteContext(ctx, parse, texts, amorsize.WithErrors(amorsize.Collect))
	if failures, ok := errors.AsType[*amorsize.Errors](err); ok {
		for _, err := range failures.Unwrap() {
			if item, ok := errors.AsType[*amorsize.ItemError](err); ok {
				fmt.Println(texts[item.Index], item.Attempts, item.Err) // x 1 strconv.Atoi: parsing "x": invalid syntax
			}
		}
	}
	require.Equal(t, []int{1, 0, 3}, results)
	require.ErrorIs(t, err, strconv.ErrSyntax)
	item, ok := errors.AsType[*amorsize.ItemError](err)
	require.True(t, ok)
	require.Equal(t, 1, item.Index)
	require.Equal(t, 1, item.Attempts)
}

func TestGuideOfErrorsOfServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, calls := time.Now(), 0
		var report amorsize.Report
		_, err := amorsize.ExecuteContext(t.Context(), func(context.Context, int) (int, error) {
			if calls++; calls == 1 {
				return 0, overloaded{5 * time.Second}
			}
			return 0, nil
		}, []int{1}, amorsize.WithPolicies(retry.MustNew(retry.Policy{})), amorsize.WithReport(&report))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(begun), 5*time.Second)
		require.EqualValues(t, 1, report.Calls.Failed.Overloaded)
	})
}
