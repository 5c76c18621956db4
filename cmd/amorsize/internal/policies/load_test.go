package policies

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Calls wait while the load is above the bound, and no longer than the run goes on.
func TestMaxLoad(t *testing.T) {
	require.Empty(t, MaxLoad(0))
	require.Len(t, MaxLoad(2), 1)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l := loadLimit{2, func(context.Context) (float64, error) { return 5 - time.Since(began).Seconds(), nil }}
		called := errors.New("called")
		require.ErrorIs(t, l.Do(t.Context(), func(context.Context) error { return called }), called)
		require.Equal(t, 3*time.Second, time.Since(began), "a load of 2 is not above 2")

		l.average = func(context.Context) (float64, error) { return 0, errors.New("not known here") }
		require.NoError(t, l.Do(t.Context(), func(context.Context) error { return nil }))

		l.average = func(context.Context) (float64, error) { return 9, nil }
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := l.Do(ctx, func(context.Context) error { t.Error("it is to wait"); return nil })
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
