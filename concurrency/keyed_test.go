package concurrency

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A key is forgotten when it has not been used for more than ten minutes, and not before.
func TestForgotten(t *testing.T) {
	for beyond, left := range map[time.Duration]int{-1: 2, 0: 2, 1: 1} {
		synctest.Test(t, func(t *testing.T) {
			k := MustNewKeyed[int](Policy{}, 0)
			use := func(key int) {
				require.NoError(t, k.Do(t.Context(), key, func(context.Context) error { return nil }))
			}
			use(1)
			time.Sleep(forgotten + beyond)
			use(2)
			require.Equal(t, left, k.Len(), beyond)
		})
	}
}

// A function under the limits of keys returns its own error, and that it was refused.
func TestWrappedErrors(t *testing.T) {
	k := MustNewKeyed[bool](Policy{Max: 1, OnLimit: Reject}, 0)
	fn := WrapKeyed(k, func(n int) bool { return n%2 == 0 }, func(_ context.Context, n int) (int, error) { return n, errOther })
	got, err := fn(t.Context(), 21)
	require.ErrorIs(t, err, errOther)
	require.Equal(t, 21, got)
	p, ok := k.TryAcquire(false)
	require.True(t, ok)
	_, err = fn(t.Context(), 23)
	require.ErrorIs(t, err, ErrFull)
	_, err = fn(t.Context(), 24)
	require.ErrorIs(t, err, errOther)
	p.Done(nil)
	require.Zero(t, k.Stats(true).InFlight)
}
