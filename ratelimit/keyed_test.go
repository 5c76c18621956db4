package ratelimit_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

func TestKeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1}, 3)
		start := time.Now()
		for _, key := range []string{"a", "b", "a"} {
			require.NoError(t, k.Acquire(t.Context(), key))
		}
		assert.Equal(t, time.Second, time.Since(start))
		assert.False(t, k.TryAcquire("a"))
		require.NoError(t, k.AcquireN(t.Context(), "b", 1))
		assert.True(t, k.TryAcquire("c"))
		require.ErrorIs(t, k.Acquire(t.Context(), "d"), ratelimit.ErrTooManyKeys)
		assert.False(t, k.TryAcquire("d"))
		time.Sleep(time.Second)
		require.NoError(t, k.Do(t.Context(), "d", returns(nil)))
		assert.LessOrEqual(t, k.Len(), 3)
		got, err := ratelimit.WrapKeyed(k, func(s string) string { return s[:1] }, func(_ context.Context, s string) (int, error) { return len(s), nil })(t.Context(), "dora")
		require.NoError(t, err)
		assert.Equal(t, 4, got)
		failing := ratelimit.WrapKeyed(k, func(s string) string { return s[:1] }, func(context.Context, string) (int, error) { return 7, busy(1) })
		got, err = failing(t.Context(), "emil")
		assert.Equal(t, error(busy(1)), err)
		assert.Equal(t, 7, got)
		assert.Panics(t, func() { ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 10}, -1) })
	})
}

// Who finds no room for a key is told when there is some, so that a retrier waits for it.
func TestTooManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 2}, 2)
		tooMany := func(want time.Duration) {
			t.Helper()
			var err *ratelimit.TooManyKeysError
			require.ErrorAs(t, k.Acquire(t.Context(), 3), &err)
			require.Equal(t, ratelimit.TooManyKeysError{Keys: 2, RetryAfter: want}, *err)
			require.ErrorIs(t, err, ratelimit.ErrTooManyKeys)
		}
		require.NoError(t, k.AcquireN(t.Context(), 1, 2))
		require.NoError(t, k.AcquireN(t.Context(), 2, 1.5))
		tooMany(1500 * time.Millisecond)
		require.NoError(t, k.Use(2, func(*ratelimit.Limiter) error {
			tooMany(2 * time.Second)
			return k.Use(1, func(*ratelimit.Limiter) error { tooMany(100 * time.Millisecond); return nil })
		}))
		time.Sleep(1499 * time.Millisecond)
		tooMany(time.Millisecond)
		time.Sleep(time.Millisecond)
		require.NoError(t, k.Acquire(t.Context(), 3))
	})
}

// A key whose bucket is full is seen to be, if not at once: 0 would say that no time is known.
func TestTooManyKeysForTheNextInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 2}, 130)
		for key := range 130 { // more than are looked at to find room
			require.NoError(t, k.AcquireN(t.Context(), key, 2))
		}
		require.NoError(t, k.Use(50, func(l *ratelimit.Limiter) error { l.Reset(); return nil }))
		var err *ratelimit.TooManyKeysError
		require.ErrorAs(t, k.Acquire(t.Context(), 1000), &err)
		require.Equal(t, ratelimit.TooManyKeysError{Keys: 130, RetryAfter: 1}, *err)
	})
}

// With twice as many keys as there is room for, a retrier loses none.
func TestTooManyKeysAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1}, 1000)
		call := retry.Wrap(retry.MustNew(retry.Policy{}), ratelimit.WrapKeyed(k, func(key int) int { return key },
			func(context.Context, int) (int, error) { return 0, nil }))
		var wg sync.WaitGroup
		for key := range 2000 {
			wg.Go(func() {
				_, err := call(t.Context(), key)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		require.LessOrEqual(t, k.Len(), 1000)
	})
}

// Many keys take no more memory than those used within the time it takes to
// fill a bucket.
func TestManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 10, BurstSize: 1}, 0)
		most := 0
		for key := range 200_000 {
			if key%100 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			if !k.TryAcquire(key) {
				t.Fatal("a new key")
			}
			most = max(most, k.Len())
		}
		assert.Less(t, most, 1300) // 1000 are used in the 0.1 s that a bucket takes
	})
}
